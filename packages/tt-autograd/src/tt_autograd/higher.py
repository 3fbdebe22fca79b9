"""Every order: the derivative of a rule is taken by running that rule on Tensors.

With create_graph=True the engine hands each Function's rule Tensors in place of arrays. What the rule saved must be
Tensors, too, so `forward` of a fresh instance is run on Tensors first. Those stand for the inputs: they have the
inputs' values and hang on the same place of the graph.

An input's value may be gone by then, since the graph keeps only what rules saved; it is computed again from
the leaves on. (A memory of everything would cost every first-order training what only higher orders need.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_autograd.engine import partial
from tt_autograd.errors import ReleasedGraphError
from tt_autograd.views import again, edge
from tt_tensor import Function, Tensor, memory
from tt_tensor.errors import InPlaceError
from tt_tensor.tensor import wrap

__all__ = ["OnTensors"]


class OnTensors:
    """A rule for `engine.flow` that takes and gives Tensors with a history. One for each way back."""

    def __init__(self) -> None:
        self.values: dict[int, np.ndarray[Any, Any]] = {}

    def __call__(self, function: Function, grad: Tensor) -> tuple[Any, ...]:
        function.check_saved()
        own = getattr(function, "gradients_on_tensors", None)
        if own is not None:
            return own(grad)
        tensors = tuple([self.stand_in(x) if isinstance(x, Function) else x for x in function.inputs])
        fresh = again(function)
        if function.composite is not None:
            return _through(fresh, function, tensors, grad)
        fresh.inputs, fresh.needs = tensors, function.needs
        fresh.stamp, fresh.output_shape = memory.clock, function.output_shape
        fresh.forward(*tensors)
        return fresh.gradients(grad)

    def stand_in(self, function: Function) -> Tensor:
        """A Tensor with the value of a Function's output, hanging on that Function."""
        made = wrap(self.value(function))
        made._node, made._requires_grad = function, True
        return made

    def value(self, function: Function) -> np.ndarray[Any, Any]:
        """The value of a Function's output, computed again from the leaves where it is not known yet.

        Raises InPlaceError where a leaf or constant was written in place since.
        """
        missing: dict[int, Function] = {}
        stack = [function]
        while stack:
            one = stack.pop()
            if one.order in missing or one.order in self.values:
                continue
            if one.inputs is None:
                raise ReleasedGraphError.of(one)
            missing[one.order] = one
            stack += [x for x in one.inputs if isinstance(x, Function)]
        for order in sorted(missing):
            self.values[order] = self._computed(missing[order])
        return self.values[function.order]

    def _computed(self, function: Function) -> np.ndarray[Any, Any]:
        arrays = []
        for x in function.inputs:
            if isinstance(x, Function):
                arrays.append(self.values[x.order])
            elif isinstance(x, Tensor):
                if memory.written_since(x.array, function.stamp):
                    raise InPlaceError(
                        f"create_graph: {type(function).__name__} was applied to a tensor of shape {x.shape} that was "
                        "changed in place since, so its derivative cannot be taken again; change it after backward"
                    )
                arrays.append(x.array)
            else:
                arrays.append(x)
        with np.errstate(all="ignore"):  # it warned when it ran first
            return np.asarray(again(function).forward(*arrays))


def _through(fresh: Function, function: Function, tensors: tuple[Any, ...], grad: Tensor) -> tuple[Any, ...]:
    """The gradients through the composite that stands for a Function above first order."""
    output = fresh.composite(*tensors)  # type: ignore[misc]
    places = {index: edge(x) for index, x in enumerate(tensors) if isinstance(x, Tensor) and x._requires_grad}
    found: list[Any] = [None] * len(tensors)
    if output._requires_grad:
        for index, g in partial([(edge(output), grad)], places, OnTensors()).items():
            found[index] = g
    return tuple(found)
