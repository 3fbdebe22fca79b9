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
        self.changed = False
        """Whether anything was written in place since the first of the Functions was applied."""

    def __call__(self, function: Function, grad: Tensor) -> tuple[Any, ...]:
        function.check_saved()
        tensors = tuple([self.stand_in(x) if isinstance(x, Function) else x for x in function.inputs])
        if self.changed or function.stamp != memory.clock:
            self._check(function)
        fresh = again(function)
        if function.composite is not None:
            return _through(fresh, function, tensors, grad)
        fresh.inputs, fresh.needs = tensors, function.needs
        fresh.stamp, fresh.output_shape = memory.clock, function.output_shape
        fresh.forward(*tensors)
        return fresh.fitted_gradients(grad)

    def stand_in(self, function: Function) -> Tensor:
        """A Tensor with the value of a Function's output, hanging on that Function."""
        made = wrap(self.value(function))
        made._node, made._requires_grad = function, True
        return made

    def value(self, function: Function) -> np.ndarray[Any, Any]:
        """The value of a Function's output, computed again from the leaves where it is not known yet."""
        missing: dict[int, Function] = {}
        stack = [function]
        while stack:
            one = stack.pop()
            if one._number in missing or one._number in self.values:
                continue
            if one.inputs is None:
                raise ReleasedGraphError.of(one)
            missing[one._number] = one
            if one._kept is None:
                stack += [x for x in one.inputs if isinstance(x, Function)]
        for order in sorted(missing):
            one = missing[order]
            if one.stamp != memory.clock:
                self.changed = True
            self.values[order] = self._again(one) if one._kept is None else one._kept.array
        return self.values[function._number]

    def _again(self, function: Function) -> np.ndarray[Any, Any]:
        """What comes out when the Function is applied once more.

        Raises InPlaceError where an input was written since.
        """
        arrays = self._inputs(function)
        for array in arrays:
            if isinstance(array, np.ndarray) and memory.written_since(array, function.stamp):
                raise self._written(function, array.shape)
        with np.errstate(all="ignore"):  # it warned when it ran first
            return np.asarray(again(function).forward(*arrays))

    def _inputs(self, function: Function) -> list[Any]:
        return [
            self.values[x._number] if isinstance(x, Function) else getattr(x, "array", x)
            for x in function.inputs
        ]

    def _check(self, function: Function) -> None:
        """Raise InPlaceError unless the Function, applied again, saves what it saved then.

        Somebody wrote in place, perhaps through memory that the graph knows nothing of (`detach()`, a NumPy view).
        """
        fresh = again(function)
        with np.errstate(all="ignore"):
            fresh.forward(*self._inputs(function))
        for name, saved in vars(function).items():
            for then, now in zip(_arrays(saved), _arrays(vars(fresh).get(name)), strict=False):
                if then.shape != now.shape or not np.array_equal(then, now, equal_nan=then.dtype.kind == "f"):
                    raise self._written(function, then.shape)

    @staticmethod
    def _written(function: Function, shape: tuple[int, ...]) -> InPlaceError:
        return InPlaceError(
            f"create_graph: a value of shape {shape} that {type(function).__name__} worked with was changed in place "
            "since, so its derivative cannot be taken again; change it after backward, or clone() it first"
        )


def _arrays(saved: Any) -> list[np.ndarray[Any, Any]]:
    parts = saved if isinstance(saved, tuple | list) else (saved,)
    return [x for x in parts if isinstance(x, np.ndarray)]


def _through(fresh: Function, function: Function, tensors: tuple[Any, ...], grad: Tensor) -> tuple[Any, ...]:
    """The gradients through the composite that stands for a Function above first order."""
    output = fresh.composite(*tensors)  # type: ignore[misc]
    places = {index: edge(x) for index, x in enumerate(tensors) if isinstance(x, Tensor) and x._requires_grad}
    found: list[Any] = [None] * len(tensors)
    if output._requires_grad:
        for index, g in partial([(edge(output), grad)], places, rule=OnTensors(), retain=True).items():
            found[index] = g
    return tuple(found)
