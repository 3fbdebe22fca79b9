"""Blocks: however large an array is, each element gets what it would get alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import blocks, shards
from tt_nn.blocks import RUN, in_blocks, kept_where_positive, positive_part
from tt_tensor.errors import DTypeError

STEP = blocks.BLOCK // 4


@pytest.mark.parametrize("size", [0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP, 2 * STEP + 17])
def test_in_blocks(size):
    x = np.arange(size, dtype=np.float32)
    y = x[::-1]
    calls = []

    def body(a, b, total, product, spare):
        calls.append(a.size)
        spare[...] = 1
        np.add(a, b, total)
        np.multiply(a, spare, product)

    total, product = blocks.in_blocks(body, (x, y), 2, 1)
    np.testing.assert_array_equal(total, x + y)
    np.testing.assert_array_equal(product, x)
    assert sum(calls) == size and max(calls) <= STEP


@pytest.mark.parametrize("shape", [(), (3, 4), (300, 500)])
def test_in_blocks_keeps_the_shape_whatever_the_layout(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    (y,) = blocks.in_blocks(lambda a, out: np.multiply(a, 2, out), (x.T,), 1)
    np.testing.assert_array_equal(y, 2 * x.T)


@given(st.integers(0, 5000), st.integers(0, 20), st.booleans())
@settings(max_examples=60)
def test_across(rows, n, contiguous):
    x = np.arange(rows * n, dtype=np.float64).reshape(rows, n)
    x = x if contiguous else np.asfortranarray(x)
    row = np.arange(n) + 0.5
    found = blocks.across(np.subtract, x, row, np.empty(x.shape))
    np.testing.assert_array_equal(found, x - row)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("size", [0, 5, 2 * blocks.RUN - 1, 2 * blocks.RUN, 5 * blocks.RUN + 3])
def test_positive_part(dtype, size):
    x = np.random.default_rng(0).integers(-5, 5, size).astype(dtype)
    if np.dtype(dtype).kind == "f" and size:
        x[size // 2] = math.nan
        x[-1] = math.inf
    found = blocks.positive_part(x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.maximum(x, dtype(0)))
    np.testing.assert_array_equal(blocks.positive_part(x[::-2]), np.maximum(x[::-2], dtype(0)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 7, 5000])
def test_kept_is_zero_wherever_the_mask_is_not(dtype, size):
    x = np.random.default_rng(0).normal(size=(size, 2)).astype(dtype)
    x[1::5] = math.inf
    x[2::5] = math.nan
    mask = np.random.default_rng(1).integers(0, 2, x.shape).astype(bool)
    found = blocks.kept(mask, x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[mask], x[mask])
    assert not found[~mask].any() and not np.signbit(found[~mask]).any()
    np.testing.assert_array_equal(blocks.kept(mask.T, x.T), found.T)


def test_working_dtype():
    for dtype in (np.float32, np.float64):
        x = np.ones(2, dtype)
        assert blocks.working(x, "f") is x
    assert blocks.working(np.ones(2, np.float16), "f").dtype == np.float32
    for dtype in (np.int64, np.bool_, np.uint8):
        with pytest.raises(
            DTypeError, match=rf"f: the input is {np.dtype(dtype).name}; use x.astype\('float32'\)"
        ):
            blocks.working(np.ones(2, dtype), "f")


def channels_last(shape, seed=0):
    n, c, h, w = shape
    return np.random.default_rng(seed).normal(size=(n, h, w, c)).astype(np.float32).transpose(0, 3, 1, 2)


LARGE = (5, 32, 41, 43)


@pytest.mark.parametrize("threads", [1, 2])
def test_images_with_their_channels_last_stay_so(threads):
    x, grad = channels_last(LARGE), channels_last(LARGE, 1)
    with shards.threads(threads):
        y = positive_part(x)
        np.testing.assert_array_equal(y, np.maximum(x, 0))
        back = kept_where_positive(y, grad)
        np.testing.assert_array_equal(back, np.where(x > 0, grad, 0))
        (doubled,) = in_blocks(lambda a, out: np.add(a, a, out), (x,), 1)
        np.testing.assert_array_equal(doubled, x + x)
    assert y.strides == back.strides == doubled.strides == x.strides


@pytest.mark.parametrize("threads", [1, 2])
def test_arrays_that_lie_otherwise_are_matched_by_place(threads):
    x, grad = channels_last(LARGE), np.ascontiguousarray(channels_last(LARGE, 1))
    with shards.threads(threads):
        np.testing.assert_array_equal(kept_where_positive(positive_part(x), grad), np.where(x > 0, grad, 0))
        (product,) = in_blocks(lambda a, b, out: np.multiply(a, b, out), (x, grad), 1)
        np.testing.assert_array_equal(product, x * grad)
        strided = np.random.default_rng(2).normal(size=(200, 300)).astype(np.float32)[::2, ::-1]
        np.testing.assert_array_equal(positive_part(strided), np.maximum(strided, 0))


def test_the_gradient_of_nan_is_not_healthy_and_that_of_zero_is_none():
    y = np.zeros(RUN, np.float32)
    y[::3], y[1::3] = np.nan, -0.0
    y[2::6] = 2.0
    grad = np.full(RUN, np.inf, np.float32)
    found = kept_where_positive(y, grad)
    np.testing.assert_array_equal(found, np.where(~(y <= 0), grad, 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shape", [(0, 3), (), (5,), (blocks.RUN,), (blocks.RUN + 1,), (3, 5, 1000)])
def test_room_is_memory_that_starts_with_a_line_where_it_is_large(shape, dtype):
    kept = [blocks.room(shape, dtype) for _ in range(3)]
    for k, array in enumerate(kept):
        assert array.shape == shape and array.dtype == dtype
        assert array.flags.c_contiguous and array.flags.writeable
        assert array.size <= blocks.RUN or array.ctypes.data % blocks.LINE == 0
        array[...] = k
    for k, array in enumerate(kept):
        assert (array == k).all()
