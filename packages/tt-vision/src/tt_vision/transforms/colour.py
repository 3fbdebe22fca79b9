"""Grayscale and the adjustments of colour; ColorJitter: the same scene in another light."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.transforms.arguments import interval_of, per_image, share_of, spread_of
from tt_vision.transforms.drawing import ImageTransform, RandomTransform, checked_generator
from tt_vision.transforms.hue import hsv_of, rgb_of
from tt_vision.transforms.images import computing_dtype, opened, seen, stored

__all__ = [
    "ColorJitter",
    "Grayscale",
    "RandomGrayscale",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "rgb_to_grayscale",
]

BLOCK = 1 << 17
"""Elements that go through all adjustments before the next ones, so that they stay in the cache."""
LUMA = (0.2989, 0.587, 0.114)
"""How bright red, green and blue look: ITU-R BT.601, with torchvision's digits."""


def rgb_to_grayscale(images: Any, num_output_channels: int = 1) -> Any:
    """0.2989 R + 0.587 G + 0.114 B, in one channel or the same in three; uint8 is cut off, not rounded.

    Images of one channel are gray already. Raises ShapeError for other than 1 or 3 channels, ArgumentError for
    another `num_output_channels`.
    """
    if num_output_channels not in (1, 3):
        raise ArgumentError(f"rgb_to_grayscale: num_output_channels is 1 or 3, not {num_output_channels!r}")
    given, pixels = _coloured(images, "rgb_to_grayscale")
    gray = pixels if pixels.shape[1] == 1 else _luma(pixels).astype(pixels.dtype)
    return given.close(gray.repeat(num_output_channels, axis=1))


def adjust_brightness(images: Any, brightness_factor: Any) -> Any:
    """f x, kept within 0 and white (255, or 1 for floats). `f` is a number, or (N,) with one for each image.

    Raises ArgumentError for a negative factor, ShapeError for other than 1 or 3 channels.
    """
    return _adjusted(images, "adjust_brightness", _brightness, brightness_factor)


def adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    """f x + (1 - f) m, with m the mean of the image in gray. Else as `adjust_brightness`."""
    return _adjusted(images, "adjust_contrast", _contrast, contrast_factor)


def adjust_saturation(images: Any, saturation_factor: Any) -> Any:
    """f x + (1 - f) g, with g the image in gray. Else as `adjust_brightness`."""
    return _adjusted(images, "adjust_saturation", _saturation, saturation_factor)


def adjust_hue(images: Any, hue_factor: Any) -> Any:
    """Every colour turned by `hue_factor` of the colour circle, from -0.5 to 0.5; saturation and value stay.

    A number, or (N,) with one for each image. Gray images stay as they are.

    Raises ArgumentError for a factor out of range, ShapeError for other than 1 or 3 channels.
    """
    return _adjusted(images, "adjust_hue", _hue, hue_factor, -0.5, 0.5)


def _adjusted(
    images: Any,
    where: str,
    adjust: Callable[[Any, Any], Any],
    factor: Any,
    low: float = 0.0,
    high: float = math.inf,
) -> Any:
    given, pixels = _coloured(images, where)
    factors = per_image(where, "the factor", factor, len(pixels))
    if not np.all((factors >= low) & (factors <= high)):
        bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else "not negative"
        raise ArgumentError(f"{where}: the factor is {bounds}, not {factor!r}")
    return given.close(adjust(pixels, factors))


def _coloured(images: Any, where: str) -> tuple[Any, Any]:
    given = opened(images, where)
    _check_colours(given.pixels, where)
    return given, given.pixels


def _check_colours(pixels: Any, where: str) -> None:
    computing_dtype(pixels, where)
    if pixels.shape[1] not in (1, 3):
        raise ShapeError(
            f"{where}: images have 1 channel (gray) or 3 (red, green, blue), not {pixels.shape[1]}"
        )


def _luma(pixels: Any) -> Any:
    """(N, 1, H, W) of (N, 3, H, W), in the dtype that computes; of bytes without what is behind the point."""
    dtype = computing_dtype(pixels, "rgb_to_grayscale")
    gray = np.multiply(pixels[:, :1], dtype.type(LUMA[0]), dtype=dtype)
    for channel in (1, 2):
        gray += np.multiply(pixels[:, channel : channel + 1], dtype.type(LUMA[channel]), dtype=dtype)
    return np.floor(gray, out=gray) if pixels.dtype == np.uint8 else gray


def _blend(pixels: Any, other: Any, factors: Any) -> Any:
    """f x + (1 - f) other, within 0 and white, in the dtype of x. `other` is None for 0."""
    dtype = computing_dtype(pixels, "blend")
    f = factors[:, None, None, None]
    y = np.multiply(pixels, f.astype(dtype), dtype=dtype)
    if other is not None:
        y += other * (1 - f).astype(dtype)
    np.clip(y, 0, 255 if pixels.dtype == np.uint8 else 1, out=y)
    return y.astype(pixels.dtype, copy=False)


def _brightness(pixels: Any, factors: Any) -> Any:
    return _blend(pixels, None, factors)


def _contrast(pixels: Any, factors: Any) -> Any:
    if not pixels.size:
        return pixels.copy()
    dtype = computing_dtype(pixels, "adjust_contrast")
    gray = _luma(pixels) if pixels.shape[1] == 3 else pixels
    return _blend(pixels, gray.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64).astype(dtype), factors)


