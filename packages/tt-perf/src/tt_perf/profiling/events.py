"""Events: what an observer of tt-tensor writes down, as little as will do, for it counts as time of the program.

One tuple for each thing that ended, in the order of their ends. What lies inside of what is worked out afterwards,
from the times (nesting.py).
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any, NamedTuple

from tt_perf.profiling.flops import described, formula_of
from tt_perf.profiling.live import Live
from tt_tensor import Tensor
from tt_tensor.observing import clock

__all__ = ["BACKWARD", "FORWARD", "MODULE", "SPAN", "Event", "Log"]

FORWARD, BACKWARD, MODULE, SPAN = range(4)


class Event(NamedTuple):
    """One thing that has ended. Modules and spans have no more than `what`."""

    sort: int
    started: float
    ended: float
    thread: int
    what: Any
    """The class of the Function, the module, the name of the span."""
    key: int = 0
    """The id of the Function: its forward and its backward have the same."""
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
        self.events: list[tuple[Any, ...]] = []
        self.most, self.lost, self.live = most, 0, live
        self._facts: dict[type, Callable[[Any], Any] | None] = {}
        self.applied, self.sent_back = self._functions()
        self.called = self._called() if modules else _ignored
        self.span = self._span()

    @property
    def full(self) -> bool:
        """Is there no more room? Then what ends is lost."""
        return len(self.events) >= self.most

    def _prepare(self, kind: type) -> Callable[[Any], Any] | None:
        formula = formula_of(kind)
        found = self._facts[kind] = None if formula is None else formula.facts
        return found

    def _functions(self) -> tuple[Callable[..., None], Callable[..., None]]:
        """The two that are called most, as closures: their names are local."""
        events, most, known, prepare = self.events, self.most, self._facts, self._prepare
        append, live = events.append, self.live
        least = 1 << 62 if live is None else live.least

        def applied(function: Any, inputs: tuple[Any, ...], output: Any, started: float) -> None:
            ended = clock()
            kind = function.__class__
            try:
                facts = known[kind]
            except KeyError:
                facts = prepare(kind)
            if facts is not None:
                facts = facts(function)
            kinds: Any = ()
            for x in inputs:
                if isinstance(x, Tensor):
                    array = x.array
                    kinds += (array.shape, array.dtype)
                else:
                    kinds += described(x)
            append(
                (0, started, ended, get_ident(), kind, id(function), kinds, output.shape, output.dtype, facts)
            )
            if output.nbytes >= least:
                live.applied(function, inputs, output)  # type: ignore[union-attr]
            if len(events) > most:
                self._lose()

        def sent_back(function: Any, grad: Any, gradients: tuple[Any, ...], started: float) -> None:
            ended = clock()
            kind = function.__class__
            try:
                facts = known[kind]
            except KeyError:
                facts = prepare(kind)
            if facts is not None:
                facts = facts(function)
            kinds: Any = ()
            for x in function.inputs:
                kinds += described(x)
            if isinstance(grad, Tensor):
                kind = ("outer", kind)  # it is computed by Functions that are observed themselves
            place = function.output_shape
            append(
                (
                    1,
                    started,
                    ended,
                    get_ident(),
                    kind,
                    id(function),
                    kinds,
                    place,
                    grad.dtype,
                    facts,
                    function.needs,
                )
            )
            if live is not None:
                live.sent_back(function, grad, gradients)
            if len(events) > most:
                self._lose()

        return applied, sent_back

    def _called(self) -> Callable[[Any, float], None]:
        append = self.events.append

        def called(module: Any, started: float) -> None:
            append((2, started, clock(), get_ident(), module))

        return called

    def _span(self) -> Callable[[Any, float], None]:
        append = self.events.append

        def span(what: Any, started: float) -> None:
            append(
                (
                    3,
                    started,
                    clock(),
                    get_ident(),
                    what if isinstance(what, str) else f"{type(what).__name__}.step",
                )
            )

        return span

    def _lose(self) -> None:
        """The list is full: the last one goes."""
        self.events.pop()
        self.lost += 1


def _ignored(module: Any, started: float) -> None:
    pass
