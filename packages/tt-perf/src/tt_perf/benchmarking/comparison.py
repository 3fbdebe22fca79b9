"""compare: what became slower between two results of the same benchmark, taken at different times.

    ratio = median(new) / median(old),     relative: (new / its reference) / (old / its reference)

A regression is a ratio above the threshold whose interval lies above 1. A ratio above the threshold whose interval
holds 1 is "uncertain": measure longer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_perf.benchmarking.errors import ResultFileError
from tt_perf.benchmarking.machine import hardware, machine_differences
from tt_perf.benchmarking.result import BenchmarkResult
from tt_perf.benchmarking.statistics import ratio_of_medians
from tt_perf.words import in_seconds, rendered
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["Change", "Comparison", "compare"]


@dataclass(frozen=True)
class Change:
    """One contender, before and after: median seconds, their ratio with its interval, and what that means.

    Attributes:
        verdict: "regression", "improvement", "same", or "uncertain".
    """

    name: str
    old: float
    new: float
    ratio: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Two results side by side.

    Attributes:
        changes: of the contenders that both have.
        gone: contenders that only the old result has.
        added: contenders that only the new result has.
        machines: facts that differ between the machines, with both values.
        other_hardware: whether they are different machines, so that times do not compare.
    """

    changes: tuple[Change, ...]
    gone: tuple[str, ...]
    added: tuple[str, ...]
    machines: Mapping[str, tuple[Any, Any]]
    other_hardware: bool
    threshold: float
    relative: bool

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What became slower."""
        return tuple(change for change in self.changes if change.verdict == "regression")

    def table(self) -> str:
        """The changes, and below what else is to know, as text."""
        rows = [
            (
                change.name,
                in_seconds(change.old),
                in_seconds(change.new),
                f"{change.ratio:.3f}",
                f"{change.low:.3f} to {change.high:.3f}",
                change.verdict,
            )
            for change in self.changes
        ]
        ratio = "new ÷ old" + (", relative" if self.relative else "")
        text = rendered(
            ("", "old", "new", ratio, "interval", "verdict"), rows, title=f"threshold {self.threshold:g}"
        )
        for name in self.gone:
            text += f"{name}: only in the old result\n"
        for name in self.added:
            text += f"{name}: only in the new result\n"
        for fact, (old, new) in self.machines.items():
            text += f"{fact} differs: {old!r} before, {new!r} now\n"
        if self.other_hardware:
            text += "the machines differ, so a change of time may be theirs" + (
                "\n" if self.relative else "; --relative compares with each run's reference instead\n"
            )
        return text

    __str__ = table


def compare(
    old: BenchmarkResult, new: BenchmarkResult, threshold: float = 1.05, *, relative: bool = False
) -> Comparison:
    """What became slower from `old` to `new`.

    Args:
        threshold: ratios up to this are no regression, down to its inverse no improvement.
        relative: compare each contender's ratio to its reference, which stood in the same run, so that a machine
            that was slower that day drops out.

    Raises ArgumentError for a threshold below 1, DTypeError for what is no result, ResultFileError where there is
    nothing in common to compare.
    """
    if not isinstance(threshold, int | float) or not 1 <= threshold < math.inf:
        raise ArgumentError(f"compare: threshold is a ratio from 1 up, as 1.05 is, not {threshold!r}")
    for result in (old, new):
        if not isinstance(result, BenchmarkResult):
            raise DTypeError(
                f"compare: two BenchmarkResults are compared, not {type(result).__name__}; BenchmarkResult.load(path) "
                "reads a file"
            )
    common = [name for name in old.measured if name in new.measured]
    if relative:
        if old.reference != new.reference:
            raise ResultFileError(
                f"compare: the references differ, {old.reference!r} and {new.reference!r}, so ratios to them do not "
                "compare"
            )
        common.remove(old.reference)
    if not common:
        raise ResultFileError(
            f"compare: no contender in common; the old result has {', '.join(old.measured)}, the new one "
            f"{', '.join(new.measured)}"
        )
    level = max(old.level, new.level)
    changes = []
    for name in common:
        before, after = _turns(old, name, relative), _turns(new, name, relative)
        ratio, low, high = ratio_of_medians(after, before, level, 0)
        verdict = _verdict(ratio, low, high, threshold)
        was, is_now = old.timings[name].median.value, new.timings[name].median.value
        changes.append(Change(name, was, is_now, ratio, low, high, verdict))
    return Comparison(
        tuple(changes),
        tuple(name for name in old.measured if name not in new.measured),
        tuple(name for name in new.measured if name not in old.measured),
        machine_differences(old.machine, new.machine),
        hardware(old.machine) != hardware(new.machine),
        float(threshold),
        relative,
    )


def _turns(result: BenchmarkResult, name: str, relative: bool) -> Any:
    seconds = np.asarray(result.measured[name][1])
    return seconds / np.asarray(result.measured[result.reference][1]) if relative else seconds


def _verdict(ratio: float, low: float, high: float, threshold: float) -> str:
    if 1 / threshold <= ratio <= threshold:
        return "same"
    if low <= 1 <= high:
        return "uncertain"
    return "regression" if ratio > 1 else "improvement"
