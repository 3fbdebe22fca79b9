"""profile: where the time of a block of code goes, op by op, forward and backward.

    with tt_perf.profile() as p:
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
    print(p)

It is an observer in tt-tensor's slot. When the block ends it leaves, and nothing stays behind.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from tt_perf.profiling import observers
from tt_perf.profiling.ceilings import Ceilings, measure_ceilings
from tt_perf.profiling.events import Event, Log
from tt_perf.profiling.live import Live
from tt_perf.profiling.nesting import Node, nested
from tt_perf.profiling.rows import ModuleRow, OpRow, SpanRow, summed
from tt_perf.profiling.traced import Traced
from tt_tensor import observing
from tt_tensor.errors import ArgumentError

__all__ = ["MemoryPeak", "Profile", "profile", "span"]


class MemoryPeak:
    """The most memory at once.

    Attributes:
        bytes: of the large arrays that ops of the block made, kept or sent back.
        by_op: op → how many of these it held then, the most first.
        traced: all that NumPy and Python allocated beyond what there was before; None without `traced`.
    """

    def __init__(self, live: Live | None, traced: int | None) -> None:
        self.bytes = 0 if live is None else live.peak
        held = {} if live is None else live.at_peak
        self.by_op = {op: size for op, size in sorted(held.items(), key=lambda pair: -pair[1]) if size}
        self.traced = traced

    @property
    def op(self) -> str | None:
        """Which op held the most."""
        return next(iter(self.by_op), None)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and names."""
        return {"bytes": self.bytes, "by_op": self.by_op, "traced": self.traced}


