"""Colours: factors that change nothing, factors that leave nothing, jitter within its bounds and in every order."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.transforms.hue import hsv_of, rgb_of

DTYPES = [np.uint8, np.float32, np.float64]


def images(n=4, channels=3, dtype=np.uint8):
    x = np.random.default_rng(0).integers(0, 256, (n, channels, 6, 5), dtype=np.uint8)
    return x if dtype == np.uint8 else (x / 255).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_factor_that_changes_nothing(dtype, channels):
    x = images(channels=channels, dtype=dtype)
    for adjust, factor in (
        (F.adjust_brightness, 1),
        (F.adjust_contrast, 1),
        (F.adjust_saturation, 1),
        (F.adjust_hue, 0),
    ):
        got = adjust(x, factor)
        assert got.dtype == dtype and not np.shares_memory(got, x)
        np.testing.assert_allclose(got, x, atol=0 if dtype == np.uint8 else 1e-6)


def test_the_factor_that_leaves_nothing():
    x = images(dtype=np.float64)
    gray = F.rgb_to_grayscale(x)
    np.testing.assert_array_equal(F.adjust_brightness(x, 0), 0)
    np.testing.assert_allclose(F.adjust_saturation(x, 0), gray.repeat(3, 1), atol=1e-12)
    np.testing.assert_allclose(
        F.adjust_contrast(x, 0), np.broadcast_to(gray.mean((1, 2, 3), keepdims=True), x.shape)
    )
    np.testing.assert_array_equal(F.adjust_brightness(images(), 1e6), np.where(images() > 0, 255, 0))


pixels = hnp.arrays(
    np.float64, (1, 3, 1, 4), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1)
)


@settings(max_examples=25)
@given(pixels, st.floats(-0.5, 0.5))
def test_hue_is_a_circle(rgb, turn):
    hue, saturation, value = hsv_of(rgb)
    assert np.all((hue >= 0) & (hue <= 1)) and np.all((saturation >= 0) & (saturation <= 1))
    np.testing.assert_allclose(rgb_of(hue, saturation, value), rgb, atol=1e-9)
    turned = F.adjust_hue(rgb, turn)
    np.testing.assert_allclose(turned.max(axis=1), rgb.max(axis=1), atol=1e-12)
    np.testing.assert_allclose(turned.min(axis=1), rgb.min(axis=1), atol=1e-9)


@settings(max_examples=25)
@given(pixels)
def test_hue_is_that_of_the_standard_library(rgb):
    import colorsys

    found = np.stack(hsv_of(rgb))[:, 0, 0].T
    for (hue, saturation, value), colour in zip(found, rgb[0, :, 0].T, strict=True):
        wanted = colorsys.rgb_to_hsv(*colour)
        assert (saturation, value) == pytest.approx(wanted[1:], abs=1e-9)
        # On the circle 0 is 1; of nearly gray pixels the hue is made of rounding.
        if np.ptp(colour) > 1e-6:
            assert abs((hue - wanted[0] + 0.5) % 1 - 0.5) < 1e-7


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_factor_for_each_image(dtype):
    x, factors = images(dtype=dtype), np.array([0.2, 0.45, 0.0, 0.3])
    for adjust in (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue):
        got = adjust(x, factors)
        for index, factor in enumerate(factors):
            np.testing.assert_array_equal(got[index], adjust(x[index], factor))


def test_jitter_of_one_factor_is_the_function():
    x = images(40)
    for name in ("brightness", "contrast", "saturation", "hue"):
        transform = T.ColorJitter(**{name: (0.3, 0.3)})
        np.testing.assert_array_equal(transform(x), getattr(F, f"adjust_{name}")(x, 0.3))
    np.testing.assert_array_equal(T.ColorJitter()(x), x)
    np.testing.assert_array_equal(T.ColorJitter(0, 0, 0, 0)(x), x)


def test_jitter_applies_in_the_order_that_was_drawn():
    x = images(24, dtype=np.float64)
    transform = T.ColorJitter(0.4, 0.4, 0.4, 0.1)
    factors, order = transform.draw(x.shape, np.random.default_rng(0))
    steps = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
    for image, numbers, turns, found in zip(
        x, factors, order, transform.apply(x, factors, order), strict=True
    ):
        for turn in turns:
            image = steps[turn](image, numbers[turn])
        np.testing.assert_allclose(found, image, atol=1e-12)


def test_jitter_draws_within_bounds_in_every_order():
    n = 24_000
    factors, order = T.ColorJitter(0.4, (0.5, 3), 1.5, 0.1).draw((n, 3, 4, 4), np.random.default_rng(0))
    ends = [(0.6, 1.4), (0.5, 3), (0, 2.5), (-0.1, 0.1)]
    for values, (low, high) in zip(factors.T, ends, strict=True):
        assert low <= values.min() and values.max() <= high
        counts = np.histogram(values, 20, (low, high))[0]
        assert np.sum((counts - n / 20) ** 2) / (n / 20) < 19 + 5 * np.sqrt(38)
    counts = Counter(map(tuple, order.tolist()))
    assert len(counts) == 24
    assert sum((count - 1000) ** 2 for count in counts.values()) / 1000 < 23 + 5 * np.sqrt(46)


def test_grayscale():
    x = images(dtype=np.float64)
    np.testing.assert_allclose(T.Grayscale()(x)[:, 0], np.tensordot([0.2989, 0.587, 0.114], x, (0, 1)))
    assert T.Grayscale(3)(images()).shape == (4, 3, 6, 5)
    one = images(channels=1)
    np.testing.assert_array_equal(T.Grayscale(3)(one), one.repeat(3, 1))
    assert not np.shares_memory(T.Grayscale()(one), one)


def test_images_without_pixels_have_no_mean_to_warn_of():
    for dtype in (np.uint8, np.float16, np.float32):
        assert T.ColorJitter(0.5, 0.5, 0.5, 0.5)(np.zeros((2, 3, 0, 4), dtype)).shape == (2, 3, 0, 4)


WRONG = [
    (lambda: T.ColorJitter(-0.1), ArgumentError, "brightness"),
    (lambda: T.ColorJitter("much"), ArgumentError, "brightness is a number from 0 or a pair .*not 'much'"),
    (lambda: T.ColorJitter(contrast=(2, 1)), ArgumentError, "contrast is .least, most. in this order"),
    (lambda: T.ColorJitter(hue=0.6), ArgumentError, "from -0.5 to 0.5"),
    (lambda: T.ColorJitter(hue=(-0.6, 0)), ArgumentError, "hue"),
    (lambda: T.ColorJitter(0.1)(np.zeros((4, 8, 8), np.uint8)), ShapeError, "not 4"),
    (lambda: T.ColorJitter(0.1)(np.zeros((3, 8, 8), np.int64)), DTypeError, "not int64"),
    (lambda: F.adjust_brightness(images(), -1), ArgumentError, "not negative, not -1"),
    (lambda: F.adjust_hue(images(), 0.7), ArgumentError, "from -0.5 to 0.5, not 0.7"),
    (lambda: F.adjust_contrast(images(), [1, 2]), ArgumentError, "each of 4 images"),
    (lambda: T.Grayscale(2), ArgumentError, "1 or 3, not 2"),
    (lambda: F.rgb_to_grayscale(images(channels=2)), ShapeError, "not 2"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
