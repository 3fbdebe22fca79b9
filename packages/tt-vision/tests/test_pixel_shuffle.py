"""PixelShuffle: each pixel is where the formula says, and back again."""

import numpy as np
import pytest

from tt_nn import shards
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.pixel_shuffle import PixelShuffle, PixelUnshuffle, pixel_shuffle, pixel_unshuffle


@pytest.mark.parametrize("lead", [(), (2,), (2, 0), (2, 3)])
@pytest.mark.parametrize("r", [1, 2, 3])
def test_shuffled_pixels(lead, r):
    x = np.random.default_rng(0).normal(size=(*lead, 2 * r * r, 3, 4))
    y = pixel_shuffle(x, r)
    assert y.shape == (*lead, 2, 3 * r, 4 * r)
    for c, h, w, i, j in np.ndindex(2, 3, 4, r, r):
        np.testing.assert_array_equal(
            y.array[..., c, h * r + i, w * r + j], x[..., c * r * r + i * r + j, h, w]
        )
    np.testing.assert_array_equal(pixel_unshuffle(y, r), x)
    layer = PixelUnshuffle(r)
    np.testing.assert_array_equal(layer(y.array), x)
    np.testing.assert_array_equal(layer.backward(x), y)
    if len(lead) == 1:
        assert y.array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_what_cannot_be_shuffled():
    for factor in (0, -1, 1.0, True, "2"):
        with pytest.raises(ArgumentError, match="whole number"):
            PixelShuffle(factor)
        with pytest.raises(ArgumentError, match="whole number"):
            pixel_unshuffle(np.zeros((1, 1, 4, 4)), factor)
    for layer, shape in (
        (PixelShuffle(2), (1, 5, 2, 2)),
        (PixelShuffle(2), (4, 2)),
        (PixelUnshuffle(2), (1, 1, 3, 4)),
        (PixelUnshuffle(2), (2, 2)),
    ):
        with pytest.raises(ShapeError, match="divisible"):
            layer(np.zeros(shape))


def test_large_ones_on_threads():
    x = np.random.default_rng(0).normal(size=(9, 64, 32, 32)).astype(np.float32)
    with shards.threads(1):
        y = pixel_shuffle(x, 4)
    with shards.threads(3):
        np.testing.assert_array_equal(pixel_shuffle(x, 4), y)
    np.testing.assert_array_equal(pixel_unshuffle(y, 4), x)


def test_repr():
    assert repr(PixelShuffle(2)) == "PixelShuffle(upscale_factor=2)"
    assert repr(PixelUnshuffle(3)) == "PixelUnshuffle(downscale_factor=3)"
