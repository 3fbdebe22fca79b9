"""The dtypes of a Tensor, and promotion: float32 stays float32."""

import itertools

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor import dtypes
from tt_tensor.errors import DTypeError

DTYPES = [
    name for name in dtypes.__all__ if isinstance(getattr(dtypes, name), np.dtype) and name != "default_dtype"
]


@pytest.mark.parametrize("name", DTYPES)
def test_each_dtype_is_numpys_and_holds(name):
    dtype = getattr(tt, name)
    assert dtype == np.dtype(name.rstrip("_"))
    assert tt.zeros(2, dtype=dtype).dtype == dtype
    assert dtypes.check_dtype(dtype.name) == dtype
    assert dtypes.is_supported(dtype)


def test_default_is_float32():
    assert dtypes.default_dtype == np.float32
    assert tt.tensor([1.5]).dtype == np.float32


@pytest.mark.parametrize(
    "dtype", ["float32", np.float32, np.dtype("f4"), "<f4", ">f4", np.dtype(">f4"), tt.float32]
)
def test_every_spelling_of_a_dtype(dtype):
    assert dtypes.check_dtype(dtype) == np.float32
    assert dtypes.check_dtype(dtype) is tt.float32


@pytest.mark.parametrize("python", [(bool, "bool"), (int, "int64"), (float, "float64")])
def test_python_types_are_numpys(python):
    assert dtypes.check_dtype(python[0]) == np.dtype(python[1])


@pytest.mark.parametrize("dtype", ["complex128", "O", "S3", "M8[ns]", "m8[s]", [("a", "f4")]])
def test_unsupported(dtype):
    with pytest.raises(DTypeError, match=r"zeros: dtype .* is not supported"):
        dtypes.check_dtype(dtype, "zeros")
    assert not dtypes.is_supported(np.dtype(dtype))


@pytest.mark.parametrize("dtype", ["float33", 7, object(), "cuda"])
def test_no_dtype_at_all(dtype):
    with pytest.raises(DTypeError, match="is not a dtype"):
        dtypes.check_dtype(dtype)


FLOATS = ["float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("scalar", [2, 2.5, True])
def test_python_scalars_are_weak(dtype, scalar):
    t = tt.ones(3, dtype=dtype)
    for out in (
        t + scalar,
        scalar - t,
        t * scalar,
        scalar / t,
        t**scalar,
        tt.maximum(t, scalar),
        tt.where(t > 0, t, scalar),
    ):
        assert out.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("one", "two"), [*itertools.product([*FLOATS, "int8", "uint8", "int64", "bool"], repeat=2)]
)
def test_promotion_is_numpys(one, two):
    a, b = tt.ones(2, dtype=one), tt.ones(2, dtype=two)
    assert (a + b).dtype == (a.numpy() + b.numpy()).dtype
    assert (a * b).dtype == (a.numpy() * b.numpy()).dtype
    assert (a / b).dtype == (a.numpy() / b.numpy()).dtype


def test_integers_wrap_as_numpys():
    assert (tt.full((1,), 250, dtype="uint8") + 10).tolist() == [4]
