"""What all pools share: their arguments, and how many places a window has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.window import Pair, Window, pair

__all__ = ["check_flags", "fitted", "make_window", "output_sizes"]


def make_window(
    what: str, dims: int, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1
) -> Window:
    """The geometry of a pool from its arguments; the stride is the kernel size where none is given.

    Raises ArgumentError for numbers out of range, and for a padding of more than half of what the window spans:
    then a window might lie in the padding alone.
    """
    size = pair(kernel_size, f"{what}: kernel_size", 1, dims)
    steps = size if stride is None else pair(stride, f"{what}: stride", 1, dims)
    around = pair(padding, f"{what}: padding", 0, dims)
    window = Window(
        size,
        steps,
        ((around[0], around[0]), (around[1], around[1])),
        pair(dilation, f"{what}: dilation", 1, dims),
        dims=dims,
    )
    if any(2 * pixels > reach for pixels, reach in zip(around, window.reach, strict=True)):
        raise ArgumentError(
            f"{what}: the padding {padding!r} is more than half of what the window spans, {window.reach} pixels; use "
            "less padding or a larger kernel_size"
        )
    return window


def check_flags(what: str, **flags: Any) -> None:
    """Raise ArgumentError unless each is True or False: most likely, an argument stands in another's place."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise ArgumentError(f"{what}: {name} is True or False, not {value!r}")


def fitted(window: Window, image: Pair, ceil_mode: bool, what: str) -> Window:
    """The window with as much padding behind as it needs in an image of this size.

    With `ceil_mode` a last window may reach over the edge, if it begins on the image or in the padding before it.

    Raises ShapeError for an image without pixels, or one that the window does not fit on even once.
    """
    if 0 in image:
        raise ShapeError(
            f"{what}: an image of {image} pixels has nothing to pool; give images of 1 × 1 or more"
        )
    if ceil_mode:
        padding = []
        for axis, length in enumerate(image):
            before, after = window.padding[axis]
            reach, stride = window.reach[axis], window.stride[axis]
            last = -(-(length + before + after - reach) // stride)
            if last * stride >= length + before:
                last -= 1
            padding.append((before, max(after, last * stride + reach - length - before)))
        window = replace(window, padding=(padding[0], padding[1]))
    window.output(image, what)
    return window


def output_sizes(what: str, output_size: Any, dims: int) -> tuple[int | None, int | None]:
    """The sizes an adaptive pool is asked for, as (height, width); None for the size that comes in.

    Raises ArgumentError for what is no size from 1 up.
    """
    sizes = list(output_size) if isinstance(output_size, tuple | list) else [output_size] * dims
    if len(sizes) == 1 and dims == 2:
        sizes = sizes * 2
    if len(sizes) != dims:
        raise ArgumentError(
            f"{what}: output_size is a size, or one for each of height and width, not {output_size!r}"
        )
    found = [None if size is None else pair(size, f"{what}: output_size", 1, 1)[1] for size in sizes]
    return (1, found[0]) if dims == 1 else (found[0], found[1])
