"""pad: more elements at the ends of the axes, and the rule that folds them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.function import Function
from tt_tensor.ops.indexing import PutAt, within_rule

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["Pad", "PaddingMethods", "pad"]

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


class Pad(Function):
    """Elements before and after along each axis: a constant, or copies of others, which get the gradient of theirs.

    A copy made along an axis comes from one place along that axis, so the rule adds grad at those places, axis
    after axis.
    """

    def __init__(self, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> None:
        if mode not in MODES:
            raise ArgumentError(f"pad: mode {mode!r} is not one of {', '.join(MODES)}")
        self.pad_width, self.mode, self.constant_values = pad_width, mode, constant_values

    def forward(self, x: Any) -> Any:
        widths = _widths(self.pad_width, x.shape)
        self.shape, self.widths = x.shape, widths
        self.inner = tuple(
            [slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True)]
        )
        if not widths:
            return x.copy()  # a single number has no ends
        if self.mode != "constant":
            return np.pad(x, widths, self.mode)
        if hasattr(x, "requires_grad") or not isinstance(self.constant_values, int | float):
            return np.pad(x, widths, constant_values=self.constant_values)
        # np.pad's own way takes several times as long.
        y = np.full(
            [before + n + after for (before, after), n in zip(widths, x.shape, strict=True)], 0, x.dtype
        )
        if self.constant_values:
            y[...] = self.constant_values
        y[self.inner] = x
        return y

    def backward(self, grad: Any) -> Any:
        if self.mode == "constant":
            return grad[self.inner] if self.inner else grad
        shape = list(grad.shape)
        for axis, (width, n) in enumerate(zip(self.widths, self.shape, strict=True)):
            if width == (0, 0):
                continue
            came_from = np.pad(np.arange(n), width, self.mode)
            shape[axis] = n
            grad = within_rule(PutAt((*[slice(None)] * axis, came_from), tuple(shape)), grad)
        return grad


def _widths(pad_width: Any, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """(before, after) for each axis, from any of the forms that NumPy takes."""
    try:
        widths = np.asarray(pad_width)
        if widths.size and widths.dtype.kind not in "iu":
            raise ArgumentError(f"pad: widths are integers, not {pad_width!r}")
        pairs = np.broadcast_to(widths, (len(shape), 2)).tolist()
    except ValueError as error:
        if isinstance(error, ArgumentError):
            raise
        raise ShapeError(
            f"pad: widths {pad_width!r} do not fit shape {shape}; give one number, one (before, after), or a pair "
            "for each axis"
        ) from error
    if any(width < 0 for pair in pairs for width in pair):
        raise ArgumentError(f"pad: widths are at least 0, not {pad_width!r}; cut with slices instead")
    return tuple([(before, after) for before, after in pairs])


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Tensor:
    """x with elements added at both ends of its axes. NumPy's form:

    - `pad_width`: one number, one pair (before, after) for all axes, or such a pair for each, the first axis first
      (PyTorch's F.pad lists the last axis first);
    - `mode`: "constant" (`constant_values`; no gradient flows there), "edge" (the outermost element again),
      "reflect" (mirrored, without the outermost), "symmetric" (mirrored, with it) or "wrap" (from the other end).

    Raises ArgumentError for an unknown mode or a negative width, ShapeError where widths do not fit the axes or an
    empty axis is to be continued.
    """
    return Pad(pad_width, mode, constant_values)(x)


class PaddingMethods:
    """pad as a method of a Tensor."""

    pad = pad
