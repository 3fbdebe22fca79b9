"""pad in PyTorch's form: the last axis first. NumPy's, the first axis first, is `tt_tensor.pad`."""

from __future__ import annotations

from typing import Any

from tt_tensor import Tensor, as_tensor
from tt_tensor import pad as pad_axes
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["pad"]

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """x with elements added at the ends of its last axes; negative numbers cut.

    Args:
        pad: (before, after) of the last axis, then of the one before it, and so on: left, right, top, bottom of images.
        mode: "constant"; "reflect", mirrored at the outermost, which is not repeated; "replicate", the outermost again;
            "circular", from the other end.
        value: the constant, 0 by default.

    Raises ArgumentError for another mode, or what is no padding, ShapeError where there are not so many axes, or too
    few elements to mirror or to go round.

    >>> pad([[1, 2], [3, 4]], (1, 0, 0, 1)).tolist()
    [[0, 1, 2], [0, 3, 4], [0, 0, 0]]
    """
    x = as_tensor(input)
    if mode not in MODES:
        raise ArgumentError(f"pad: mode is one of {', '.join(map(repr, MODES))}, not {mode!r}")
    if not isinstance(pad, tuple | list) or len(pad) % 2:
        raise ArgumentError(
            f"pad: padding is (before, after) of the last axis, then of the one before, not {pad!r}"
        )
    sides = [whole_number("pad", "padding", side, None) for side in pad]
    if len(sides) // 2 > x.ndim:
        raise ShapeError(
            f"pad: {pad!r} is for {len(sides) // 2} axes, but a tensor of shape {x.shape} has {x.ndim}"
        )
    if value is not None and mode != "constant":
        raise ArgumentError(f"pad: a value is for mode 'constant', not {mode!r}")
    widths = [(0, 0)] * (x.ndim - len(sides) // 2) + [
        (sides[at], sides[at + 1]) for at in range(len(sides) - 2, -1, -2)
    ]
    for axis, (before, after) in enumerate(widths):
        length = x.shape[axis]
        most = {"reflect": length - 1, "circular": length}.get(mode)
        if length + before + after < 0 or (most is not None and max(before, after) > most):
            raise ShapeError(
                f"pad: {before} before and {after} after do not fit axis {axis} of shape {x.shape} with mode {mode!r}"
            )
    if any(side < 0 for side in sides):
        cut = [
            slice(max(-before, 0), length - max(-after, 0))
            for (before, after), length in zip(widths, x.shape, strict=True)
        ]
        x = x[tuple(cut)]
        widths = [(max(before, 0), max(after, 0)) for before, after in widths]
    if not any(before or after for before, after in widths):
        return x
    return pad_axes(x, widths, MODES[mode], 0 if value is None else value)
