"""Upsample: what its formulas say, and what is refused."""

import numpy as np
import pytest

from tt_tensor import kernels
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.upsample import Upsample, interpolate

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5))


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_nearest_repeats(factor):
    y = interpolate(X, scale_factor=factor)
    np.testing.assert_array_equal(y, X.repeat(factor, 2).repeat(factor, 3))
    rows = interpolate(X[0], scale_factor=factor)
    np.testing.assert_array_equal(rows, X[0].repeat(factor, 2))


def lines(pixels, places, corners):
    """The matrix (places, pixels) of the formula."""
    at = np.arange(places)
    at = at * (pixels - 1) / (places - 1) if corners else (at + 0.5) * pixels / places - 0.5
    positions = np.clip(at, 0, pixels - 1)
    low = np.floor(positions).astype(int)
    high, share = np.minimum(low + 1, pixels - 1), (positions - low)[:, None]
    return (1 - share) * np.eye(pixels)[low] + share * np.eye(pixels)[high]


@pytest.mark.parametrize("corners", [False, True])
def test_lines_between_pixels(corners):
    y = interpolate(X, (7, 11), mode="bilinear", align_corners=corners)
    down, across = lines(4, 7, corners), lines(5, 11, corners)
    np.testing.assert_allclose(y, np.einsum("hi,wj,ncij->nchw", down, across, X), atol=1e-14)
    if corners:
        np.testing.assert_allclose(y[:, :, ::6, ::10], X[:, :, ::3, ::4])


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear"])
@pytest.mark.parametrize("size", [1, (3, 3), (9, 2)])
def test_what_is_constant_stays_so(mode, size):
    x = np.full((1, 2, 4, 5), 0.7, np.float32)
    y = interpolate(x, size, mode=mode)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, 0.7, rtol=1e-6)


def test_a_neighbour_without_a_share_does_not_count():
    x = np.array([[[[1.0, np.inf, 3.0]]]])
    y = interpolate(x, (1, 5), mode="bilinear", align_corners=True)
    np.testing.assert_array_equal(y[0, 0, 0], [1, np.inf, np.inf, np.inf, 3])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16])
def test_other_dtypes(dtype):
    x = np.arange(24).reshape(1, 2, 3, 4).astype(dtype)
    y = interpolate(x, scale_factor=2)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, x.repeat(2, 2).repeat(2, 3))
    if np.dtype(dtype).kind != "f":
        with pytest.raises(DTypeError, match="astype"):
            interpolate(x, scale_factor=2, mode="bilinear")


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("batch", [0, 1, 127])
def test_batches(mode, batch):
    x = np.random.default_rng(0).normal(size=(batch, 2, 3, 4)).astype(np.float32)
    layer = Upsample(scale_factor=(2, 1.5), mode=mode)
    y = layer(x)
    assert y.shape == (batch, 2, 6, 6)
    dx = layer.backward(np.ones(y.shape, np.float32))
    np.testing.assert_allclose(dx.array.sum(axis=(1, 2, 3)), 72, rtol=1e-5)
    if batch:
        with kernels.use("loops"):
            np.testing.assert_allclose(layer(x[:2]), y[:2], rtol=1e-5, atol=1e-6)


ARGUMENTS = [
    ({}, "size or scale_factor"),
    ({"size": 3, "scale_factor": 2}, "size or scale_factor"),
    ({"size": 3, "mode": "cubic"}, "nearest, nearest-exact, linear, bilinear"),
    ({"size": 3, "mode": ["bilinear"]}, "nearest, nearest-exact, linear, bilinear"),
    ({"scale_factor": 0}, "positive"),
    ({"scale_factor": -1.0}, "positive"),
    ({"scale_factor": (2, np.inf)}, "positive"),
    ({"scale_factor": "2"}, "positive"),
    ({"scale_factor": True}, "positive"),
    ({"scale_factor": 2, "align_corners": False}, "leave it out"),
    ({"scale_factor": 2, "mode": "bilinear", "align_corners": 1}, "align_corners is"),
    ({"size": 3, "recompute_scale_factor": True}, "recompute_scale_factor"),
]


@pytest.mark.parametrize(("kwargs", "message"), ARGUMENTS)
def test_arguments(kwargs, message):
    with pytest.raises(ArgumentError, match=message):
        Upsample(**kwargs)


def test_arguments_that_do_not_fit_the_input():
    for kwargs in ({"size": 0}, {"size": (1, 2, 3)}, {"size": 1.5}, {"scale_factor": (1, 2, 3)}):
        with pytest.raises(ArgumentError):
            interpolate(X, **kwargs)
    for x, kwargs in (
        (X, {"scale_factor": 0.1}),
        (X[:, :, :0], {"size": 3}),
        (X[0], {"size": 3, "mode": "bilinear"}),
        (X, {"size": 3, "mode": "linear"}),
        (X[0, 0], {"size": 3}),
    ):
        with pytest.raises(ShapeError):
            interpolate(x, **kwargs)


def test_repr():
    assert repr(Upsample(scale_factor=2)) == "Upsample(scale_factor=2, mode='nearest')"
    assert repr(Upsample(3, mode="bilinear")) == "Upsample(size=3, mode='bilinear')"
