"""scaling: how time and memory grow with size: seen, not told.

print(tt_perf.scaling(lambda n: np.ones((n, n)) @ np.ones((n, n)), [256, 512, 1024]))
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tt_perf import words
from tt_perf.profiling.fit import Fit, power_law
from tt_perf.profiling.traced import Traced
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["Scaling", "scaling"]

LEAST = 2e-3
"""Seconds that are timed at once; what is shorter runs several times."""
MOST = 1 << 16
"""So many times at most."""


@dataclass(frozen=True)
class Scaling:
    """What `scaling` found. `print` it for a table.

    seconds: the median for each size. bytes: the peak beyond what there was before, None where it was not measured.
    time, memory: the fitted laws; None where nothing can be fitted (no memory was taken, say).
    """

    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    bytes: tuple[int, ...] | None
    time: Fit | None
    memory: Fit | None

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        return {
            "sizes": list(self.sizes),
            "seconds": list(self.seconds),
            "bytes": None if self.bytes is None else list(self.bytes),
            "time": None if self.time is None else self.time.to_dict(),
            "memory": None if self.memory is None else self.memory.to_dict(),
        }

    def table(self) -> Any:
        """A rich table."""
        from rich.table import Table

        table = Table()
        for name in ("N", "time", "memory"):
            table.add_column(name, justify="right")
        for i, size in enumerate(self.sizes):
            memory = "" if self.bytes is None else words.in_bytes(self.bytes[i])
            table.add_row(f"{size:,}", words.in_seconds(self.seconds[i]), memory)
        table.add_section()
        table.add_row("", _said(self.time), _said(self.memory))
        return table

    def __str__(self) -> str:
        from tt_perf.profiling.table import rendered

        return rendered(self.table())

    def save_picture(self, path: str | Path) -> None:
        """Draw both, with their laws, on logarithmic axes. Raises MissingWheelError without matplotlib."""
        from tt_perf.profiling.roofline import pyplot

        figure, axes = pyplot("scaling")
        _draw(axes, self.sizes, self.seconds, self.time, "time", "tab:blue")
        axes.set(xscale="log", yscale="log", xlabel="N", ylabel="seconds", title="How it grows")
        lines, names = axes.get_legend_handles_labels()
        if self.bytes is not None and self.memory is not None:
            beside = axes.twinx()
            _draw(beside, self.sizes, self.bytes, self.memory, "memory", "tab:red")
            beside.set(yscale="log", ylabel="bytes")
            more = beside.get_legend_handles_labels()
            lines, names = lines + more[0], names + more[1]
        axes.legend(lines, names)
        axes.grid(True, which="both", alpha=0.2)
        figure.savefig(path, dpi=120)


def _said(fit: Fit | None) -> str:
    return "" if fit is None else f"{fit.words}  ({fit.exponent:.2f}, 95 %: {fit.low:.2f} to {fit.high:.2f})"


def _draw(
    axes: Any, sizes: Sequence[float], values: Sequence[float], fit: Fit | None, what: str, colour: str
) -> None:
    axes.plot(sizes, values, "o", color=colour, label=what if fit is None else f"{what} {fit.words}")
    if fit is not None:
        axes.plot(sizes, [fit.predict(size) for size in sizes], "-", color=colour, alpha=0.5)


def scaling(
    fn: Callable[[int], Any],
    sizes: Sequence[int],
    *,
    repeats: int = 5,
    memory: bool = True,
    clock: Callable[[], float] = perf_counter,
) -> Scaling:
    """Time and peak memory of fn(size) for each size, and the powers of N that they grow with.

    Args:
        fn: does the work of one size. Where it gives a function, that one is the work, called without arguments, and
            what was prepared before is not measured. All sizes are prepared at once.
        sizes: at least two that differ. Take them large enough that the work is more than the overhead, or the
            exponent is that of both.
        repeats: of each the median is taken; one more run before them warms up.
        memory: whether a further run is followed by tracemalloc, which sees what NumPy and Python allocate.
        clock: seconds; `time.process_time`, say, where others use the machine.

    Raises ArgumentError for sizes or repeats that are none, DTypeError for what is not callable.
    """
    if not callable(fn):
        raise DTypeError(f"scaling: fn is called with a size; {type(fn).__name__} is not callable")
    try:
        given = list(sizes)
    except TypeError as error:
        raise ArgumentError(f"scaling: sizes must be several whole numbers, not {sizes!r}") from error
    bad = [n for n in given if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1]
    if bad or len(set(given)) < 2:
        raise ArgumentError(
            f"scaling: sizes must be whole numbers from 1 up, at least two that differ, not {given}: a growth needs two"
        )
    repeats = whole_number("scaling", "repeats", repeats, 1)
    works = [_work(fn, int(size)) for size in given]
    counts = [_count(work, clock) for work in works]
    times: list[list[float]] = [[] for _ in given]
    for _ in range(repeats):
        # All sizes in turn, so that what the machine does beside meets all of them.
        for work, count, found in zip(works, counts, times, strict=True):
            found.append(_timed(work, count, clock) / count)
    seconds = [median(found) for found in times]
    peaks = [_peak(work) for work in works] if memory else []
    return Scaling(
        tuple(int(size) for size in given),
        tuple(seconds),
        tuple(peaks) if memory else None,
        power_law(given, seconds),
        power_law(given, peaks) if memory else None,
    )


def _work(fn: Callable[[int], Any], size: int) -> Callable[[], Any]:
    """The work of one size. The first run warms up, and shows whether it gives a function."""
    prepared = fn(size)
    if not callable(prepared):
        return lambda: fn(size)
    prepared()
    return prepared  # type: ignore[no-any-return]


def _timed(work: Callable[[], Any], count: int, clock: Callable[[], float]) -> float:
    started = clock()
    for _ in range(count):
        work()
    return clock() - started


def _count(work: Callable[[], Any], clock: Callable[[], float]) -> int:
    """How many runs the clock can tell."""
    count = 1
    while count < MOST:
        took = _timed(work, count, clock)
        if took >= LEAST:
            break
        count = min(MOST, count * (16 if took <= 0 else max(2, min(16, math.ceil(LEAST / took)))))
    return count


def _peak(work: Callable[[], Any]) -> int:
    """The most bytes beyond what there was when it began."""
    gc.collect()
    traced = Traced()
    traced.start()
    try:
        work()
    finally:
        peak = traced.stop()
    return peak
