"""Tensor itself: what it is, its memory, copies and gradient."""

import copy
import pickle

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, AxisError, DTypeError, GradientError, ShapeError


def test_what_it_is():
    t = tt.zeros(2, 3)
    assert (t.shape, t.ndim, t.size, t.dtype) == ((2, 3), 2, 6, np.float32)
    assert (t.numel(), t.dim(), len(t)) == (6, 2, 2)
    assert (t.itemsize, t.nbytes, t.strides) == (4, 24, (12, 4))
    assert isinstance(t.array, np.ndarray)


def test_size_called_is_the_shape():
    t = tt.zeros(2, 3)
    assert t.size() == (2, 3) and t.size(0) == 2 and t.size(-1) == 3 and tt.tensor(1.0).size() == ()
    assert t.size // 3 == 2 and t.nelement() == 6 and pickle.loads(pickle.dumps(t.size)) == 6
    with pytest.raises(AxisError, match=r"size: axis 2 .* 2 axes"):
        t.size(2)


def test_row_major_against_column_major():
    t = tt.arange(6).reshape(2, 3).astype("float32")
    assert t.is_contiguous()
    assert not t.is_contiguous("F")
    assert t.T.strides == (4, 12)
    assert t.T.is_contiguous("F")
    assert not t.T.is_contiguous()
    assert t.T.contiguous().strides == (8, 4)
    assert t[:, 0].strides == (12,)
    assert t.broadcast_to((5, 2, 3)).strides == (0, 12, 4)
    assert t.T.nbytes == t.nbytes
    with pytest.raises(ArgumentError, match="order must be 'C' or 'F'"):
        t.is_contiguous("K")


def test_shares_memory():
    t = tt.zeros(4)
    assert t.shares_memory(t[1:])
    assert t.shares_memory(t.numpy())
    assert not t[:2].shares_memory(t[2:])
    assert not t[::2].shares_memory(t[1::2])  # exact, not by bounds
    assert not t.shares_memory([0.0])
    assert not t.is_view()
    assert t[1:].is_view()


def test_hash_is_identity():
    a, b = tt.ones(2), tt.ones(2)
    assert {a: 1, b: 2}[a] == 1
    assert len({a, b, a}) == 2
    assert (a == b).tolist() == [True, True]


# --- copies ----------------------------------------------------------------------------------------------


class Parameter(tt.Tensor):
    """A subclass with an attribute of its own."""


