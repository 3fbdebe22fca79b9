"""ToTensor, ToDtype, Normalize: the formulas, one pass as good as many, whatever the memory order and the size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


def drawn(shape, last=False):
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if last else x


def formula(x, mean, std):
    column = (1, -1, 1, 1)
    return (x / 255 - np.reshape(mean, column)) / np.reshape(std, column)


# The last two are beyond the tables of constants and the blocks.
@pytest.mark.parametrize(
    "shape", [(0, 3, 4, 4), (1, 3, 1, 1), (127, 3, 9, 7), (3, 3, 120, 90), (300, 3, 32, 32)]
)
@pytest.mark.parametrize("last", [False, True])
def test_bytes_are_normalised_in_one_pass(shape, last):
    x = drawn(shape, last)
    got = T.Normalize(MEAN, STD)(x)
    assert got.dtype == np.float32 and (got.strides == F.to_dtype(x, np.float32, True).strides)
    np.testing.assert_allclose(got, formula(x, MEAN, STD), rtol=1e-5, atol=1e-6)
    in_two = T.Normalize(MEAN, STD)(T.ToTensor()(x)).numpy()
    np.testing.assert_allclose(got, in_two, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_dtype(dtype):
    x = np.random.default_rng(1).random((4, 3, 6, 5)).astype(dtype)
    got = F.normalize(x, MEAN, STD)
    assert got.dtype == dtype
    mean, std = (np.array(v, dtype).reshape(3, 1, 1) for v in (MEAN, STD))
    np.testing.assert_array_equal(got, (x - mean) / std)


@settings(max_examples=20)
@given(st.integers(0, 5), st.integers(1, 4), st.integers(0, 5), st.integers(0, 5), st.booleans())
def test_one_value_for_all_channels(n, channels, h, w, last):
    x = drawn((n, channels, h, w), last)
    every = F.normalize(x, [0.3] * channels, [0.2] * channels)
    np.testing.assert_array_equal(F.normalize(x, 0.3, 0.2), every)
    np.testing.assert_array_equal(F.normalize(x, np.float64(0.3), Tensor([0.2], np.float64)), every)


def test_to_tensor_takes_files_as_they_are():
    file = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    got = T.ToTensor()(file)
    assert type(got) is Tensor and got.shape == (3, 4, 5) and got.dtype == np.float32
    np.testing.assert_allclose(got.numpy(), file.transpose(2, 0, 1) / 255, rtol=1e-6)
    assert T.ToTensor()(file[..., 0]).shape == (1, 4, 5)
    # Floats are not scaled, and a Tensor has its axes in order.
    floats = np.random.default_rng(0).random((4, 5, 3))
    np.testing.assert_array_equal(T.ToTensor()(floats).numpy(), floats.transpose(2, 0, 1))
    assert T.ToTensor()(Tensor(np.zeros((3, 4, 4), np.uint8))).shape == (3, 4, 4)
    assert T.ToTensor()(np.zeros((2, 3, 4, 4), np.uint8)).shape == (2, 3, 4, 4)


class Picture:
    """Like a PIL image: no array, but knows one."""

    def __init__(self, array):
        self.__array_interface__ = array.__array_interface__
        self.array = array


def test_to_tensor_takes_pictures():
    file = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(T.ToTensor()(Picture(file)).numpy(), T.ToTensor()(file).numpy())


def test_to_dtype_goes_there_and_back():
    every = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    for dtype in (np.float32, np.float64):
        there = F.to_dtype(every, dtype, scale=True)
        assert there.dtype == dtype and there.min() == 0 and there.max() == 1
        np.testing.assert_array_equal(F.to_dtype(there, np.uint8, scale=True), every)
    assert F.to_dtype(every, np.uint8) is every
    np.testing.assert_array_equal(T.ToDtype("float32")(every), every.astype(np.float32))
    np.testing.assert_array_equal(F.to_dtype(np.full((1, 2, 2), 3.0), np.uint8, scale=True), 255)


WRONG = [
    (
        lambda: T.ToTensor()(np.zeros((3, 32, 32), np.uint8)),
        ShapeError,
        r"\(3, 32, 32\); for \(C, H, W\) use ToDtype",
    ),
    (lambda: T.ToTensor()(np.zeros(3, np.uint8)), ShapeError, r"not \(3,\)"),
    (lambda: T.ToTensor()(["a"]), DTypeError, "ToTensor"),
    (
        lambda: F.to_dtype(np.zeros((1, 2, 2), np.int64), np.float32, True),
        DTypeError,
        "from int64 to float32",
    ),
    (lambda: F.to_dtype(np.zeros((1, 2, 2)), "complex64"), DTypeError, "complex64"),
    (lambda: T.Normalize(MEAN, 0), ArgumentError, "other than 0"),
    (lambda: T.Normalize(MEAN, (1, 0, 1)), ArgumentError, "other than 0"),
    (lambda: T.Normalize(float("nan"), 1), ArgumentError, "mean has a finite number"),
    (lambda: T.Normalize((), 1), ArgumentError, "mean"),
    (
        lambda: T.Normalize(MEAN, STD)(np.zeros((1, 4, 4), np.uint8)),
        ShapeError,
        "3 values, the images 1 channels",
    ),
    (lambda: T.Normalize(0.5, 0.5)(np.zeros((1, 4, 4), np.int64)), DTypeError, "not int64"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
