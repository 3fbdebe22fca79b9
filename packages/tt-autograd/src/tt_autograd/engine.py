"""The way back: from an output through the graph to the leaves, each Function's rule once.

The graph is the Functions themselves: `function.inputs` holds, for each input, the Function that made it, or
the leaf, or a constant. Functions are numbered in the order in which they were recorded, so a Function always
has a larger number than those that made its inputs. Whoever goes back by falling numbers therefore meets a
Function only when all that used its output have sent their share. No recursion, no search beforehand.

    residual chain:    x → f1 → + → f2 → + → loss          1, 2, 4, 8 … paths, but each node once
                        ╲______╱ ╲______╱
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush, heappushpop
from typing import Any

import numpy as np

from tt_autograd.errors import ReleasedGraphError
from tt_autograd.watching import guard
from tt_tensor import Function, Tensor, memory
from tt_tensor.tensor import wrap

__all__ = ["Targets", "accumulate", "flow", "owned", "partial"]

Rule = Callable[[Function, Any], tuple[Any, ...]]


class Targets:
    """The gradients that are wanted, when not all leaves': those at some Functions' outputs and at some leaves.

    `found` collects them under the Function's number, or the leaf's id. With `stop`, nothing flows past a target: each
    gradient is then partial, with the other targets held constant.
    """

    def __init__(self, wanted: Sequence[Any], roots: Sequence[Function], stop: bool = False) -> None:
        self.functions = {x._number for x in wanted if isinstance(x, Function)}
        self.leaves = {id(x) for x in wanted if not isinstance(x, Function)}
        self.stop = stop
        self.found: dict[int, Any] = {}
        self.ways = self._ways(roots)

    def __contains__(self, x: Any) -> bool:
        """Does a gradient have to go to the input `x` of some Function?"""
        if isinstance(x, Function):
            return x._number in self.functions or x._number in self.ways
        return id(x) in self.leaves

    def _ways(self, roots: Sequence[Function]) -> set[int]:
        """The numbers of the Functions through which a gradient reaches a target."""
        floor = 0 if self.leaves else min(self.functions, default=0)
        seen: dict[int, Function] = {}
        stack = list(roots)
        while stack:
            function = stack.pop()
            if function._number in seen or function._number < floor:
                continue
            if function.inputs is None:
                raise ReleasedGraphError.of(function)
            seen[function._number] = function
            if not (self.stop and function._number in self.functions):
                stack += [x for x in function.inputs if isinstance(x, Function)]
        ways: set[int] = set()
        for order in sorted(seen):
            if self.stop and order in self.functions:
                continue
            for x in seen[order].inputs:
                if (
                    (x._number in ways or x._number in self.functions)
                    if isinstance(x, Function)
                    else id(x) in self.leaves
                ):
                    ways.add(order)
                    break
        return ways


def flow(
    starts: Sequence[tuple[Any, Any]],
    *,
    rule: Rule = Function.fitted_gradients,
    retain: bool = False,
    targets: Targets | None = None,
) -> dict[int, list[Any]]:
    """Send gradients back. `starts` are (Function or leaf, gradient at its output) pairs.

    Returns the leaves that were reached, as id → [leaf, gradient], or with `targets` fills `targets.found`.
    `rule(function, gradient)` gives the gradients at the inputs; they may be arrays or Tensors.
    Unless `retain`, each Function lets go of what it saved as soon as it was used.
    """
    on_guard = guard.get()
    guarded = None if on_guard is None else on_guard.guarded(rule, starts)
    if guarded is not None:
        rule = guarded.rule
    functions: dict[int, Function] = {}
    grads: dict[int, Any] = {}
    leaves: dict[int, list[Any]] = {}
    heap: list[int] = []
    for x, g in starts:
        if not isinstance(x, Function):
            _add(leaves, x, g)
        elif x._number in grads:
            grads[x._number] = grads[x._number] + g
        else:
            functions[x._number], grads[x._number] = x, g
            heappush(heap, -x._number)
    while heap:
        order = -heappop(heap)
        function, grad = functions.pop(order), grads.pop(order)
        # The next Function stays in hand where it can: on a chain nothing goes through the heap.
        while True:
            inputs = function.inputs
            if inputs is None:
                raise ReleasedGraphError.of(function)
            if function._hooks is not None:
                grad = function._hooks.run(grad)
            if targets is None:
                gradients = rule(function, grad)
            else:
                if function._number in targets.functions:
                    targets.found[function._number] = grad
                if function._number not in targets.ways:
                    break
                gradients = _to_targets(function, grad, rule, targets)
            following: Any = None
            for x, g in zip(inputs, gradients):  # noqa: B905  (a rule's answer was counted by now)
                if g is None:
                    continue
                if isinstance(x, Function):
                    order = x._number
                    if order in grads:
                        grads[order] = grads[order] + g
                    elif following is None:
                        following, grad = x, g
                    elif following is x:
                        grad = grad + g
                    else:
                        functions[order], grads[order] = x, g
                        heappush(heap, -order)
                elif x._requires_grad:
                    _add(leaves, x, g)
            if not retain:
                # Nothing but the shape stays: memory falls while the gradient goes back.
                function.__dict__.clear()
                function.inputs = None  # type: ignore[assignment]
            if following is None:
                break
            function = following
            if heap and -heap[0] > function._number:
                order = -heappushpop(heap, -function._number)
                functions[function._number], grads[function._number] = function, grad
                function, grad = functions.pop(order), grads.pop(order)
    if targets is not None:
        for key, (x, g) in leaves.items():
            if key in targets.leaves:
                targets.found[key] = g if x._hooks is None else x._hooks.run(g)
    if guarded is not None:
        guarded.arrived({key: g for key, (_, g) in leaves.items()} if targets is None else targets.found)
    return leaves


def _add(leaves: dict[int, list[Any]], leaf: Any, g: Any) -> None:
    entry = leaves.get(id(leaf))
    if entry is None:
        leaves[id(leaf)] = [leaf, g]
    else:
        entry[1] = entry[1] + g


def _to_targets(function: Function, grad: Any, rule: Rule, targets: Targets) -> Sequence[Any]:
    """The gradients that lead to a target, and None for the others, which the rule may leave out."""
    before = function.needs
    needs = function.needs = tuple([x in targets for x in function.inputs])
    try:
        gradients = rule(function, grad)
    finally:
        function.needs = before
    return [g if need else None for g, need in zip(gradients, needs, strict=True)]


def partial(
    starts: Sequence[tuple[Any, Any]],
    places: Mapping[Any, Any],
    *,
    rule: Rule = Function.fitted_gradients,
    retain: bool = False,
) -> dict[Any, Any]:
    """The gradients at `places` (name → Function or leaf), each with the others held constant, by name.

    A place that is named twice has its gradient under the first name only, since the sum over both is what counts.
    """
    targets = Targets(list(places.values()), [x for x, _ in starts if isinstance(x, Function)], stop=True)
    flow(starts, rule=rule, retain=retain, targets=targets)
    found: dict[Any, Any] = {}
    for name, place in places.items():
        g = targets.found.pop(place._number if isinstance(place, Function) else id(place), None)
        if g is not None:
            found[name] = g
    return found


# --- the gradients of leaves ------------------------------------------------------------------------------

_lock = threading.Lock()


def accumulate(leaves: Mapping[int, list[Any]]) -> None:
    """Add each leaf's gradient to its `.grad`. All at the end: a rule never meets a half-updated one."""
    for entry in leaves.values():
        leaf = entry[0]
        if leaf._hooks is not None:
            entry[1] = leaf._hooks.run(entry[1])
        with _lock:
            before = leaf._grad
            if isinstance(entry[1], Tensor):
                leaf.grad = entry[1].clone() if before is None else before + entry[1]
            elif before is None:
                leaf._grad = wrap(owned(entry))
            elif before._node is None and before.array.flags.writeable:
                before.array += entry[1]
                memory.mark_written(before.array)
            else:
                leaf.grad = wrap(np.asarray(before.array + entry[1]))


def owned(entry: list[Any]) -> np.ndarray[Any, Any]:
    """The gradient entry[1], in memory that nobody else holds: writing into one `.grad` changes no other."""
    g = entry[1]
    if g.__class__ is np.ndarray and g.base is None and _references(g) == _ALONE and g.flags.writeable:
        return g
    return np.array(g)


def _references(x: Any) -> int:
    return sys.getrefcount(x)


def _alone() -> int:
    """What `_references` says of an array that only its entry holds (interpreters differ in what they count)."""
    if not hasattr(sys, "getrefcount"):
        return -1  # unknown: every gradient is copied
    entry = [None, np.zeros(1)]
    g = entry[1]
    return _references(g)


_ALONE = _alone()