def example():
    t = Parameter([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    t.grad = tt.ones(2, 2)
    t.name = "weight"
    return t


def test_copy_shares_memory():
    t = example()
    c = copy.copy(t)
    assert type(c) is Parameter
    assert c.array is t.array
    assert c.requires_grad
    assert c.grad is t.grad
    assert c.name == "weight"


@pytest.mark.parametrize(
    "again",
    [
        copy.deepcopy,
        *[lambda t, p=p: pickle.loads(pickle.dumps(t, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)],
    ],
)
def test_deepcopy_and_pickle_give_a_tensor_of_its_own(again):
    t = example()
    c = again(t)
    assert type(c) is Parameter
    np.testing.assert_array_equal(c.numpy(), t.numpy(), strict=True)
    np.testing.assert_array_equal(c.grad.numpy(), t.grad.numpy(), strict=True)
    assert not c.shares_memory(t)
    assert not c.grad.shares_memory(t.grad)
    assert c.requires_grad
    assert c.name == "weight"
    c += 1
    assert t.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_deepcopy_keeps_ties():
    t = example()
    one, two = copy.deepcopy([t, t])
    assert one is two


@pytest.mark.parametrize(
    "t",
    [
        tt.zeros(0, 3),
        tt.tensor(1.5),
        tt.arange(6).reshape(2, 3).T,
        tt.arange(3)[::-1],
        tt.ones(1).broadcast_to((3,)),
    ],
)
def test_pickle_of_every_layout(t):
    again = pickle.loads(pickle.dumps(t))
    np.testing.assert_array_equal(again.numpy(), t.numpy(), strict=True)


def test_results_of_recorded_operations_are_not_copied_whole():
    t = tt.ones(2)
    t._node = object()
    with pytest.raises(GradientError, match=r"deepcopy.*x\.detach\(\)"):
        copy.deepcopy(t)
    with pytest.raises(GradientError, match=r"pickle.*x\.detach\(\)"):
        pickle.dumps(t)
    assert copy.deepcopy(t.detach()).tolist() == [1.0, 1.0]


def test_detach_and_data():
    t = example()
    for d in (t.detach(), t.data):
        assert type(d) is tt.Tensor
        assert d.array is t.array
        assert not d.requires_grad
        assert d.grad is None
    array = np.zeros((2, 2), np.float32)
    t.data = array
    assert t.array is array
    assert t.requires_grad
    with pytest.raises(GradientError, match="int64"):
        t.data = [[1, 2], [3, 4]]
    assert t.array is array


# --- the gradient ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_only_floats_have_gradients(dtype):
    t = tt.ones(2, dtype=dtype)
    for ask in (lambda: t.requires_grad_(), lambda: tt.tensor([1, 0], dtype=dtype, requires_grad=True)):
        with pytest.raises(GradientError, match=f"dtype {dtype} has no gradient"):
            ask()
    assert t.requires_grad_(False) is t


def test_grad_has_the_shape_and_dtype_of_its_tensor():
    t = tt.zeros(2, 3)
    assert t.grad is None
    t.grad = np.ones((2, 3), np.float32)
    assert isinstance(t.grad, tt.Tensor)
    with pytest.raises(ShapeError, match=r"\(2, 3\), but this one has \(3,\)"):
        t.grad = tt.ones(3)
    with pytest.raises(DTypeError, match="float32, but this one is float64"):
        t.grad = tt.ones(2, 3, dtype="float64")
    assert t.grad.tolist() == np.ones((2, 3)).tolist()
    t.zero_grad()
    assert t.grad is None
    t.grad = tt.ones(2, 3)
    del t.grad
    assert t.grad is None


def test_a_result_cannot_be_told_not_to_require_a_gradient():
    t = tt.ones(2, requires_grad=True)
    assert t.is_leaf
    t._node = object()
    assert not t.is_leaf
    with pytest.raises(GradientError, match=r"detach\(\)"):
        t.requires_grad = False


# --- what is no array of numbers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ("abc", DTypeError, "not supported"), (["a"], DTypeError, "not supported"), (None, DTypeError, "NoneType"),
        ({}, DTypeError, "dict"), ({1, 2}, DTypeError, "set"), (object(), DTypeError, "object"),
        (1j, DTypeError, "complex"),
        ([1, None], DTypeError, "list"), ([[1, 2], [3]], ShapeError, "ragged"), (np.array([1j]), DTypeError, "complex"),
        (np.array(["2020-01-01"], "M8[D]"), DTypeError, "datetime"), (lambda: 1, DTypeError, "function"),
        ([tt.zeros(2), tt.zeros(3)], ShapeError, "ragged"), (2**70, DTypeError, "int"),
    ],
)  # fmt: skip
def test_no_tensor_of(data, error, words):
    for make in (tt.Tensor, tt.tensor, tt.as_tensor):
        with pytest.raises(error, match=words):
            make(data)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (300, "uint8"), (-1, "uint64"), ([1, 2**40], "int32"), (float("nan"), "int64"), ([1e300], "int8"),
        ([[float("inf")]], "int64"),
    ],
)  # fmt: skip
def test_numbers_that_do_not_fit(data, dtype):
    with pytest.raises(ArgumentError, match=f"fit into {dtype}"):
        tt.tensor(data, dtype=dtype)


@pytest.mark.parametrize("data", [[2**64], [2**63, 1], [2**63, -1], [[1, 2], [3, -(2**63) - 1]]])
def test_large_integers_are_not_rounded_in_silence(data):
    with pytest.raises(ArgumentError, match="fit into int64"):
        tt.tensor(data)
    assert tt.tensor(data, dtype="float64").tolist() == np.array(data, np.float64).tolist()
    assert tt.tensor([float(2**63), 1]).dtype == np.float32


def test_no_attribute_of_a_later_wheel_is_needed():
    t = tt.ones(2, requires_grad=True)
    assert set(vars(t)) == {"array", "_requires_grad"}  # one attribute until a gradient is wanted
    assert set(vars(tt.ones(2))) == {"array"}


@pytest.mark.parametrize("dtype", ["float64", "int32"])
def test_new_ones_have_its_dtype(dtype):
    x = tt.zeros(2, dtype=dtype)
    for made, wanted in (
        (x.new_zeros(2, 3), np.zeros((2, 3))),
        (x.new_ones((2,)), np.ones(2)),
        (x.new_full((2, 1), 3), np.full((2, 1), 3)),
        (x.new_tensor([1, 2]), np.array([1, 2])),
    ):
        np.testing.assert_array_equal(made.numpy(), wanted.astype(dtype), strict=True)
    assert x.new_empty(3, 0).shape == (3, 0)
    assert x.new_ones(2, dtype="float32", requires_grad=True).requires_grad
    assert x.is_floating_point() is (dtype == "float64")


def test_memory_in_pytorchs_words():
    x = tt.zeros(2, 3)
    assert x.stride() == (3, 1) and x.T.stride() == (1, 3) and x.stride(-1) == 1
    assert x.data_ptr() == x[0].data_ptr() == x.detach().data_ptr() != x[1].data_ptr()
    assert x.element_size() == 4 and x.ndimension() == 2
    with pytest.raises(AxisError):
        x.stride(2)
