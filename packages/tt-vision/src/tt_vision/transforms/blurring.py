"""GaussianBlur: every pixel the mean of those around it, the nearer ones counting for more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError
from tt_vision.transforms.arguments import interval_of, per_image, size_of
from tt_vision.transforms.cropping import padded
from tt_vision.transforms.drawing import RandomTransform, checked_generator
from tt_vision.transforms.images import computing_dtype, in_order, opened, stored

__all__ = ["GaussianBlur", "gaussian_blur"]


def gaussian_blur(images: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """y = Σ w(i) w(j) x around each pixel, w(i) ∝ exp(-i² / 2 σ²); mirrored at the edge; uint8 is rounded.

    Args:
        kernel_size: how many pixels are summed, odd; one number, or one for each of height and width.
        sigma: σ in pixels, above 0, or (N,) with one for each image; 0.15 kernel_size + 0.35 by default, for each axis.

    Raises ArgumentError for sizes or a sigma that are none, ShapeError for an image smaller than half of the kernel.
    """
    given = opened(images, "gaussian_blur")
    sizes = _sizes("gaussian_blur", kernel_size)
    count = len(given.pixels)
    sigmas = [
        per_image("gaussian_blur", "sigma", 0.15 * size + 0.35 if sigma is None else sigma, count)
        for size in sizes
    ]
    if any(not (one > 0).all() for one in sigmas):
        raise ArgumentError(f"gaussian_blur: sigma must be above 0, not {sigma!r}")
    return given.close(_blurred("gaussian_blur", given.pixels, sizes, sigmas))


def _sizes(where: str, kernel_size: Any) -> tuple[int, int]:
    sizes = size_of(where, kernel_size)
    if not all(size % 2 for size in sizes):
        raise ArgumentError(f"{where}: kernel_size is odd, so that there is a middle, not {kernel_size!r}")
    return sizes


def _blurred(where: str, pixels: Any, sizes: tuple[int, int], sigmas: Sequence[Any]) -> Any:
    dtype = computing_dtype(pixels, where)
    half = [size // 2 for size in sizes]
    sides = (half[1], half[0], half[1], half[0])
    y = padded(where, pixels, sides, 0, "reflect").astype(dtype)
    for axis, size, sigma in zip((2, 3), sizes, sigmas, strict=True):
        places = np.arange(size) - size // 2
        weights = np.exp(-0.5 * (places / np.asarray(sigma, np.float64).reshape(-1, 1)) ** 2)
        weights = (weights / weights.sum(axis=1, keepdims=True)).astype(dtype)
        length = y.shape[axis] - size + 1
        total = None
        for tap in range(size):
            window = y[:, :, tap : tap + length] if axis == 2 else y[..., tap : tap + length]
            part = window * weights[:, tap][:, None, None, None]
            total = part if total is None else np.add(total, part, total)
        y = total
    if pixels.dtype == np.uint8:
        np.rint(y, y)
    return in_order(y, stored(pixels)[1], pixels.dtype)


class GaussianBlur(RandomTransform):
    """Each image blurred, with a σ of its own, drawn evenly from `sigma`.

    Args:
        kernel_size: how many pixels are summed, odd; one number, or one for each of height and width.
        sigma: (least, most), or one number for all; in pixels, above 0.
        generator: where σ is drawn from; see RandomTransform.

    Raises ArgumentError for other arguments. See `functional.gaussian_blur` for the formula.
    """

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0), *, generator: Any = None) -> None:
        self.kernel_size, self._sizes = kernel_size, _sizes("GaussianBlur", kernel_size)
        both = sigma if isinstance(sigma, tuple | list) else (sigma, sigma)
        self.sigma = interval_of("GaussianBlur", "sigma", both, np.nextafter(0, 1))
        self.generator = checked_generator("GaussianBlur", generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """σ (N,)."""
        low, high = self.sigma
        return (low + (high - low) * rng.random(shape[0]),)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """The blurred images."""
        return _blurred("GaussianBlur", pixels, self._sizes, [draws[0]] * 2)
