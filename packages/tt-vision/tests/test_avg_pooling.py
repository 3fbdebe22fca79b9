"""Average pooling: plain means of plain slices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_tensor import kernels
from tt_vision.adaptive_pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
)
from tt_vision.avg_pooling import (
    AvgPool1d,
    AvgPool2d,
    GlobalAvgPool2d,
    avg_pool1d,
    avg_pool2d,
    global_avg_pool2d,
)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 11), st.integers(1, 11))
@settings(max_examples=40, deadline=None)
def test_adaptive_is_the_mean_of_each_bin(height, width, down, across):
    x = np.random.default_rng(0).normal(size=(2, 3, height, width))
    y = adaptive_avg_pool2d(x, (down, across))
    for h in range(down):
        for w in range(across):
            rows = slice(h * height // down, -(-(h + 1) * height // down))
            columns = slice(w * width // across, -(-(w + 1) * width // across))
            np.testing.assert_allclose(y[:, :, h, w], x[:, :, rows, columns].mean(axis=(2, 3)), atol=1e-14)


def test_global():
    x = np.random.default_rng(0).normal(size=(5, 3, 4, 6)).astype(np.float32)
    layer = GlobalAvgPool2d()
    y = layer(x)
    assert y.shape == (5, 3) and y.dtype == np.float32
    np.testing.assert_allclose(y, x.mean(axis=(2, 3)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(AdaptiveAvgPool2d(1)(x)[:, :, 0, 0], y, rtol=1e-6)
    grad = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    dx = layer.backward(grad)
    np.testing.assert_allclose(dx, np.broadcast_to(grad[:, :, None, None] / 24, x.shape), rtol=1e-6)
    assert global_avg_pool2d(x[0]).shape == (3,)


def test_a_mean_of_many_keeps_its_digits():
    x = np.full((1, 2, 224, 224), 1.1, np.float32)
    np.testing.assert_allclose(global_avg_pool2d(x), 1.1, rtol=1e-6)
    np.testing.assert_allclose(adaptive_avg_pool2d(x, 7), 1.1, rtol=1e-6)


def test_half_precision_is_summed_in_float32():
    x = np.full((1, 1, 128, 128), 8.0, np.float16)
    for y in (global_avg_pool2d(x), avg_pool2d(x, 128)):
        assert y.dtype == np.float16 and (y.array == 8).all()


@pytest.mark.parametrize(
    "make", [lambda: AvgPool2d(3, 2, 1), lambda: AdaptiveAvgPool2d((2, 3)), GlobalAvgPool2d]
)
@pytest.mark.parametrize("batch", [0, 1, 127])
def test_batches_and_images_without_one(make, batch):
    x = np.random.default_rng(0).normal(size=(batch, 3, 6, 5)).astype(np.float32)
    layer = make()
    y = layer(x)
    assert len(y) == batch
    dx = layer.backward(np.ones(y.shape, np.float32))
    assert dx.shape == x.shape and dx.dtype == np.float32
    if batch:
        one = layer(x[0])
        np.testing.assert_allclose(one, y[0], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(layer.backward(np.ones(one.shape, np.float32)), dx[0], rtol=1e-6)


def test_what_comes_out_has_its_channels_side_by_side():
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6))
    for y in (avg_pool2d(x, 2), adaptive_avg_pool2d(x, 4), adaptive_avg_pool2d(x, 1)):
        assert y.array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_rows_of_samples_are_images_of_height_one():
    x = np.random.default_rng(0).normal(size=(2, 3, 11))
    image = x[:, :, None]
    np.testing.assert_array_equal(
        avg_pool1d(x, 3, 2, 1, ceil_mode=True),
        avg_pool2d(image, (1, 3), (1, 2), (0, 1), ceil_mode=True)[:, :, 0],
    )
    np.testing.assert_array_equal(adaptive_avg_pool1d(x, 4), adaptive_avg_pool2d(image, (1, 4))[:, :, 0])
    np.testing.assert_array_equal(AvgPool1d(2)(x), avg_pool1d(x, 2))
    np.testing.assert_array_equal(AdaptiveAvgPool1d(5)(x), adaptive_avg_pool1d(x, 5))


def test_the_same_layer_on_the_loops():
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 6))
    for layer in (AvgPool2d(3, 2, 1, ceil_mode=True), AdaptiveAvgPool2d((3, 4)), GlobalAvgPool2d()):
        y = layer(x)
        grad = np.random.default_rng(1).normal(size=y.shape)
        dx = layer.backward(grad)
        with kernels.use("loops"):
            np.testing.assert_allclose(layer(x), y, atol=1e-14)
            np.testing.assert_allclose(layer.backward(grad), dx, atol=1e-14)


def test_repr():
    assert repr(AvgPool2d(3, 2)) == "AvgPool2d(kernel_size=3, stride=2, padding=0)"
    assert repr(AdaptiveAvgPool2d(1)) == "AdaptiveAvgPool2d(output_size=1)"
    assert repr(GlobalAvgPool2d()) == "GlobalAvgPool2d()"
