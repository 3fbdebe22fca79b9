"""Loss: the base of all losses, and what `reduction` means."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn.by_hand import send_back
from tt_nn.module import Module, no_way_back
from tt_nn.sums import total
from tt_tensor import Function, Tensor, as_tensor, observing, recorder
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tt_tensor.tensor import as_array, wrap

__all__ = [
    "Loss",
    "Reduced",
    "check_prediction",
    "check_reduction",
    "constant",
    "narrowed",
]

# Numbers of one dtype: what the rules do with a NumPy scalar costs a tenth of what a 0-d array costs.
_FIRST = [(True,) + (False,) * n for n in range(-1, 8)]
_ONE = {dtype: np.dtype(dtype).type(1) for dtype in "efd"}


def check_reduction(reduction: Any, *more: str) -> str:
    """`reduction` if it is "mean", "sum" or "none" (or one of `more`); ArgumentError otherwise."""
    allowed = ("mean", "sum", "none", *more)
    if not isinstance(reduction, str) or reduction not in allowed:
        raise ArgumentError(f"reduction must be one of {', '.join(map(repr, allowed))}, not {reduction!r}")
    return reduction


def check_prediction(what: str, x: Any) -> None:
    """Raise DTypeError unless the prediction is of floats."""
    if x.dtype.kind != "f":
        raise DTypeError(f"{what}: the prediction is {x.dtype}; a loss takes floats: astype('float32')")


def constant(what: str, name: str, value: Any) -> Tensor | None:
    """A copy of what a loss is to hold, a Tensor of numbers (None stays None).

    Raises GradientError for one that requires a gradient: the loss would not send it any.
    """
    if value is None:
        return None
    if getattr(value, "requires_grad", False):
        raise GradientError(
            f"{what}: `{name}` is a constant of the loss, so nothing goes back to it, but this one requires a "
            f"gradient; pass {name}.detach(), or write the weighted loss with tensor operations"
        )
    return Tensor(value)


def narrowed(loss: Any) -> Any:
    """float16 of what was computed in float32; what it cannot hold is inf."""
    with np.errstate(over="ignore"):
        return loss.astype(np.float16)


class Reduced:
    """Part of a Function that computes one loss an element and then their mean, their sum, or none of both.

    float16 is computed in float32: a sum of squares would soon leave its range.
    """

    reduction: str
    half: bool = False

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def look_at(self, what: str, x: Any, t: Any) -> tuple[Any, Any]:
        """Prediction and target, checked, in the dtype to compute in. Integer targets take the prediction's dtype.

        Raises ShapeError unless both have one shape: broadcasting in a loss is a mistake far more often than a
        wish. DTypeError where the prediction is of integers.
        """
        try:
            if x.shape == t.shape and x.dtype is t.dtype and x.dtype.char in "fd":
                self.shape, self.count = x.shape, x.size
                return x, t
        except AttributeError:  # a Python number
            x = x if hasattr(x, "dtype") else as_array(x, what)
            t = t if hasattr(t, "dtype") else as_array(t, what, x.dtype)
        if x.shape != t.shape:
            raise ShapeError(
                f"{what}: the prediction has shape {x.shape}, the target {t.shape}; they must be equal "
                "(reshape the one that is off)"
            )
        check_prediction(what, x)
        self.shape, self.count = x.shape, x.size
        if t.dtype.kind != "f":
            t = t.astype(x.dtype)
        # The result is float16 only where both are.
        self.half = x.dtype == np.float16 and t.dtype == np.float16
        if x.dtype == np.float16:
            x = x.astype(np.float32)
        return x, t.astype(np.float32) if t.dtype == np.float16 else t

    def reduced(self, losses: Any) -> Any:
        """The losses, reduced; the mean over no elements is NaN, as in PyTorch."""
        if self.reduction != "none":
            losses = total(losses)
            if self.reduction != "sum":
                losses = losses * self.share()
        return narrowed(losses) if self.half else losses

    def share(self) -> float:
        """What one element's loss counts for in the result."""
        if self.reduction != "mean":
            return 1.0
        return 1.0 / self.count if self.count else math.nan

    def shared(self, grad: Any) -> Any:
        """The gradient at one element's loss, from the one at the result."""
        if self.half:
            grad = grad.astype(np.float32)
        return grad if self.reduction in ("none", "sum") else grad * self.share()


class Loss(Module):
    """A module that compares a prediction with a target.

    Args:
        reduction: "mean" over all elements, "sum", or "none" for one loss an element.
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = check_reduction(reduction)

    def compute(self, function: Function, *inputs: Any) -> Tensor:
        """Apply `function` to prediction, target, …; by hand, only the prediction's gradient is worked out."""
        if not isinstance(inputs[0], Tensor):
            inputs = (as_tensor(inputs[0]), *inputs[1:])
        output = function.__call__(*inputs)
        if output._node is None and (recorder.active is None or recorder.by_hand()):
            function.needs = _FIRST[len(inputs)]
            self.__dict__["_applied"] = function
        else:
            self.__dict__["_applied"] = None
        return output

    def backward(self, grad: Any = None) -> Any:
        """The gradient at the prediction, by hand: ∂loss/∂prediction, times `grad` if it is given.

        Raises GradientError before any forward, or where the loss is not a single number and no `grad` is given;
        ShapeError for a `grad` that has not the shape of the loss.
        """
        function = self._applied
        if function is None:
            raise no_way_back(self)
        if grad is not None:
            return send_back(function, grad)
        if self.reduction == "none":
            raise GradientError(
                "loss.backward: reduction='none' gives many losses; pass the gradient at each of them"
            )
        x = function.inputs[0].array
        one = _ONE[x.dtype.char]
        # What function.gradients does for any input at all; here one gradient is wanted, and its shape is known.
        function.check_saved()
        grads = function.backward(one) if observing.active is None else function.fitted_gradients(one)
        dx = grads[0] if grads.__class__ is tuple else grads
        if dx.__class__ is np.ndarray and dx.dtype is x.dtype and dx.shape == x.shape:
            return wrap(dx)
        return send_back(function, one)
