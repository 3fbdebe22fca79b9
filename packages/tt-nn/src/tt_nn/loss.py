"""Loss: the base of all losses, and what `reduction` means."""

from __future__ import annotations

from typing import Any

import numpy as np
from tt_tensor import Function, Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError

from tt_nn.module import Module, no_way_back

__all__ = ["Loss", "Reduced", "check_reduction", "check_same"]


def check_reduction(reduction: Any, *more: str) -> str:
    """`reduction` if it is "mean", "sum" or "none" (or one of `more`); ArgumentError otherwise."""
    allowed = ("mean", "sum", "none", *more)
    if reduction not in allowed:
        raise ArgumentError(f"reduction must be one of {', '.join(map(repr, allowed))}, not {reduction!r}")
    return str(reduction)


def check_same(name: str, prediction: Any, target: Any) -> None:
    """Raise ShapeError unless both have one shape: broadcasting in a loss is a mistake far more often than a wish,
    DTypeError where the prediction is of integers."""
    if prediction.shape != target.shape:
        raise ShapeError(
            f"{name}: the prediction has shape {prediction.shape}, the target {target.shape}; they must be equal "
            "(reshape the one that is off)"
        )
    if prediction.dtype.kind != "f":
        raise DTypeError(f"{name}: the prediction is {prediction.dtype}; a loss takes floats: astype('float32')")


class Reduced:
    """Part of a Function that computes one loss an element and then their mean, their sum, or none of both."""

    reduction: str

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def reduced(self, losses: Any) -> Any:
        """The losses, reduced; the mean over no elements is NaN, as in PyTorch."""
        self.count = losses.size
        if self.reduction == "none":
            return losses
        total = np.add.reduce(losses, axis=None)
        return total if self.reduction == "sum" else total * self.share()

    def share(self) -> float:
        """What one element's loss counts for in the result."""
        if self.reduction != "mean":
            return 1.0
        return 1.0 / self.count if self.count else float("nan")


class Loss(Module):
    """A module that compares a prediction with a target.

    Args:
        reduction: "mean" over all elements, "sum", or "none" for one loss an element.
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = check_reduction(reduction)

    def compute(self, function: Function, *inputs: Any) -> Tensor:
        """Apply `function` to prediction, target, …; by hand, only the prediction's gradient is worked out."""
        function.needs = (True,) + (False,) * (len(inputs) - 1)
        return super().compute(function, *inputs)

    def backward(self, grad: Any = None) -> Any:
        """The gradient at the prediction, by hand: ∂loss/∂prediction, times `grad` if it is given.

        Raises GradientError before any forward, or where the loss is not a single number and no `grad` is given.
        """
        if self._applied is None:
            raise no_way_back(self)
        if grad is None:
            if self.reduction == "none":
                raise GradientError(
                    "loss.backward: reduction='none' gives many losses; pass the gradient at each of them"
                )
            # A NumPy scalar: what the rules do with it costs a tenth of what a 0-d array costs.
            grad = self._applied.inputs[0].dtype.type(1)
        return super().backward(grad)
