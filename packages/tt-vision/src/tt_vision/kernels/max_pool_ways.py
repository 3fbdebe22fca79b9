"""Through the winners of max pooling: gradients back to them, and what stands at them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.kernels.taps import Tap, block_of, blocks, least, none_of, taps
from tt_vision.window import Pair, Window

__all__ = ["max_pool2d_backward", "max_pool2d_pick", "winning_pixels", "write_by_taps"]

FEW = 4
"""Taps up to which it is quicker to go over all places for each than to add at positions."""

_BITS = {"f": np.int32, "d": np.int64}


def max_pool2d_backward_loops(grad: Any, winners: Any, window: Window, image: Pair) -> Any:
    """dx[the pixel that won at the place] += grad[place], for images of `image` pixels."""
    dx = np.zeros((*grad.shape[:2], *image), grad.dtype)
    for place in np.ndindex(grad.shape):
        pixel = _pixel(window, int(winners[place]), *place[2:])
        if pixel is not None:
            dx[(*place[:2], *pixel)] += grad[place]
    return dx


def max_pool2d_pick_loops(h: Any, winners: Any, window: Window) -> Any:
    """y[place] = h[the pixel that won at the place]; 0 where none did."""
    y = np.zeros(winners.shape, h.dtype)
    for place in np.ndindex(winners.shape):
        pixel = _pixel(window, int(winners[place]), *place[2:])
        if pixel is not None:
            y[place] = h[(*place[:2], *pixel)]
    return y


def _pixel(window: Window, winner: int, row: int, column: int) -> Pair | None:
    i, j = divmod(winner, window.size[1])
    if winner == none_of(window):
        return None
    return (
        row * window.stride[0] - window.padding[0][0] + i * window.dilation[0],
        column * window.stride[1] - window.padding[1][0] + j * window.dilation[1],
    )


def max_pool2d_backward(grad: Any, winners: Any, window: Window, image: Pair) -> Any:
    """Block by block: a few taps one after the other, for all places at once; else by positions in flat memory."""
    n, c, high, wide = grad.shape
    g, numbers = grad.transpose(0, 2, 3, 1), winners.transpose(0, 2, 3, 1)
    dx = np.empty((n, *image, c), grad.dtype)
    apart = all(reach <= stride for reach, stride in zip(window.reach, window.stride, strict=True))
    by_taps = apart and none_of(window) <= FEW and grad.dtype.char in _BITS
    whole = by_taps and covers(window, image, (high, wide))
    right = taps(window, 1, image[1], 0, wide)
    # Per row of places: the pixels, or a position for each place.
    row = max(window.stride[0] * image[1] * c * grad.itemsize, 0 if by_taps else 16 * wide * c)

    def body(start: int, stop: int, part: int) -> None:
        starts = None
        for a, b, r, s in blocks(start, stop, high, row):
            out = dx[a:b]
            back, won = block_of(g, a, b, slice(r, s), "back"), block_of(numbers, a, b, slice(r, s), "won")
            if r == 0 and not whole:
                out.fill(0)
            if by_taps:
                write_by_taps(out, back, won, taps(window, 0, image[0], r, s), right, window.size[1])
                continue
            if starts is None:
                starts = first_pixels(window, image, (b - a, high, wide, c))
            index, none = winning_pixels(won, window, image, starts[: b - a, r:s])
            values = back if none is None else np.where(none, 0, back)
            np.add.at(out.reshape(-1), index.reshape(-1), values.reshape(-1))

    if grad.size:
        shards.run(body, n, least(image, c))
    else:
        dx.fill(0)
    return channels_first(dx)


def write_by_taps(out: Any, back: Any, won: Any, down: list[Tap], right: list[Tap], kw: int) -> None:
    """out (n, H, W, C) = the gradient `back` (n, H', W', C) where each tap won, else 0; windows lie apart.

    As a product of its bits with 1 or 0: infinity times 0 would be NaN, and a choice branches at every element.
    """
    bits = _BITS[back.dtype.char]
    won_here = shards.scratch("won_here", back.shape, np.bool_)
    mask = shards.scratch("mask", back.shape, bits)
    for i, places_down, pixels_down in down:
        for j, places_right, pixels_right in right:
            np.equal(won, i * kw + j, out=won_here)
            np.copyto(mask, won_here)
            here = (slice(None), places_down, places_right)
            target = out[:, pixels_down, pixels_right].view(bits)
            np.multiply(back.view(bits)[here], mask[here], out=target)


def max_pool2d_pick(h: Any, winners: Any, window: Window) -> Any:
    """All at once, by positions in flat memory."""
    image = h.shape[2:]
    images, won = np.ascontiguousarray(h.transpose(0, 2, 3, 1)), winners.transpose(0, 2, 3, 1)
    if not won.size:
        return np.zeros(winners.shape, h.dtype)
    index, none = winning_pixels(won, window, image, first_pixels(window, image, won.shape))
    y = images.reshape(-1)[index]
    if none is not None:
        y[none] = 0
    return channels_first(y)


def first_pixels(window: Window, image: Pair, shape: tuple[int, ...]) -> Any:
    """Where in the flat memory of images (n, H, W, C) the first tap is, for places of `shape` (n, H', W', C)."""
    n, high, wide, c = shape
    (top, _), (left, _) = window.padding
    rows = (np.arange(high) * window.stride[0] - top) * image[1]
    columns = np.arange(wide) * window.stride[1] - left
    of_image = np.arange(n)[:, None, None] * (image[0] * image[1])
    return (of_image + rows[:, None] + columns)[..., None] * c + np.arange(c)


def winning_pixels(won: Any, window: Window, image: Pair, starts: Any) -> tuple[Any, Any]:
    """The positions of the winners `won` (n, H', W', C); `starts` are those of their first taps.

    Also a mask of the places that have none, or None where all have one. The positions are in scratch memory.
    """
    kw, (dh, dw) = window.size[1], window.dilation
    down, right = np.divmod(np.arange(none_of(window) + 1), kw)
    steps = (down * dh * image[1] + right * dw) * won.shape[3]
    index = np.take(steps, won, out=shards.scratch("index", won.shape, steps.dtype), mode="clip")
    index += starts
    none = won == none_of(window)
    if not none.any():
        return index, None
    index[none] = 0
    return index, none


def covers(window: Window, image: Pair, places: Pair) -> bool:
    """Is every pixel under exactly one tap?"""
    return (
        window.size == window.stride
        and window.dilation == (1, 1)
        and all(before == 0 for before, _ in window.padding)
        and all(
            place * stride >= length
            for place, stride, length in zip(places, window.stride, image, strict=True)
        )
    )
