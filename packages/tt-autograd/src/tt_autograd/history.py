"""All that made some tensors: the Functions behind them, found without recursion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tt_autograd import views
from tt_autograd.errors import ReleasedGraphError
from tt_tensor import Function, Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError

__all__ = ["functions_behind", "places_of"]


def places_of(outputs: Any, what: str) -> list[Any]:
    """Where each of `outputs`, a Tensor or several, hangs in the graph: the Function that made it, or the leaf itself.

    Raises DTypeError for what is no Tensor, ArgumentError for none at all, GradientError for one that was not recorded.
    """
    tensors = [outputs] if isinstance(outputs, Tensor) else outputs
    if not isinstance(tensors, Iterable) or isinstance(tensors, str):
        raise DTypeError(f"{what}: expected a Tensor or several, got {type(outputs).__name__}")
    places: list[Any] = []
    for x in tensors:
        if not isinstance(x, Tensor):
            raise DTypeError(f"{what}: expected Tensors, got {type(x).__name__}")
        if x._view is not None:
            views.refreshed(x)
        if not x._requires_grad:
            raise GradientError(
                f"{what}: nothing was recorded for this output of shape {x.shape}: none of its inputs requires a "
                "gradient, or it was computed inside no_grad()"
            )
        places.append(views.edge(x))
    if not places:
        raise ArgumentError(f"{what}: no tensors were given")
    return places


def functions_behind(places: Iterable[Any]) -> list[Function]:
    """All Functions on the ways from `places` back to the leaves, each after those that made its inputs.

    Raises ReleasedGraphError where backward has let go of what was saved.
    """
    found: dict[int, Function] = {}
    stack = [x for x in places if isinstance(x, Function)]
    while stack:
        function = stack.pop()
        if id(function) in found:
            continue
        if function.inputs is None:
            raise ReleasedGraphError.of(function)
        found[id(function)] = function
        stack += [x for x in function.inputs if isinstance(x, Function)]
    return sorted(found.values(), key=lambda function: function._number)
