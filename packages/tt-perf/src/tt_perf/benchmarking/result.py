"""What a benchmark found: timings, ratios to the reference, and all that is needed to judge them later.

Only measurements are read from a file; medians, ratios and intervals are computed from them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_perf.benchmarking.errors import ResultFileError
from tt_perf.benchmarking.json_files import read_json, write_json
from tt_perf.benchmarking.statistics import Estimate, median_of, paired_ratio
from tt_perf.words import in_seconds, rendered
from tt_tensor.errors import ArgumentError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["BenchmarkResult", "Ratio", "Timing"]

FORMAT = "tt-perf benchmark 1"


@dataclass(frozen=True)
class Timing:
    """One contender.

    Attributes:
        name: what it was called.
        calls: how many calls made a turn.
        seconds: for each process (in this one: a single row) the seconds a call of each turn.
        median: of all turns, with its interval.
        fastest: the best turn.
    """

    name: str
    calls: int
    seconds: tuple[tuple[float, ...], ...]
    median: Estimate
    fastest: float


@dataclass(frozen=True)
class Ratio:
    """time(name) / time(reference), paired round by round.

    Attributes:
        verdict: "faster", "slower", or "no difference" where the interval holds 1: then the noise covers whatever
            difference there may be.
    """

    name: str
    reference: str
    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """ "faster", "slower" or "no difference"."""
        if self.low <= 1 <= self.high:
            return "no difference"
        return "faster" if self.value < 1 else "slower"

    def __str__(self) -> str:
        if self.verdict == "no difference":
            return f"no difference: {self.low:.3g} to {self.high:.3g}"
        return f"{self.verdict}: {self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class BenchmarkResult:
    """All of a benchmark.

    Attributes:
        title: what it was about.
        reference: the contender that the others are compared with.
        measured: name → (calls a turn, seconds a call by process and turn).
        settings: rounds, level, seed, threads, processes.
        machine: see `describe_machine`.
        when: the time it ended, UTC, ISO 8601.
    """

    title: str
    reference: str
    measured: Mapping[str, tuple[int, tuple[tuple[float, ...], ...]]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    when: str = ""

    @property
    def level(self) -> float:
        """Of the intervals."""
        return float(self.settings.get("level", 0.99))

    @cached_property
    def timings(self) -> dict[str, Timing]:
        """Each contender's, by name."""
        seed = int(self.settings.get("seed", 0))
        return {
            name: Timing(name, calls, seconds, median_of(seconds, self.level, seed), min(map(min, seconds)))
            for name, (calls, seconds) in self.measured.items()
        }

    @cached_property
    def ratios(self) -> dict[str, Ratio]:
        """Each contender's against the reference, by name."""
        return {name: self.ratio(name) for name in self.measured if name != self.reference}

    def ratio(self, name: str, reference: str | None = None) -> Ratio:
        """time(name) / time(reference). Raises ArgumentError for a contender that is not there."""
        other = self.reference if reference is None else reference
        for one in (name, other):
            if one not in self.measured:
                raise ArgumentError(f"ratio: no contender {one!r}; there are {', '.join(self.measured)}")
        found = paired_ratio(
            self.measured[name][1], self.measured[other][1], self.level, int(self.settings.get("seed", 0))
        )
        return Ratio(name, other, *found)

    def table(self) -> str:
        """Medians, fastest turns, ratios and verdicts as text."""
        rows = []
        for name, timing in self.timings.items():
            low, high = in_seconds(timing.median.low), in_seconds(timing.median.high)
            median = in_seconds(timing.median.value)
            verdict = "reference" if name == self.reference else str(self.ratios[name])
            rows.append((name, median, f"{low} to {high}", in_seconds(timing.fastest), verdict))
        percent = f"{100 * self.level:g} %"
        heads = ("", "median", f"{percent} interval", "fastest", f"÷ {self.reference} ({percent})")
        title = self.title or "benchmark"
        if (threads := self.settings.get("threads")) is not None:
            title += f" ({threads} thread{'s' * (threads != 1)})"
        return rendered(heads, rows, title=title)

    __str__ = table

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON can hold it, measurements and what follows from them."""
        contenders = {}
        for name, timing in self.timings.items():
            one = asdict(timing) | {"median": timing.median._asdict()}
            del one["name"]
            if name != self.reference:
                ratio = self.ratios[name]
                one["ratio"] = {"value": ratio.value, "low": ratio.low, "high": ratio.high}
                one["verdict"] = ratio.verdict
            contenders[name] = one
        return {
            "format": FORMAT,
            "title": self.title,
            "when": self.when,
            "reference": self.reference,
            "settings": dict(self.settings),
            "machine": dict(self.machine),
            "contenders": contenders,
        }

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as JSON: aside, then renamed. Raises OSError where the disk refuses."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> BenchmarkResult:
        """What `save` wrote. Raises ResultFileError that says what is wrong with any other file."""
        return cls.from_dict(read_json(path), str(path))

    @classmethod
    def from_dict(cls, found: Any, where: str = "result") -> BenchmarkResult:
        """What `to_dict` gave. Raises ResultFileError whose message begins with `where`."""
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ResultFileError(f'{where} is no result of tt_perf.benchmark: it lacks "format": {FORMAT!r}')
        contenders = found.get("contenders")
        if not isinstance(contenders, dict) or not contenders:
            raise ResultFileError(
                f"{where}: contenders are an object with at least one name, not {contenders!r}"
            )
        measured = {name: _measured(one, f"{where}: contender {name!r}") for name, one in contenders.items()}
        reference = found.get("reference")
        if reference not in measured:
            raise ResultFileError(f"{where}: the reference {reference!r} is not among {', '.join(measured)}")
        shapes = {name: (len(s), len(s[0])) for name, (_, s) in measured.items()}
        if len(set(shapes.values())) > 1:
            raise ResultFileError(f"{where}: contenders took different numbers of turns: {shapes}")
        settings, machine = found.get("settings", {}), found.get("machine", {})
        title, when = found.get("title", ""), found.get("when", "")
        if not isinstance(settings, dict) or not isinstance(machine, dict):
            raise ResultFileError(f"{where}: settings and machine are objects")
        if not isinstance(title, str) or not isinstance(when, str):
            raise ResultFileError(f"{where}: title and when are text")
        level, seed = settings.get("level", 0.99), settings.get("seed", 0)
        if not isinstance(level, float) or not 0 < level < 1 or type(seed) is not int or seed < 0:
            raise ResultFileError(
                f"{where}: level {level!r} and seed {seed!r} are no settings of a benchmark"
            )
        return cls(title, str(reference), measured, settings, machine, when)


def _measured(one: Any, where: str) -> tuple[int, tuple[tuple[float, ...], ...]]:
    calls, rows = (one.get("calls"), one.get("seconds")) if isinstance(one, dict) else (None, None)
    if type(calls) is not int or calls < 1:
        raise ResultFileError(f"{where}: calls is a whole number from 1 up, not {calls!r}")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and row for row in rows):
        raise ResultFileError(f"{where}: seconds are rows of turns, one for each process")
    if len({len(row) for row in rows}) > 1:
        raise ResultFileError(f"{where}: its processes took different numbers of turns")
    for second in (second for row in rows for second in row):
        if type(second) not in (int, float) or not 0 < second < np.inf:
            raise ResultFileError(f"{where}: a turn took {second!r}, which is no positive number of seconds")
    return calls, tuple(tuple(map(float, row)) for row in rows)