class Profile:
    """What `profile` returns, to be entered once; see there. Figures can be read when the block has ended.

    Attributes:
        seconds: wall clock of the block.
        memory: a MemoryPeak.
        lost: events that found no room; their time is part of "other".
    """

    def __init__(
        self, ceilings: Ceilings | None, modules: bool, memory: bool, traced: bool, most: int
    ) -> None:
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise ArgumentError(
                f"profile: most is how many events are kept, a whole number from 1 up, not {most!r}"
            )
        if ceilings is not None and not isinstance(ceilings, Ceilings):
            raise ArgumentError(f"profile: ceilings must be Ceilings(flops, bandwidth), not {ceilings!r}")
        self._given, self._traced = ceilings, Traced() if traced else None
        self._live = Live() if memory else None
        self._log = Log(most, modules, self._live)
        self._begun: float | None = None
        self._ended: float | None = None
        self.memory = MemoryPeak(None, None)
        self.thread = 0
        self.started = 0.0

    def __enter__(self) -> Profile:
        if self._begun is not None:
            raise ArgumentError("profile: this one was entered before; make a new one for each block")
        self.thread = threading.get_ident()
        if self._traced is not None:
            self._traced.start()
        observers.add(self._log)
        self._begun = self.started = observing.clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = observing.clock()
        observers.remove(self._log)
        peak = None if self._traced is None else self._traced.stop()
        if self._live is not None:
            self._live.stop()
        self.memory = MemoryPeak(self._live, peak)

    # --- figures --------------------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Wall clock of the block. Raises ArgumentError before its end."""
        if self._begun is None or self._ended is None:
            raise ArgumentError(
                "profile: the block has not ended; read the figures after `with tt_perf.profile() as p:`"
            )
        return self._ended - self._begun

    @property
    def lost(self) -> int:
        """Events that found no room (`most`)."""
        return self._log.lost

    @cached_property
    def events(self) -> list[Event]:
        """All that happened, in the order of their ends, what began before the block left out."""
        self.seconds  # noqa: B018  (raises before the end)
        begun, ended = self.started, self._ended or 0.0
        return [event for event in self._log.events() if begun <= event.started and event.ended <= ended]

    @cached_property
    def roots(self) -> dict[int, list[Node]]:
        """Thread → its outermost events; that of the block first."""
        by_thread: dict[int, list[Event]] = {self.thread: []}
        for event in self.events:
            by_thread.setdefault(event.thread, []).append(event)
        return {thread: nested(events) for thread, events in by_thread.items()}

    @cached_property
    def _sums(self) -> Any:
        return summed(self.roots, self.thread)

    @property
    def ops(self) -> list[OpRow]:
        """A row for each kind of Function, the longest first."""
        found: list[OpRow] = self._sums.ops
        return found

    @property
    def spans(self) -> list[SpanRow]:
        """Optimizer steps, the tape's own work, waits for data, and the spans of your own; the longest first."""
        found: list[SpanRow] = self._sums.spans
        return found

    @property
    def modules(self) -> list[ModuleRow]:
        """A row for each module that was called, by its path in the outermost one; in the order of first calls."""
        found: list[ModuleRow] = self._sums.modules
        return found

    @property
    def threads(self) -> dict[str, float]:
        """Thread → seconds in ops and spans; "main" is that of the block."""
        found: dict[str, float] = self._sums.threads
        return found

    @property
    def other(self) -> float:
        """Seconds of the block's thread that nothing above explains: Python between the ops, data, waiting."""
        return max(0.0, self.seconds - self.threads["main"])

    @property
    def flops(self) -> int:
        """Of all ops, forward and backward."""
        return sum(row.flops for row in self.ops)

    @cached_property
    def ceilings(self) -> Ceilings:
        """The machine's: those given, or measured now, which takes a second or two."""
        return measure_ceilings() if self._given is None else self._given

    # --- ways to look at it ---------------------------------------------------------------------------------

    def table(self, by: str = "op") -> Any:
        """A rich table, to be printed by a rich Console; `print(p)` shows the same.

        Args:
            by: "op" for a row an op, "module" for a row a module.

        Raises ArgumentError for another `by`.
        """
        from tt_perf.profiling.table import module_table, op_table

        if by not in ("op", "module"):
            raise ArgumentError(f"profile.table: by is 'op' or 'module', not {by!r}")
        return op_table(self) if by == "op" else module_table(self)

    def __str__(self) -> str:
        if self._ended is None:
            return repr(self)
        from tt_perf.profiling.table import as_text

        return as_text(self)

    def __repr__(self) -> str:
        if self._ended is None:
            return "Profile(the block has not ended)"
        return f"Profile({self.seconds:.6f} s, {len(self.events)} events)"

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain numbers, strings, lists and dicts: what JSON takes."""
        return {
            "seconds": self.seconds,
            "ops": [row.to_dict() for row in self.ops],
            "spans": [row.to_dict() for row in self.spans],
            "modules": [row.to_dict() for row in self.modules],
            "module_seconds": self._sums.module_seconds,
            "other_seconds": self.other,
            "threads": self.threads,
            "flops": self.flops,
            "memory": self.memory.to_dict(),
            "ceilings": None
            if self._given is None and "ceilings" not in self.__dict__
            else self.ceilings.to_dict(),
            "lost": self.lost,
        }

    def save_trace(self, path: str | Path) -> None:
        """Write Chrome's trace format (JSON): open it at ui.perfetto.dev or chrome://tracing."""
        from tt_perf.profiling.trace import chrome_trace, write_json

        write_json(path, chrome_trace(self))

    def save_speedscope(self, path: str | Path) -> None:
        """Write speedscope's format (JSON): open it at speedscope.app."""
        from tt_perf.profiling.trace import speedscope, write_json

        write_json(path, speedscope(self))

    def roofline(self, path: str | Path) -> None:
        """Draw FLOP/s against FLOPs a byte of each op, under the machine's roof, into a picture.

        Raises MissingWheelError without matplotlib.
        """
        from tt_perf.profiling.roofline import draw

        draw(self.ops, self.ceilings, path)


def profile(
    *,
    ceilings: Ceilings | None = None,
    modules: bool = True,
    memory: bool = True,
    traced: bool = False,
    most: int = 1_000_000,
) -> Profile:
    """A context manager that measures the block: time, calls, FLOPs and bytes of each op, in all threads.

    Times of an op are its own: what runs inside of it (a Function in a Function) is counted there. All rows of the
    block's thread and "other" add up to the wall clock; other threads have their own sum.

    Args:
        ceilings: the machine's (`measure_ceilings()`), against which speeds are held; None: measured when needed.
        modules: whether calls of tt-nn's modules are noted, for `modules` and `table("module")`.
        memory: whether arrays from 64 KiB are followed from birth to death, for `memory`.
        traced: whether tracemalloc gives the exact peak, too, of all that is allocated; that is slow.
        most: how many events are kept, some 130 bytes each.

    Profiles can be nested, and run side by side: each sees all that happens while it is on.

    Raises ArgumentError for arguments that are none of these.
    """
    return Profile(ceilings, modules, memory, traced, most)


@contextmanager
def span(name: str) -> Iterator[None]:
    """A block with a name of its own in every profile that is on; without one it does nothing.

    Raises ArgumentError for a name that is no string.
    """
    if not isinstance(name, str):
        raise ArgumentError(f"span: the name must be a string, not {name!r}")
    started = observing.clock()
    try:
        yield
    finally:
        if observing.active is not None:
            observing.active.span(name, started)
