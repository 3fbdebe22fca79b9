"""Logic and bits are NumPy's, on bool and integers."""

import operator

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor import Tensor
from tt_tensor.errors import DTypeError, ShapeError

BITS = {
    "bitwise_and": (operator.and_, operator.iand, np.bitwise_and),
    "bitwise_or": (operator.or_, operator.ior, np.bitwise_or),
    "bitwise_xor": (operator.xor, operator.ixor, np.bitwise_xor),
}
DTYPES = ["bool", "int8", "uint8", "int64"]


@pytest.mark.parametrize("name", BITS)
@pytest.mark.parametrize("left", DTYPES)
@pytest.mark.parametrize("right", DTYPES)
def test_bits(name, left, right):
    op, _, ufunc = BITS[name]
    x, y = np.array([0, 1, 3, 5]).astype(left), np.array([[1], [6], [0]]).astype(right)
    wanted = ufunc(x, y)
    for found in (
        op(Tensor(x), Tensor(y)), op(Tensor(x), y), op(x, Tensor(y)), getattr(tt, name)(x, y),
        getattr(Tensor(x), name)(y), ufunc(x, Tensor(y)),
    ):  # fmt: skip
        assert type(found) is Tensor
        np.testing.assert_array_equal(found.numpy(), wanted, strict=True)
    np.testing.assert_array_equal(op(True, Tensor(x)).numpy(), op(True, x), strict=True)
    np.testing.assert_array_equal(op(Tensor(x), True).numpy(), op(x, True), strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_not(dtype):
    x = np.array([0, 1, 3]).astype(dtype)
    for found in (~Tensor(x), tt.bitwise_not(x), Tensor(x).bitwise_not(), np.invert(Tensor(x))):
        np.testing.assert_array_equal(found.numpy(), ~x, strict=True)


@pytest.mark.parametrize("name", BITS)
def test_in_place(name):
    _, op, ufunc = BITS[name]
    x = Tensor([True, False, True])
    view, version = x.array[1:], x.version
    wanted = ufunc(x.numpy(), [True, True, False])
    assert op(x, Tensor([True, True, False])) is x
    np.testing.assert_array_equal(x.numpy(), wanted)
    np.testing.assert_array_equal(view, wanted[1:])
    assert x.version == version + 1
    with pytest.raises(ShapeError, match="does not fit"):
        op(x, np.ones((2, 3), bool))
    with pytest.raises(DTypeError, match="lose its kind"):
        op(x, Tensor([1, 2, 3]))
    np.testing.assert_array_equal(x.numpy(), wanted)


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
def test_logic_takes_any_numbers(name):
    x, y = np.array([0.0, -0.0, 2.5, np.nan], np.float32), np.array([[0], [3]])
    wanted = getattr(np, name)(x, y)
    for found in (getattr(tt, name)(x, y), getattr(Tensor(x), name)(y), getattr(np, name)(Tensor(x), y)):
        np.testing.assert_array_equal(found.numpy(), wanted, strict=True)


def test_logical_not():
    x = Tensor([0.0, 2.0, np.nan])
    for found in (tt.logical_not(x), x.logical_not(), np.logical_not(x)):
        assert found.tolist() == [True, False, False]


@pytest.mark.parametrize("name", BITS)
def test_errors(name):
    op = BITS[name][0]
    with pytest.raises(DTypeError, match=r"float32.*not supported|not supported"):
        op(Tensor([1.0]), True)
    with pytest.raises(DTypeError):
        op(Tensor([1]), None)
    with pytest.raises(DTypeError):
        op(Tensor([1]), "a")
    with pytest.raises(DTypeError):
        _ = ~Tensor([1.0])
    with pytest.raises(ShapeError, match=r"\(2,\) bool, \(3,\) bool"):
        op(Tensor([True, False]), np.ones(3, bool))


def test_shifts():
    x = Tensor([1, -8, 5])
    np.testing.assert_array_equal((x << 2).numpy(), x.numpy() << 2, strict=True)
    np.testing.assert_array_equal((x >> Tensor([0, 1, 2])).numpy(), x.numpy() >> [0, 1, 2], strict=True)
    assert (1 << Tensor([0, 3])).tolist() == [1, 8]
    assert (64 >> Tensor([0, 3])).tolist() == [64, 8]
    array, version = x.array, x.version
    x <<= 1
    x >>= 3
    assert x.array is array and x.version == version + 2 and x.tolist() == [0, -2, 1]
    with pytest.raises(DTypeError):
        Tensor([1.0]) << 1