def _saturation(pixels: Any, factors: Any) -> Any:
    return pixels.copy() if pixels.shape[1] == 1 else _blend(pixels, _luma(pixels), factors)


def _hue(pixels: Any, factors: Any) -> Any:
    if pixels.shape[1] == 1 or not pixels.size:
        return pixels.copy()
    dtype = computing_dtype(pixels, "adjust_hue")
    byte = pixels.dtype == np.uint8
    rgb = np.multiply(pixels, dtype.type(1 / 255 if byte else 1), dtype=dtype)
    hue, saturation, value = hsv_of(rgb)
    turned = rgb_of(hue + factors[:, None, None].astype(dtype), saturation, value)
    if byte:
        turned *= dtype.type(256 - 1e-3)  # the inverse of / 255 once the rest is cut off
    return turned.astype(pixels.dtype, copy=False)


class Grayscale(ImageTransform):
    """0.2989 R + 0.587 G + 0.114 B, in one channel or the same in three. Errors as for `rgb_to_grayscale`."""

    def __init__(self, num_output_channels: int = 1) -> None:
        if num_output_channels not in (1, 3):
            raise ArgumentError(f"Grayscale: num_output_channels is 1 or 3, not {num_output_channels!r}")
        self.num_output_channels = num_output_channels

    def __call__(self, images: Any) -> Any:
        return rgb_to_grayscale(images, self.num_output_channels)


class RandomGrayscale(RandomTransform):
    """Each image, with probability `p`, in gray; it keeps its channels. Errors as for `rgb_to_grayscale`."""

    def __init__(self, p: float = 0.1, *, generator: Any = None) -> None:
        self.p = share_of("RandomGrayscale", "p", p)
        self.generator = checked_generator("RandomGrayscale", generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """Whether it becomes gray: bools (N,)."""
        return (rng.random(shape[0]) < self.p,)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """The gray ones gray, in a copy."""
        _check_colours(pixels, "RandomGrayscale")
        memory, last = stored(pixels)
        out, (which,) = seen(memory.copy(), last), draws
        out[which] = rgb_to_grayscale(pixels[which], pixels.shape[1])
        return out


class ColorJitter(RandomTransform):
    """Brightness, contrast, saturation and hue changed by factors of each image's own, in an order of its own.

    Args:
        brightness, contrast, saturation: a number b for factors from max(0, 1 - b) to 1 + b, or (least, most).
        hue: a number h, at most 0.5, for turns from -h to h, or (least, most) within -0.5 and 0.5.
        generator: where they are drawn from; see RandomTransform.

    What is None is not drawn. Raises ArgumentError for other values; when called, ShapeError for other than 1 or 3
    channels, DTypeError for integers other than uint8.
    """

    def __init__(
        self,
        brightness: float | Sequence[float] | None = None,
        contrast: float | Sequence[float] | None = None,
        saturation: float | Sequence[float] | None = None,
        hue: float | Sequence[float] | None = None,
        *,
        generator: Any = None,
    ) -> None:
        self.brightness = _factors("brightness", brightness)
        self.contrast = _factors("contrast", contrast)
        self.saturation = _factors("saturation", saturation)
        self.hue = _factors("hue", hue, 0.0, -0.5, 0.5)
        self.generator = checked_generator("ColorJitter", generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """The factors (N, k) of the k adjustments that are on, and for each image their order (N, k)."""
        ends = np.array([interval for interval, _ in self._adjustments()]).reshape(-1, 2)
        drawn = rng.random((shape[0], 2, len(ends)))
        factors = ends[:, 0] + drawn[:, 0] * (ends[:, 1] - ends[:, 0])
        return factors, drawn[:, 1].argsort(axis=1)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """One adjustment after the other, for all images of a block at once that have the same one next."""
        _check_colours(pixels, "ColorJitter")
        memory, last = stored(pixels)
        out = seen(np.empty_like(memory), last)
        length = max(1, BLOCK // max(1, pixels[:1].size))
        for start in range(0, len(pixels), length):
            block = slice(start, start + length)
            # A copy with each channel by itself: the loops over pixels are long ones.
            part = np.array(pixels[block], order="C")
            factors, order = (drawn[block] for drawn in draws)
            for step in range(order.shape[1]):
                for which, (_, adjust) in enumerate(self._adjustments()):
                    now = np.flatnonzero(order[:, step] == which)
                    if len(now):
                        part[now] = adjust(part[now], factors[now, which])
            out[block] = part
        return out

    def _adjustments(self) -> list[tuple[tuple[float, float], Callable[[Any, Any], Any]]]:
        every = (
            (self.brightness, _brightness),
            (self.contrast, _contrast),
            (self.saturation, _saturation),
            (self.hue, _hue),
        )
        return [(interval, adjust) for interval, adjust in every if interval is not None]


def _factors(
    name: str, value: Any, centre: float = 1.0, low: float = 0.0, high: float = math.inf
) -> tuple[float, float] | None:
    """The interval of a factor; None where it could only be the one that changes nothing."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence):
        spread = spread_of("ColorJitter", name, value)
        # Below 0 a factor is cut off; a hue beyond its half circle is an error.
        value = (max(centre - spread, 0.0) if centre else 0 - spread, centre + spread)
    found = interval_of("ColorJitter", name, value, low, high)
    return None if found == (centre, centre) else found
