"""Ladders: factors, the best rung, the worst error; and the clock."""

import math

import pytest

from milestone_speedup import rung
from milestone_speedup.rung import Ladder, Rung, median_time
from milestone_speedup.story import time_of

LADDER = Ladder("a", "b", 1e-3, [Rung("slow", 8.0, None), Rung("fast", 0.5, 1e-6), Rung("other", 2.0, 1e-5)])


def test_factors_are_over_the_first():
    assert [LADDER.factor(one) for one in LADDER.rungs] == [1.0, 16.0, 4.0]
    assert LADDER.best.name == "fast"
    assert LADDER.worst_error == 1e-5


def test_a_nan_is_the_worst_error():
    broken = Ladder("a", "b", 1e-3, [*LADDER.rungs, Rung("broken", 1.0, math.nan), Rung("z", 1.0, 0.5)])
    assert math.isnan(broken.worst_error)


class Clock:
    def __init__(self, *durations):
        self.durations, self.now, self.calls = list(durations), 0.0, 0

    def perf_counter(self):
        return self.now

    def run(self):
        self.now += self.durations[min(self.calls, len(self.durations) - 1)]
        self.calls += 1


def timed(monkeypatch, clock, *arguments):
    monkeypatch.setattr(rung.time, "perf_counter", clock.perf_counter)
    return median_time(clock.run, *arguments)


def test_the_median_leaves_out_the_first_call(monkeypatch):
    clock = Clock(9.0, 1.0, 1.0, 50.0, 1.0, 2.0)
    assert timed(monkeypatch, clock, 10.0) == 1.0
    assert clock.calls == 6


def test_what_is_slower_than_the_budget_runs_once(monkeypatch):
    clock = Clock(9.0, 1.0)
    assert timed(monkeypatch, clock, 3.0) == 9.0
    assert clock.calls == 1


def test_what_is_fast_fills_the_budget(monkeypatch):
    clock = Clock(0.25)
    assert timed(monkeypatch, clock, 4.0) == 0.25
    assert clock.calls == 1 + 16


@pytest.mark.parametrize(
    ("seconds", "said"), [(2.5e-7, "250 ns"), (3e-5, "30 µs"), (0.0123, "12.3 ms"), (4.56, "4.56 s")]
)
def test_a_time_has_the_unit_that_suits_it(seconds, said):
    assert time_of(seconds) == said
