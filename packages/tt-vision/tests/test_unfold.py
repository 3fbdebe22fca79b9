"""Unfold and Fold by loops, as convolution's columns, and what does not fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision import Fold, Unfold
from tt_vision.functional import conv2d, fold, unfold

TWO = st.tuples(st.integers(1, 3), st.integers(1, 3))


def by_loops(x, size, dilation, padding, stride):
    n, channels, *image = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    high, wide = [
        (image[a] + 2 * padding[a] - dilation[a] * (size[a] - 1) - 1) // stride[a] + 1 for a in (0, 1)
    ]
    y = np.zeros((n, channels * size[0] * size[1], high * wide), x.dtype)
    for b, c, i, j, h, w in np.ndindex(n, channels, *size, high, wide):
        row, column = (c * size[0] + i) * size[1] + j, h * wide + w
        y[b, row, column] = padded[b, c, h * stride[0] + i * dilation[0], w * stride[1] + j * dilation[1]]
    return y


@given(TWO, TWO, st.tuples(st.integers(0, 2), st.integers(0, 2)), TWO, st.integers(0, 2), st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_patches_by_loops(size, dilation, padding, stride, n, channels):
    x = np.random.default_rng(0).normal(size=(n, channels, 7, 8)).astype(np.float32)
    layer = Unfold(size, dilation, padding, stride)
    y = layer(x)
    np.testing.assert_array_equal(y.numpy(), by_loops(x, size, dilation, padding, stride), strict=True)
    # Σ y · u = Σ x · fold(u): each is the other's transpose.
    u = np.random.default_rng(1).normal(size=y.shape)
    back = fold(u, (7, 8), size, dilation, padding, stride).numpy()
    assert back.shape == x.shape
    assert (back * x).sum() == pytest.approx((y.numpy() * u).sum(), abs=1e-5)
    np.testing.assert_allclose(layer.backward(u.astype(np.float32)).numpy(), back, 1e-5, 1e-5)


def test_a_convolution_is_a_product_with_the_columns():
    rng = np.random.default_rng(0)
    x, weight = Tensor(rng.normal(size=(2, 3, 6, 5))), Tensor(rng.normal(size=(4, 3, 3, 3)))
    columns = unfold(x, 3, padding=1)
    found = (weight.reshape(4, 27) @ columns).reshape(2, 4, 6, 5)
    np.testing.assert_allclose(found.numpy(), conv2d(x, weight, padding=1).numpy(), 1e-12, 1e-12)


def test_patches_side_by_side_come_back():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 6))
    np.testing.assert_array_equal(Fold((4, 6), 2, stride=2)(unfold(x, 2, stride=2)).numpy(), x)
    np.testing.assert_array_equal(fold(unfold(x[0], 2, stride=2), (4, 6), 2, stride=2).numpy(), x[0])


def test_what_does_not_fit():
    with pytest.raises(ShapeError, match="window spans"):
        unfold(np.zeros((1, 1, 2, 2)), 3)
    with pytest.raises(ShapeError, match=r"9 columns and 4 rows for each channel, not shape \(1, 4, 8\)"):
        fold(np.zeros((1, 4, 8)), 4, 2)
    with pytest.raises(ShapeError, match="4 rows for each channel"):
        fold(np.zeros((1, 5, 9)), 4, 2)
    with pytest.raises(ShapeError, match=r"\(C, H, W\)"):
        unfold(np.zeros((2, 2)), 1)
    with pytest.raises(DTypeError, match="int64"):
        unfold(np.zeros((1, 2, 2), np.int64), 1)
    with pytest.raises(ArgumentError, match="stride"):
        Unfold(2, stride=0)
    assert repr(Fold(4, 2)) == "Fold(output_size=4, kernel_size=2, dilation=1, padding=0, stride=1)"
