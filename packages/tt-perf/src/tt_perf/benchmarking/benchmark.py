"""benchmark: which of these is faster, and is that more than noise?

    result = tt_perf.benchmark({"a": fn, "b": other})
    print(result.table())

What makes it fair: each contender is warmed up, and called so often in a turn that the clock can tell; contenders
take turns in rounds, in an order that is drawn for each round, so what the machine does meanwhile meets all of them;
what is compared is the turns of one round, and where the interval around the ratio holds 1, no difference is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np

from tt_perf.benchmarking.errors import ContenderError
from tt_perf.benchmarking.machine import describe_machine
from tt_perf.benchmarking.naming import found, named
from tt_perf.benchmarking.result import BenchmarkResult
from tt_perf.benchmarking.runners import Apart, Here, Runner
from tt_perf.benchmarking.threads import limited
from tt_perf.benchmarking.timing import Timer
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError

__all__ = ["benchmark"]

Contenders = Mapping[str, Callable[[], Any] | str] | Callable[[], Any] | str


def benchmark(
    contenders: Contenders,
    *,
    reference: str | None = None,
    rounds: int = 21,
    slice_seconds: float = 0.02,
    warm_up: int = 1,
    processes: bool = False,
    restarts: int = 3,
    threads: int | None = None,
    level: float = 0.99,
    seed: int = 0,
    title: str = "",
    timer: Timer = perf_counter,
) -> BenchmarkResult:
    """Time contenders against each other.

    Args:
        contenders: names with functions of no arguments, or with names of such ("module:function", "file.py:function";
            with "()" behind it, what the function returns is timed). One function alone is timed by itself.
        reference: whom the others are compared with; the first by default.
        rounds: turns of each contender.
        slice_seconds: how long a turn is.
        warm_up: calls before anything is timed.
        processes: whether each contender gets a process of its own: thread pools and allocations of one then do not
            disturb another. Functions must be such that another process finds them by name.
        restarts: with processes, how many each contender gets in turn; the rounds are shared out among them.
        threads: of BLAS and of layers in shards, for all contenders; None leaves them as they are.
        level: of the intervals. 99 %, since of several comparisons each may mislead.
        seed: draws orders and intervals.
        title: what it is about.
        timer: a clock in seconds; for functions in this process.

    Raises ArgumentError for values that make no benchmark, ContenderError for a contender that cannot be found or,
    in a process of its own, fails; in this process its own error comes through.
    """
    chosen = _checked(contenders)
    first = next(iter(chosen)) if reference is None else reference
    if first not in chosen:
        raise ArgumentError(f"benchmark: the reference {first!r} is not among {', '.join(chosen)}")
    rounds = whole_number("benchmark", "rounds", rounds, 2)
    restarts = whole_number("benchmark", "restarts", restarts, 1)
    warm_up, seed = whole_number("benchmark", "warm_up", warm_up), whole_number("benchmark", "seed", seed)
    threads = None if threads is None else whole_number("benchmark", "threads", threads, 1)
    level, slice_seconds = _level(level), _slice(slice_seconds)
    if not isinstance(title, str):
        raise ArgumentError(f"benchmark: title is text, not {title!r}")
    if processes and timer is not perf_counter:
        raise ArgumentError(
            "benchmark: contenders in processes of their own have their own clock; leave timer out"
        )

    rng = np.random.default_rng(seed)
    groups = min(restarts, rounds) if processes else 1
    turns = -(-rounds // groups)
    seconds: dict[str, list[tuple[float, ...]]] = {name: [] for name in chosen}
    calls: dict[str, int] = {}
    known = {name: named(one) for name, one in chosen.items()} if processes else {}
    for _ in range(groups):
        with ExitStack() as stack:
            runners: dict[str, Runner] = {}
            if processes:
                for name, place in known.items():
                    apart = Apart(place, name, slice_seconds, warm_up, threads)
                    stack.callback(apart.end)
                    apart.start()
                    runners[name] = apart
            else:
                stack.enter_context(limited(threads))
                for name, one in chosen.items():
                    step = found(one) if isinstance(one, str) else one
                    runners[name] = Here(step, slice_seconds, warm_up, timer)
            for name, row in _alternated(runners, turns, rng).items():
                seconds[name].append(tuple(row))
            calls |= {name: runner.calls for name, runner in runners.items()}
    settings = {
        "rounds": groups * turns,
        "slice_seconds": slice_seconds,
        "processes": processes,
        "restarts": groups,
        "threads": threads,
        "level": level,
        "seed": seed,
    }
    return BenchmarkResult(
        title,
        first,
        {name: (calls[name], tuple(rows)) for name, rows in seconds.items()},
        settings,
        describe_machine(),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _level(level: Any) -> float:
    if not _is_number(level) or not 0 < level < 1:
        raise ArgumentError(f"benchmark: level lies between 0 and 1, as 0.99 does, not {level!r}")
    return float(level)


def _slice(seconds: Any) -> float:
    if not _is_number(seconds) or not 0 < seconds < math.inf:
        raise ArgumentError(f"benchmark: slice_seconds is a positive number of seconds, not {seconds!r}")
    return float(seconds)


def _checked(contenders: Contenders) -> dict[str, Callable[[], Any] | str]:
    if isinstance(contenders, str):
        return {contenders: contenders}
    if callable(contenders):
        return {getattr(contenders, "__name__", type(contenders).__name__): contenders}
    if not isinstance(contenders, Mapping) or not contenders:
        raise ArgumentError(
            f"benchmark: contenders are names with functions, one at least, not {contenders!r}"
        )
    for name, one in contenders.items():
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"benchmark: a contender's name is text, not {name!r}")
        if not callable(one) and not isinstance(one, str):
            raise ArgumentError(
                f"benchmark: contender {name!r} is {one!r}; a function of no arguments is needed, or its name"
            )
    return dict(contenders)


def _alternated(
    runners: Mapping[str, Runner], turns: int, rng: np.random.Generator
) -> dict[str, list[float]]:
    """`turns` rounds, in each of which every runner has one turn, in drawn order."""
    rows: dict[str, list[float]] = {name: [] for name in runners}
    for order in _orders(list(runners), turns, rng):
        for name in order:
            each = runners[name].turn()
            if not each > 0:
                raise ContenderError(
                    f"contender {name!r}: a turn took {each!r} s by this timer; it must move on"
                )
            rows[name].append(each)
    return rows


def _orders(names: list[str], turns: int, rng: np.random.Generator) -> Iterator[list[str]]:
    """Drawn orders, each followed by its reverse: nobody is always first after somebody."""
    order = names
    for turn in range(turns):
        order = order[::-1] if turn % 2 else [names[at] for at in rng.permutation(len(names))]
        yield order
