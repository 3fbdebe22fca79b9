"""Through the winners of max pooling: gradients back to them, and what stands at them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.kernels.taps import Tap, block_of, blocks, copy_pixels, least, taps
from tt_vision.window import Pair, Window

__all__ = ["max_pool2d_backward", "max_pool2d_pick", "winning_pixels"]

MANY = 20
"""Taps from which on it is quicker to add at positions than to go over all places for each tap."""

_BITS = {"e": np.int16, "f": np.int32, "d": np.int64}


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
    if i == window.size[0]:
        return None
    return (
        row * window.stride[0] - window.padding[0][0] + i * window.dilation[0],
        column * window.stride[1] - window.padding[1][0] + j * window.dilation[1],
    )


def max_pool2d_backward(grad: Any, winners: Any, window: Window, image: Pair) -> Any:
    """Tap by tap for all places at once: the gradient where this tap won, else 0.

    As a product of its bits with 1 or 0: infinity times 0 would be NaN, and a choice branches at every element.
    """
    n, c, high, wide = grad.shape
    g, numbers = grad.transpose(0, 2, 3, 1), winners.transpose(0, 2, 3, 1)
    dx = np.empty((n, *image, c), grad.dtype)
    apart = all(reach <= stride for reach, stride in zip(window.reach, window.stride, strict=True))
    whole = apart and covers(window, image, (high, wide))
    kw, step = window.size[1], window.stride[1]
    by_taps = grad.dtype.char in _BITS and window.size[0] * kw < MANY
    right = taps(window, 1, image[1], 0, wide)

    def body(start: int, stop: int, part: int) -> None:
        phases: Any = None
        for a, b, r, s in blocks(start, stop, high, window.stride[0] * image[1] * c * grad.itemsize):
            out = dx[a:b]
            back, won = block_of(g, a, b, slice(r, s), "back"), block_of(numbers, a, b, slice(r, s), "won")
            if not by_taps:
                if r == 0:
                    out.fill(0)
                _add_at(out, back, won, window, image, r, apart)
                continue
            if r == 0:
                # Where windows overlap, column x is column x // step of phase x mod step: what is added lies together.
                spread = not apart and step > 1
                shape = (step, b - a, image[0], -(-image[1] // step), c)
                phases = shards.scratch("phases", shape, dx.dtype) if spread else out[None]
                if not whole:
                    phases.fill(0)
            _add_by_taps(phases, back, won, taps(window, 0, image[0], r, s), right, kw, apart)
            if len(phases) > 1 and s == high:
                for phase in range(min(step, image[1])):
                    columns = out[:, :, phase::step]
                    copy_pixels(columns, phases[phase, :, :, : columns.shape[2]])

    if grad.size:
        shards.run(body, n, least(image, c))
    else:
        dx.fill(0)
    return channels_first(dx)


def _add_by_taps(
    phases: Any, back: Any, won: Any, down: list[Tap], right: list[Tap], kw: int, apart: bool
) -> None:
    """phases += the gradient `back` where each tap won; = where windows lie apart, and there is but one phase."""
    bits = _BITS[back.dtype.char]
    won_here = shards.scratch("won_here", back.shape, np.bool_)
    mask = shards.scratch("mask", back.shape, bits)
    for i, places_down, pixels_down in down:
        for j, places_right, pixels_right in right:
            np.equal(won, i * kw + j, out=won_here)
            np.copyto(mask, won_here)
            here = (slice(None), places_down, places_right)
            if apart:
                target = phases[0][:, pixels_down, pixels_right]
                np.multiply(back.view(bits)[here], mask[here], out=target.view(bits))
            else:
                first, phase = divmod(pixels_right.start, len(phases))
                columns = slice(first, first + places_right.stop - places_right.start)
                np.multiply(back.view(bits), mask, out=mask)
                phases[phase][:, pixels_down, columns] += mask.view(back.dtype)[here]


def _add_at(out: Any, back: Any, won: Any, window: Window, image: Pair, first: int, apart: bool) -> None:
    """out (n, H, W, C) += the gradient `back` of the rows from `first` on, at the positions of the winners."""
    index, none = winning_pixels(won, window, image, first)
    if none is not None:
        back = np.where(none, 0, back)
    if apart and none is None:
        out.reshape(-1)[index] = back
    else:
        np.add.at(out.reshape(-1), index.reshape(-1), back.reshape(-1))


def max_pool2d_pick(h: Any, winners: Any, window: Window) -> Any:
    """All at once, by positions in flat memory."""
    image = h.shape[2:]
    images, won = np.ascontiguousarray(h.transpose(0, 2, 3, 1)), winners.transpose(0, 2, 3, 1)
    if not won.size:
        return np.zeros(winners.shape, h.dtype)
    index, none = winning_pixels(won, window, (image[0], image[1]))
    y = images.reshape(-1)[index]
    if none is not None:
        y[none] = 0
    return channels_first(y)


def winning_pixels(won: Any, window: Window, image: Pair, first: int = 0) -> tuple[Any, Any]:
    """The positions in the flat memory of images (n, H, W, C) of the winners (n, H', W', C), rows from `first` on.

    Also a mask of the places that have none, or None where all have one.
    """
    n, high, wide, c = won.shape
    (kh, kw), (sh, sw), (dh, dw) = window.size, window.stride, window.dilation
    (top, _), (left, _) = window.padding
    down, right = np.divmod(np.arange(kh * kw + 1), kw)
    steps = (down * dh * image[1] + right * dw) * c
    rows = ((np.arange(first, first + high) * sh - top) * image[1] * c)[:, None, None]
    columns = ((np.arange(wide) * sw - left) * c)[:, None]
    starts = np.arange(n)[:, None, None, None] * (image[0] * image[1] * c)
    index = steps[won]
    index += rows + columns + np.arange(c) + starts
    none = won == kh * kw
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
