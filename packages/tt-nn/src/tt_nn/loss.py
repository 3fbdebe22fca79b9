"""Loss: the base of all losses, and what `reduction` means."""

from __future__ import annotations

from typing import Any

import numpy as np
from tt_tensor.errors import ArgumentError, GradientError

from tt_nn.module import Module, no_way_back

__all__ = ["Loss", "check_reduction"]


def check_reduction(reduction: str) -> str:
    """`reduction` if it is "mean", "sum" or "none"; ArgumentError otherwise."""
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(f"reduction must be 'mean', 'sum' or 'none', not {reduction!r}")
    return reduction


class Loss(Module):
    """A module that compares a prediction with a target.

    Args:
        reduction: "mean" over all elements, "sum", or "none" for one loss an element.
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = check_reduction(reduction)

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
            grad = np.ones((), self._applied.inputs[0].dtype)
        return super().backward(grad)
