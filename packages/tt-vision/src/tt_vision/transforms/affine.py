"""rotate and affine: every pixel of the new image is looked up at a place of the old one.

A pixel at p, measured from the middle, goes to A (p - c) + c + t; so the new pixel at p comes from
A⁻¹ (p - c - t) + c, which as a rule lies between four old ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError
from tt_vision.transforms.arguments import chosen, fill_of, per_image
from tt_vision.transforms.cropping import padded
from tt_vision.transforms.images import computing_dtype, in_order, opened, stored

__all__ = ["affine", "from_middle", "rotate", "sampled", "way_back"]

MODES = ("nearest", "bilinear")
BLOCK = 1 << 16
"""Pixels that are looked up at a time, so that what is computed on the way stays in the cache."""


def rotate(
    images: Any,
    angle: Any,
    interpolation: str = "nearest",
    expand: bool = False,
    center: Any = None,
    fill: Any = 0,
) -> Any:
    """The images turned by `angle` degrees against the clock; they keep their size, corners are cut off.

    Args:
        angle: a number, or (N,) with one for each image.
        interpolation: "nearest" pixel, or "bilinear" between the four around.
        expand: must be False: the images of a batch have one size.
        center: (x, y) of the pixel that stays, from the upper left corner; by default the middle.
        fill: the value outside, or one for each channel, in the units of the images.

    An edge blends into `fill` as if the image lay on a ground of that colour. uint8 is rounded.

    Raises ArgumentError for other arguments, DTypeError for integers other than uint8 in bilinear.
    """
    if expand:
        raise ArgumentError("rotate: expand=True would give images of different sizes; pad them first")
    given = opened(images, "rotate")
    angles = per_image("rotate", "angle", angle, len(given.pixels))
    back = way_back(-angles, center=from_middle("rotate", center, given.pixels.shape))
    return given.close(sampled("rotate", given.pixels, back, interpolation, fill))


def affine(
    images: Any,
    angle: Any,
    translate: Any,
    scale: Any,
    shear: Any,
    interpolation: str = "nearest",
    fill: Any = 0,
    center: Any = None,
) -> Any:
    """The images sheared, scaled, turned and shifted: p → R(angle) S(scale) Shear(shear) (p - c) + c + translate.

    Args:
        angle: degrees, with the clock (as in torchvision: the other way round than `rotate`).
        translate: (to the right, down) in pixels; scale: above 0; shear: degrees (along x, along y), or along x.
        interpolation, fill, center: as for `rotate`.

    Each number may be an array (N,) with one for each image.

    Raises ArgumentError for other arguments, DTypeError for integers other than uint8 in bilinear.
    """
    given = opened(images, "affine")
    count = len(given.pixels)
    shear = shear if isinstance(shear, list | tuple) else (shear, 0.0)
    if len(shear) != 2 or not isinstance(translate, list | tuple) or len(translate) != 2:
        raise ArgumentError(
            f"affine: translate and shear are pairs (along x, along y), not {translate!r} and {shear!r}"
        )
    factor = per_image("affine", "scale", scale, count)
    if not np.all(factor > 0):
        raise ArgumentError(f"affine: scale is above 0, not {scale!r}")
    back = way_back(
        per_image("affine", "angle", angle, count),
        tuple(per_image("affine", "translate", step, count) for step in translate),
        factor,
        tuple(per_image("affine", "shear", slant, count) for slant in shear),
        from_middle("affine", center, given.pixels.shape),
    )
    return given.close(sampled("affine", given.pixels, back, interpolation, fill))


def way_back(
    angle: Any,
    translate: Any = (0.0, 0.0),
    scale: Any = 1.0,
    shear: Any = (0.0, 0.0),
    center: Any = (0.0, 0.0),
) -> Any:
    """[A⁻¹ | c - A⁻¹ (c + t)], (N, 2, 3), with A = scale · R(angle) · Shear: from the new pixel to the old place.

    R(α) = [cos α, -sin α; sin α, cos α], with the clock since y points down; Shear = [1, 0; -tan sy, 1] [1, -tan sx;
    0, 1], as in torchvision. Angles are in degrees.
    """
    turn, across, down = np.broadcast_arrays(*(np.deg2rad(degrees) for degrees in (angle, *shear)))
    a = np.cos(turn - down) / np.cos(down)
    c = np.sin(turn - down) / np.cos(down)
    b, d = -(a * np.tan(across) + np.sin(turn)), np.cos(turn) - c * np.tan(across)
    # det [a, b; c, d] = 1, so its inverse is [d, -b; -c, a].
    (x, y), (to_x, to_y) = center, translate
    first, second, third, fourth = d / scale, -b / scale, -c / scale, a / scale
    across_x, across_y = x + to_x, y + to_y
    rows = (
        (first, second, x - first * across_x - second * across_y),
        (third, fourth, y - third * across_x - fourth * across_y),
    )
    flat = np.broadcast_arrays(*rows[0], *rows[1])
    return np.stack(flat, axis=-1).reshape(-1, 2, 3)


def sampled(where: str, pixels: Any, back: Any, interpolation: str, fill: Any) -> Any:
    """(N, C, H, W): each new pixel from the place that `back` (N or 1, 2, 3) leads to, outside `fill`.

    The images get one pixel of `fill` around them, and a place is never taken further out than that: so inside and
    outside are the same rule.
    """
    mode = chosen(where, "interpolation", interpolation, MODES)
    n, channels, h, w = pixels.shape
    precise = computing_dtype(pixels, where) if mode == "bilinear" or pixels.dtype.kind == "f" else np.float32
    held = precise if mode == "bilinear" else pixels.dtype
    values = fill_of(where, fill, channels, pixels.dtype)
    out = np.empty((n, channels, h, w), pixels.dtype)
    if not pixels.size:
        return out
    framed = padded(where, pixels, (1, 1, 1, 1), values, "constant")
    back = np.broadcast_to(back, (n, 2, 3)).astype(precise)
    columns, rows = (np.arange(length, dtype=precise) - (length - 1) / 2 for length in (w, h))
    length = max(1, BLOCK // (h * w))
    for start in range(0, n, length):
        some = slice(start, start + length)
        planes = np.ascontiguousarray(framed[some], held).reshape(-1, channels, (h + 2) * (w + 2))
        to = back[some, :, :, None, None]
        x = to[:, 0, 0] * columns + (to[:, 0, 1] * rows[:, None] + (to[:, 0, 2] + (w - 1) / 2))
        y = to[:, 1, 0] * columns + (to[:, 1, 1] * rows[:, None] + (to[:, 1, 2] + (h - 1) / 2))
        np.clip(x, -1, w, out=x)
        np.clip(y, -1, h, out=y)
        # Where (0, 0) of the first channel of each image is.
        first = (np.arange(len(planes)) * planes[0].size + w + 3)[:, None, None]
        if mode == "nearest":
            index = first + (np.rint(y).astype(np.intp) * (w + 2) + np.rint(x).astype(np.intp))
            for channel in range(channels):
                out[some, channel] = planes.reshape(-1)[channel * planes.shape[2] :].take(index)
        else:
            _between(planes, first, x, y, (h, w), out[some])
    return in_order(out, stored(pixels)[1])


def _between(planes: Any, first: Any, x: Any, y: Any, size: tuple[int, int], out: Any) -> None:
    """The mean of the four pixels around (x, y), each with the area of the opposite corner as its weight."""
    h, w = size
    left, above = np.minimum(np.floor(x), w - 1), np.minimum(np.floor(y), h - 1)
    right, below = x - left, y - above
    index = first + (above.astype(np.intp) * (w + 2) + left.astype(np.intp))
    corners = [(0, (1 - right) * (1 - below)), (1, right * (1 - below))]
    corners += [(w + 2, (1 - right) * below), (w + 3, right * below)]
    for channel in range(planes.shape[1]):
        plane = planes.reshape(-1)[channel * planes.shape[2] :]
        total = np.zeros_like(x)
        for step, weight in corners:
            found = plane[step:].take(index)
            found *= weight
            total += found
        out[:, channel] = np.rint(total, out=total) if out.dtype.kind == "u" else total


def from_middle(where: str, center: Any, shape: tuple[int, ...]) -> tuple[float, float]:
    """(x, y) from the upper left corner as steps from the middle."""
    if center is None:
        return 0.0, 0.0
    found = np.asarray(center)
    if found.shape != (2,) or found.dtype.kind not in "iuf" or not np.all(np.isfinite(found)):
        raise ArgumentError(f"{where}: center is (x, y) in pixels, not {center!r}")
    return float(found[0]) - shape[3] / 2, float(found[1]) - shape[2] / 2
