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
from copy import copy
from heapq import heappop, heappush, heappushpop
from typing import Any

import numpy as np

from tt_autograd.errors import ReleasedGraphError
from tt_autograd.watching import guard
from tt_tensor import Function, Tensor, memory, observing
from tt_tensor.function import check_gradients
from tt_tensor.tensor import wrap

__all__ = ["Targets", "accumulate", "add_to_grad", "flow", "owned", "partial"]

Rule = Callable[[Function, Any], Sequence[Any]]


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

    def stops_at(self, function: Function) -> bool:
        """Does nothing flow past this one?"""
        return self.stop and function._number in self.functions

    def only(self, rule: Rule, watched: bool) -> Rule:
        """`rule`, asked only for what leads to a target; it answers None where nothing does.

        Another thread may go back through the same Function and want other gradients of it. So a copy is told what is
        wanted here; not where somebody who watches knows the Functions by their identity.
        """

        def asked(function: Function, grad: Any) -> Any:
            if function._number in self.functions:
                self.found[function._number] = grad
            if function._number not in self.ways:
                return None
            before = function.needs
            needs = tuple([x in self for x in function.inputs])
            if needs == before or (before is None and all(needs)):
                gradients = rule(function, grad)
            elif watched:
                function.needs = needs
                try:
                    gradients = rule(function, grad)
                finally:
                    function.needs = before
            else:
                told = copy(function)
                told.needs = needs
                gradients = rule(told, grad)
            return [g if need else None for g, need in zip(gradients, needs, strict=True)]

        return asked

    def _ways(self, roots: Sequence[Function]) -> set[int]:
        """The numbers of the Functions through which a gradient reaches a target."""
        floor = 0 if self.leaves else min(self.functions, default=0)
        seen: dict[int, Function] = {}
        stack = list(roots)
        while stack:
            function = stack.pop()
            if function._number in seen or function._number < floor:
                continue
            seen[function._number] = function
            if function.inputs is None and function._number not in self.functions:
                raise ReleasedGraphError.of(function)
            if function.inputs is not None and not self.stops_at(function):
                stack += [x for x in function.inputs if isinstance(x, Function)]
        ways: set[int] = set()
        for order in sorted(seen):
            if self.stops_at(seen[order]):
                continue
            for x in seen[order].inputs or ():
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
    rule: Rule | None = None,
    retain: bool = False,
    targets: Targets | None = None,
) -> dict[int, list[Any]]:
    """Send gradients back. `starts` are (Function or leaf, gradient at its output) pairs.

    Returns the leaves that were reached, as id → [leaf, gradient], or with `targets` fills `targets.found`.
    `rule(function, gradient)` gives the gradients at the inputs; without it, each Function's own rule does, on arrays.
    Unless `retain`, each Function lets go of what it saved as soon as it was used.
    """
    functions: dict[int, Function] = {}
    grads: dict[int, Any] = {}
    leaves: dict[int, list[Any]] = {}
    heap: list[int] = []
    observer = observing.active
    if observer is not None:
        begun = observing.clock()
    watching = guard.get()
    guarded = None if watching is None else watching.guarded(rule or Function.fitted_gradients, starts)
    if guarded is not None:
        rule = guarded.rule
    if targets is not None:
        watched = guarded is not None or observer is not None
        rule = targets.only(rule or Function.fitted_gradients, watched)
    for x, g in starts:
        if not isinstance(x, Function):
            _add(leaves, x, g)
        elif x._number in grads:
            grads[x._number] = grads[x._number] + g
        else:
            functions[x._number], grads[x._number] = x, g
            heappush(heap, -x._number)
    while heap:
        number = -heappop(heap)
        function, grad = functions.pop(number), grads.pop(number)
        # The next Function stays in hand where it can: on a chain nothing goes through the heap.
        while function is not None:
            inputs = function.inputs
            if inputs is None and (targets is None or function._number in targets.ways):
                raise ReleasedGraphError.of(function)
            # Where a nested way back stops, the outer one comes by again, and the hooks are its affair.
            if function._hooks is not None and not (targets is not None and targets.stops_at(function)):
                grad = function._hooks.run(grad)
            if rule is not None:
                gradients = rule(function, grad)
                if gradients is None:
                    break  # a target, and nothing to do behind it
            else:
                if function.stamp != memory.clock:
                    function.check_saved()
                if observer is not None:
                    started = observing.clock()
                gradients = function.backward(grad)
                if gradients.__class__ is not tuple:
                    gradients = (gradients,)
                if observer is not None:
                    observer.sent_back(function, grad, gradients, started)
                if len(gradients) != len(inputs):
                    check_gradients(function, gradients)
            following: Any = None
            try:
                for x, g in zip(inputs, gradients):  # noqa: B905  (they were counted)
                    if g is None:
                        continue
                    if isinstance(x, Function):
                        if g.dtype is not x.output_dtype or g.shape != x.output_shape:
                            g = function.fitted(x, g)
                        number = x._number
                        if number in grads:
                            before = grads[number]
                            # Into the memory of a large part that the rule made and nobody else holds: it is in the
                            # cache, and new memory would not be.
                            if references(g) == _FRESH and before.__class__ is ndarray and _ours(g):
                                grads[number] = np.add(before, g, g)
                            else:
                                grads[number] = before + g
                            before = None
                        elif following is None:
                            following, grad = x, g
                        elif following is x:
                            grad = grad + g
                        else:
                            functions[number], grads[number] = x, g
                            heappush(heap, -number)
                    elif isinstance(x, Tensor) and x._requires_grad and x._node is None:
                        array = x.array
                        if g.dtype is not array.dtype or g.shape != array.shape:
                            g = function.fitted(x, g)
                        if id(x) in leaves:
                            _add(leaves, x, g)
                        else:
                            leaves[id(x)] = [x, g]
            except AttributeError:
                check_gradients(function, gradients)
                raise
            if not retain and references(function) != _SOLE and len(function.__dict__) > 1:
                # Nothing but the shape stays: memory falls while the gradient goes back. One that nobody else holds
                # is gone as a whole in a moment. What has no more than its number saved nothing and holds no constant
                # (a + b): another output may still go back through it.
                number = function._number
                function.__dict__.clear()
                function._number = number
                function.inputs = None  # type: ignore[assignment]
            if following is not None and heap and -heap[0] > following._number:
                # Another one was recorded later, so it comes first.
                functions[following._number], grads[following._number] = following, grad
                number = -heappushpop(heap, -following._number)
                following, grad = functions.pop(number), grads.pop(number)
            function = following
    if targets is not None:
        for key, entry in leaves.items():
            if key in targets.leaves:
                x, g = entry[:2]
                targets.found[key] = g if x._hooks is None or targets.stop else x._hooks.run(g)
    if guarded is not None:
        guarded.arrived(
            {key: entry[1] for key, entry in leaves.items()} if targets is None else targets.found
        )
    if observer is not None:
        observer.span("tape", begun)
    return leaves


