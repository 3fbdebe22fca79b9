"""Events: what an observer of tt-tensor writes down, as little as will do, for it counts as time of the program.

Six entries of one flat list for each thing that ended, in the order of their ends. What shapes an application had, it
shares with all that had the same; and no tuple is kept for an event, as Python's garbage collector would come and
look at them every few hundred. What lies inside of what is worked out afterwards, from the times (nesting.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import get_ident
from typing import Any, NamedTuple

from tt_perf.profiling.flops import described, formula_of
from tt_perf.profiling.live import Live
from tt_tensor import Tensor
from tt_tensor.observing import clock

__all__ = ["BACKWARD", "FORWARD", "MODULE", "SPAN", "Event", "Log"]

FORWARD, BACKWARD, MODULE, SPAN, WHOLE = range(5)
"""The sorts of events. WHOLE: a rule whose forward was not seen, so that it is described itself."""

WIDTH = 6
"""Entries of an event: sort, started, ended, thread, the id of the Function, and what it was."""


class Event(NamedTuple):
    """One thing that has ended. Modules and spans have no more than `what`."""

    sort: int
    started: float
    ended: float
    thread: int
    key: int
    """The id of the Function: its forward and its backward have the same."""
    what: Any
    """The class of the Function, the module, the name of the span."""
    inputs: tuple[Any, ...] = ()
    """Shape, dtype, shape, dtype, …"""
    output: tuple[int, ...] = ()
    dtype: Any = None
    facts: Any = None
    needs: tuple[bool, ...] | None = None


class Log:
    """An observer (`tt_tensor.observing.Observer`) that keeps a list of events.

    Args:
        most: how many are kept; what comes later is counted in `lost`.
        modules: whether calls of modules are.
        live: follows the large arrays; None: nobody does.
    """

    def __init__(self, most: int, modules: bool, live: Live | None) -> None:
        self.entries: list[Any] = []
        self.most, self.lost, self.live = most, 0, live
        self._facts: dict[type, Callable[[Any], Any] | None] = {}
        self.applied, self.sent_back = self._functions()
        self.called = self._called() if modules else _ignored
        self.span = self._span()

    def __len__(self) -> int:
        return len(self.entries) // WIDTH

    def _prepare(self, kind: type) -> Callable[[Any], Any] | None:
        formula = formula_of(kind)
        found = self._facts[kind] = None if formula is None else formula.facts
        return found

    def _functions(self) -> tuple[Callable[..., None], Callable[..., None]]:
        """The two that are called most, as closures: their names are local, and nanoseconds count here."""
        entries, most, known, prepare = self.entries, self.most * WIDTH, self._facts, self._prepare
        extend, live = entries.extend, self.live
        signatures: dict[Any, Any] = {}
        shared = signatures.setdefault
        least = 1 << 62 if live is None else live.least
        # Functions that were applied while this one looked: their rules need not be described again. An id belongs to
        # one of them as long as it lives, and to the next one only after its forward was seen.
        seen: set[int] = set()
        note = seen.add

        def applied(function: Any, inputs: tuple[Any, ...], output: Any, started: float) -> None:
            ended = clock()
            kind = function.__class__
            try:
                facts = known[kind]
            except KeyError:
                facts = prepare(kind)
            if facts is not None:
                facts = facts(function)
            try:
                # The common arities are written out.
                if len(inputs) == 1:
                    a = inputs[0].array
                    kinds: Any = (a.shape, a.dtype)
                elif len(inputs) == 2:
                    a, b = inputs[0].array, inputs[1].array
                    kinds = (a.shape, a.dtype, b.shape, b.dtype)
                elif len(inputs) == 3:
                    a, b, c = inputs[0].array, inputs[1].array, inputs[2].array
                    kinds = (a.shape, a.dtype, b.shape, b.dtype, c.shape, c.dtype)
                else:
                    kinds = described_all(inputs)
            except AttributeError:  # a number, None
                kinds = described_all(inputs)
            key = id(function)
            note(key)
            signature = (kind, kinds, output.shape, output.dtype, facts)
            extend((0, started, ended, get_ident(), key, shared(signature, signature)))
            if output.nbytes >= least:
                live.applied(function, inputs, output)  # type: ignore[union-attr]
            if len(entries) > most:
                self._lose()

        def sent_back(function: Any, grad: Any, gradients: tuple[Any, ...], started: float) -> None:
            ended = clock()
            key = id(function)
            if key in seen and grad.__class__ is not Tensor:
                extend((1, started, ended, get_ident(), key, function.needs))
            else:
                extend((4, started, ended, get_ident(), key, _whole(function, grad, prepare)))
            if live is not None:
                for g in gradients:
                    if g is not None and g.nbytes >= least:
                        live.sent_back(function, grad, gradients)
                        break
            if len(entries) > most:
                self._lose()

        return applied, sent_back

    def _called(self) -> Callable[[Any, float], None]:
        extend = self.entries.extend

        def called(module: Any, started: float) -> None:
            extend((2, started, clock(), get_ident(), 0, module))

        return called

    def _span(self) -> Callable[[Any, float], None]:
        extend = self.entries.extend

        def span(what: Any, started: float) -> None:
            name = what if isinstance(what, str) else f"{type(what).__name__}.step"
            extend((3, started, clock(), get_ident(), 0, name))

        return span

    def _lose(self) -> None:
        """The list is full: the last one goes."""
        del self.entries[-WIDTH:]
        self.lost += 1

    def events(self) -> Iterator[Event]:
        """All of them, those of rules with what was noted at the forward of their Function."""
        forward: dict[int, Any] = {}
        parts = iter(self.entries[: len(self) * WIDTH])
        for sort, started, ended, thread, key, what in zip(*[parts] * WIDTH, strict=True):
            if sort in (MODULE, SPAN):
                yield Event(sort, started, ended, thread, key, what)
            elif sort == FORWARD:
                forward[key] = what
                yield Event(sort, started, ended, thread, key, *what)
            elif sort == WHOLE:
                yield Event(BACKWARD, started, ended, thread, key, *what)
            elif key in forward:  # else the forward found no room
                yield Event(sort, started, ended, thread, key, *(*forward[key], what))


def _ignored(module: Any, started: float) -> None:
    pass


def described_all(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Shape, dtype, shape, dtype, … of inputs of any kind."""
    return tuple([part for x in inputs for part in described(x)])


def _whole(function: Any, grad: Any, prepare: Callable[..., Any]) -> tuple[Any, ...]:
    """What a rule is about whose forward was not seen, or whose gradient is a Tensor."""
    kind = function.__class__
    facts = prepare(kind)
    if facts is not None:
        facts = facts(function)
    if isinstance(grad, Tensor):
        kind = ("outer", kind)  # it is computed by Functions that are observed themselves
    return (kind, described_all(function.inputs), function.output_shape, grad.dtype, facts, function.needs)
