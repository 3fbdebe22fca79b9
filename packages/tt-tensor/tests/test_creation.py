"""Tensors from nothing: NumPy's values in this wheel's dtypes, both forms of a shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint64", "bool"]


def equals(tensor, wanted):
    np.testing.assert_array_equal(tensor.numpy(), wanted, strict=True)


@pytest.mark.parametrize(("make", "value"), [(tt.zeros, 0), (tt.ones, 1)])
def test_both_forms_of_a_shape(make, value):
    for t in (make(2, 3), make((2, 3)), make([2, 3]), make(np.int64(2), tt.tensor(3))):
        equals(t, np.full((2, 3), value, np.float32))
    equals(make(), np.array(value, np.float32))
    equals(make(()), np.array(value, np.float32))
    equals(make(0, 3), np.empty((0, 3), np.float32))
    equals(make(4), np.full(4, value, np.float32))


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    for t in (
        tt.zeros(2, dtype=dtype),
        tt.ones(2, dtype=dtype),
        tt.empty(2, dtype=dtype),
        tt.eye(2, dtype=dtype),
    ):
        assert t.dtype == np.dtype(dtype)
    assert tt.full((2,), 1, dtype=dtype).tolist() == [1, 1]
    assert tt.arange(2, dtype=dtype).dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", ["complex64", object, "U3", "M8[s]", "V4"])
@pytest.mark.parametrize("make", [tt.zeros, tt.ones, tt.empty, tt.rand, tt.eye])
def test_other_dtypes_are_refused(make, dtype):
    with pytest.raises(DTypeError, match="is not supported"):
        make(2, dtype=dtype)


def test_requires_grad():
    for t in (
        tt.zeros(2, requires_grad=True),
        tt.full((1,), 0.5, requires_grad=True),
        tt.arange(2.0, requires_grad=True),
    ):
        assert t.requires_grad
        assert t.is_leaf
    assert not tt.zeros(2).requires_grad
    with pytest.raises(GradientError, match="int64 has no gradient"):
        tt.arange(3, requires_grad=True)


def test_empty_has_its_shape():
    t = tt.empty(2, 3, dtype="float64")
    assert t.shape == (2, 3)
    assert t.dtype == np.float64


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, "float32"), (2, "int64"), (True, "bool"),
        (np.float64(2), "float64"), (np.int8(3), "int8"), (np.array([7.0]), "float64"),
    ],
)  # fmt: skip
def test_full_has_the_dtype_of_its_value(value, dtype):
    equals(tt.full((2, 3), value), np.full((2, 3), value, dtype))
    equals(tt.full(2, tt.tensor(value)), np.full(2, value, dtype))
    equals(tt.full_like(tt.zeros(2, dtype="int16"), value), np.full(2, value).astype("int16"))


def test_full_says_what_does_not_fit():
    with pytest.raises(ArgumentError, match=r"300 does not fit into uint8 \(0 to 255\)"):
        tt.full((2,), 300, dtype="uint8")
    with pytest.raises(ArgumentError, match="nan does not fit into int64"):
        tt.full((2,), float("nan"), dtype="int64")
    with pytest.raises(ShapeError, match="one number"):
        tt.full((2,), [1.0, 2.0])


@pytest.mark.parametrize(
    "arguments", [(5,), (2, 7), (0, 10, 3), (5, 0, -2), (3, 3), (0,), (5, 0), (-3,), (2**40, 2**40 + 3)]
)
def test_arange_of_integers(arguments):
    equals(tt.arange(*arguments), np.arange(*arguments, dtype=np.int64))


@pytest.mark.parametrize("arguments", [(5.0,), (0, 1, 0.25), (0.5, 3), (1, 0, -0.1), (0.0, 1.0, 0.1)])
def test_arange_of_floats(arguments):
    equals(tt.arange(*arguments), np.arange(*arguments).astype(np.float32))
    equals(tt.arange(*arguments, dtype="float64"), np.arange(*arguments))


def test_arange_takes_numbers_of_any_kind():
    equals(tt.arange(np.int32(3)), np.arange(3, dtype=np.int64))
    equals(tt.arange(tt.tensor(3)), np.arange(3, dtype=np.int64))


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.integers(0, 40))
def test_linspace_includes_both_ends(start, stop, num):
    t = tt.linspace(start, stop, num, dtype="float64")
    assert t.shape == (num,)
    if num:
        assert t[0].item() == start
    if num > 1:
        assert t[-1].item() == stop
        np.testing.assert_allclose(np.diff(t.numpy()), (stop - start) / (num - 1), rtol=1e-6, atol=1e-9)


def test_linspace_is_float32():
    equals(tt.linspace(0, 1, 5), np.array([0, 0.25, 0.5, 0.75, 1], np.float32))
    assert tt.linspace(0, 1).shape == (50,)


@pytest.mark.parametrize("arguments", [(3,), (2, 4), (4, 2), (3, 3, 1), (3, 4, -2), (0,), (2, 0), (2, 3, 9)])
def test_eye(arguments):
    n, m, k = (*arguments, *(None, 0)[len(arguments) - 1 :])
    equals(tt.eye(*arguments), np.eye(n, m, k, dtype=np.float32))


def test_like():
    x = tt.arange(6).reshape(2, 3).astype("float64")
    for make, value in ((tt.zeros_like, 0), (tt.ones_like, 1)):
        equals(make(x), np.full((2, 3), value, np.float64))
        equals(make(x, dtype="int8"), np.full((2, 3), value, np.int8))
        equals(make(np.zeros((1, 2), np.int16)), np.full((1, 2), value, np.int16))
        assert make(x, requires_grad=True).requires_grad
        assert not make(x.requires_grad_()).requires_grad
    assert tt.empty_like(x).shape == (2, 3)
    equals(tt.full_like(x, 2), np.full((2, 3), 2.0))
    assert tt.zeros_like(x.T).is_contiguous()


def test_one_hot():
    labels = tt.tensor([[0, 2], [1, 1]])
    wanted = np.eye(3, dtype=np.int64)[labels.numpy()]
    equals(tt.one_hot(labels), wanted)
    equals(tt.one_hot(labels, 3), wanted)
    equals(tt.one_hot([0, 1], 4, dtype="float32"), np.eye(4, dtype=np.float32)[:2])
    assert tt.one_hot(labels, 5).shape == (2, 2, 5)
    assert tt.one_hot(tt.zeros(0, dtype="int64"), 3).shape == (0, 3)
    equals(tt.one_hot(2, 3), np.array([0, 0, 1]))


def test_from_numpy_shares_and_tensor_copies():
    array = np.arange(3.0)
    assert tt.from_numpy(array).numpy() is array
    assert tt.as_tensor(array).shares_memory(array)
    for make in (tt.tensor, tt.Tensor):
        assert not make(array).shares_memory(array)
        assert not make(tt.from_numpy(array)).shares_memory(array)
        assert not make(memoryview(array)).shares_memory(array)
    t = tt.tensor([1.0])
    assert tt.as_tensor(t) is t
    assert tt.as_tensor(t, "float64").dtype == np.float64
    big = array.astype(">f8")
    assert tt.tensor(big).dtype == np.dtype("float64")
    np.testing.assert_array_equal(tt.tensor(big).numpy(), array)


def test_as_tensor_keeps_the_gradient_of_a_tensor(notes):
    x = tt.Tensor([1.0, 2.0], requires_grad=True)
    assert tt.as_tensor(x, "float64").requires_grad
    assert notes.names == ["Cast"]
    with pytest.raises(DTypeError, match="as_tensor: 'words' is not"):
        tt.as_tensor(x, "words")


def test_from_numpy_refuses_foreign_byte_order():
    foreign = np.ones(2, np.dtype(np.float32).newbyteorder("S"))
    with pytest.raises(DTypeError, match="bytes in another order"):
        tt.from_numpy(foreign)
    assert tt.tensor(foreign).dtype is tt.float32


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, "float32", ()), (2, "int64", ()), (True, "bool", ()), ([1.0, 2], "float32", (2,)),
        ([1, 2.5], "float32", (2,)), ([], "float32", (0,)), ([[]], "float32", (1, 0)), ([[1, 2]], "int64", (1, 2)),
        ((True, False), "bool", (2,)), (range(3), "int64", (3,)), (np.float64(1), "float64", ()),
        ([np.float64(1)], "float64", (1,)), (np.arange(3, dtype="u2"), "uint16", (3,)),
        ([np.ones(2), np.zeros(2)], "float64", (2, 2)), (memoryview(b"abc"), "uint8", (3,)),
    ],
)  # fmt: skip
def test_what_a_tensor_is_made_of(data, dtype, shape):
    t = tt.tensor(data)
    assert t.dtype == np.dtype(dtype)
    assert t.shape == shape


def test_lists_of_tensors():
    rows = [tt.tensor([1.0, 2.0]), tt.tensor([3.0, 4.0])]
    equals(tt.tensor(rows), np.array([[1, 2], [3, 4]], np.float32))
    equals(tt.tensor([rows, rows]), np.array([[[1, 2], [3, 4]]] * 2, np.float32))


def test_lists_of_tensors_do_not_cut_the_graph(notes):
    x = tt.tensor([1.0], requires_grad=True)
    with pytest.raises(GradientError, match=r"stack\(\)"):
        tt.tensor([x, x])
    notes.paused = True
    assert tt.tensor([x, x]).shape == (2, 1)


def test_linspace_in_steps():
    assert tt.linspace(0, 1, steps=3).tolist() == [0.0, 0.5, 1.0]