def _add(leaves: dict[int, list[Any]], leaf: Any, g: Any) -> None:
    """Add to what a leaf has; from the third part on in place, since the sum of two is ours alone."""
    entry = leaves.get(id(leaf))
    if entry is None:
        leaves[id(leaf)] = [leaf, g]
    elif len(entry) == 2 or entry[1].__class__ is not np.ndarray:
        entry[1:] = [entry[1] + g, True]
    else:
        entry[1] += g


def partial(
    starts: Sequence[tuple[Any, Any]],
    places: Mapping[Any, Any],
    *,
    rule: Rule | None = None,
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
new = Tensor.__new__
references: Callable[[Any], int] = getattr(sys, "getrefcount", lambda _: 0)


def accumulate(leaves: Mapping[int, list[Any]]) -> None:
    """Add each leaf's gradient to its `.grad`. All at the end: a rule never meets a half-updated one."""
    for entry in leaves.values():
        leaf = entry[0]
        if leaf._hooks is not None:
            entry[1] = leaf._hooks.run(entry[1])
    add_to_grad(leaves)


def add_to_grad(leaves: Mapping[int, list[Any]]) -> None:
    """The same for gradients that hooks have seen already."""
    with _lock:  # two threads may come with gradients for the same leaves
        for entry in leaves.values():
            leaf = entry[0]
            before = leaf._grad
            if isinstance(entry[1], Tensor):
                leaf.grad = entry[1].clone() if before is None else before + entry[1]
            elif before is None:
                leaf._grad = found = new(Tensor)
                found.array = owned(entry)
            elif before._node is None and before.array.flags.writeable:
                before.array += entry[1]
                memory.mark_written(before.array)
            else:
                leaf.grad = wrap(np.asarray(before.array + entry[1]))


def owned(entry: list[Any]) -> np.ndarray[Any, Any]:
    """The gradient entry[1], in memory that nobody else holds: writing into one `.grad` changes no other."""
    g = entry[1]
    if g.__class__ is np.ndarray and references(g) == _ALONE and g.flags.writeable:
        base = g.base
        if base is None:
            return g
        # A cut of memory that was made for it alone, to begin with a cache line.
        whole = base.__class__ is np.ndarray and references(base) == _ALONE and base.flags.owndata
        if whole and base.nbytes - g.nbytes <= _LINE:
            return g
    return np.array(g)


def _ours(g: Any) -> bool:
    """Is an array that only its maker's tuple holds large, and all of its memory its own?"""
    if g.__class__ is not ndarray or g.size < LARGE or not g.flags.writeable:
        return False
    base = g.base
    return base is None or (base.__class__ is ndarray and references(base) == _ALONE and base.flags.owndata)


def _alone() -> int:
    """What `references` says of an array that only its entry holds; interpreters differ in what they count, and where
    none count, every gradient is copied."""
    entry = [None, np.zeros(1)]
    g = entry[1]
    return references(g) or -1


def _fresh() -> int:
    """What it says in the loop over what a rule gave, of an array that only that tuple holds."""
    counts = [0]
    for _, g in zip((1, 2), (np.zeros(1), np.zeros(1))):  # noqa: B905  (as in `flow`)
        counts.append(references(g))
    return counts[-1] or -1


def _sole() -> int:
    """What it says of a Function that only `flow` holds, by a name of its own."""
    function = object()
    return references(function) or -1


ndarray = np.ndarray
_ALONE, _FRESH, _SOLE = _alone(), _fresh(), _sole()
_LINE = 64
LARGE = 1 << 12
"""So many numbers are worth a look at who holds them."""
