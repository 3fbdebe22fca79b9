"""Forward mode: the derivative travels along with the value.

Reverse mode answers "how does this one output depend on every input": one way back for each output. Forward mode
answers "how does every output move, if the inputs move this way": each operation turns the tangents of its inputs
into the tangent of its output at once, so nothing is kept, and one pass serves one direction.

    f: Rⁿ → Rᵐ           passes for the whole Jacobian        memory
    reverse mode         m                                    every value that a rule saves
    forward mode         n                                    the values that are alive anyway

No Function has a second rule for this. A rule is linear in the gradient, u ↦ Jᵀu, and what is linear can be transposed
by differentiating it: d/du ⟨Jᵀu, t⟩ = J t. So the tangent of an output costs one run of its rule on a Tensor u, and
one way back through that.

Sources: R. E. Wengert, "A simple automatic derivative evaluation program", CACM 7 (1964); for the transposition,
J. Townsend, "A new trick for calculating Jacobian vector products", 2017.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import numpy as np

from tt_autograd.engine import Targets, flow
from tt_autograd.modes import enabled, recorded
from tt_autograd.views import edge
from tt_autograd.watching import unwatched, watch
from tt_tensor import Function, Tensor
from tt_tensor.tensor import wrap

__all__ = ["ForwardModeError", "Tangents", "moves"]

_travelling: ContextVar[tuple[Tangents, ...]] = ContextVar("tt_autograd_travelling", default=())


class ForwardModeError(Exception):
    """What tangents cannot follow, and reverse mode can: an in-place write (those of all views would have to change),
    or a gradient that is taken on the way (nothing is recorded where tangents travel)."""


def moves(x: Tensor) -> bool:
    """Whether `x` has a tangent in the forward mode that is under way in this thread and task."""
    return any(tangents.get(x) is not None for tangents in _travelling.get())


class Tangents:
    """The tangent of each Tensor that is alive; inside `with tangents.travel():` every operation adds its own."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[weakref.ref[Tensor], np.ndarray[Any, Any]]] = {}

    def __setitem__(self, x: Tensor, tangent: np.ndarray[Any, Any]) -> None:
        key = id(x)
        self._of[key] = weakref.ref(x, partial(self._forget, key)), tangent
        x._requires_grad = True  # what cannot be differentiated refuses it, as when recording

    def _forget(self, key: int, _: Any) -> None:
        self._of.pop(key, None)

    def get(self, x: Any) -> np.ndarray[Any, Any] | None:
        """The tangent of `x`; None for what does not move."""
        found = self._of.get(id(x))
        return None if found is None else found[1]

    @contextmanager
    def travel(self) -> Iterator[None]:
        """Work out a tangent for every operation inside the block that would be recorded.

        Raises ForwardModeError from inside of it, where reverse mode has to do.
        """
        token = _travelling.set((*_travelling.get(), self))
        try:
            with recorded(), watch(self._follow):
                yield
        finally:
            _travelling.reset(token)

    def _follow(self, function: Function, inputs: tuple[Any, ...], output: Tensor) -> bool:
        """Give `output` its tangent. Nothing is recorded where an input moves."""
        tangents = [self.get(x) for x in inputs]
        if all(t is None for t in tangents) or not enabled.get():
            return False
        if output is inputs[0]:
            raise ForwardModeError
        if output.dtype.kind == "f":
            self[output] = self._pushed(function, inputs, tangents, output)
        return True

    def _pushed(
        self, function: Function, inputs: tuple[Any, ...], tangents: Sequence[Any], output: Tensor
    ) -> np.ndarray[Any, Any]:
        if function.composite is not None:
            stand_ins = list(inputs)
            for index, t in enumerate(tangents):
                if t is not None:
                    stand_ins[index] = wrap(inputs[index].array)
                    self[stand_ins[index]] = t
            found = self.get(function.composite(*stand_ins))
        else:
            with unwatched():
                found = _transposed(function, tangents, output)
        return np.zeros(output.shape, output.dtype) if found is None else found


def _transposed(function: Function, tangents: Sequence[Any], output: Tensor) -> Any:
    """J t: the derivative with respect to u of ⟨Jᵀu, t⟩, which is linear in u."""
    u = wrap(np.zeros(output.shape, output.dtype))
    u._requires_grad = True
    before, function.needs = function.needs, tuple([t is not None for t in tangents])
    try:
        pulled = function.gradients(u)
    finally:
        function.needs = before
    starts = [
        (edge(g), t)
        for g, t in zip(pulled, tangents, strict=True)
        if t is not None and isinstance(g, Tensor) and g._requires_grad
    ]
    if not starts:
        return None
    targets = Targets([u], [x for x, _ in starts if isinstance(x, Function)])
    flow(starts, targets=targets)
    return targets.found.get(id(u))
