"""The score is its formula; the front is what its definition says, in loops."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_perf.competition import TASKS, Figures, score
from tt_perf.competition.scoring import front


def figures(task="mnist", **changes):
    usual = {
        "task": task,
        "quality": TASKS[task].reference_quality,
        "samples": 10_000,
        "batch": 64,
        "parameters": 10,
        "threads": 1,
        "kernels": "numpy",
        "machine": {},
        "how": "",
        "when": "",
    }
    usual |= dict.fromkeys(
        ("latency_one", "latency_batch", "reference_latency_one", "reference_latency_batch"), 0.5
    )
    usual |= dict.fromkeys(("peak_memory", "size", "reference_peak_memory", "reference_size"), 1000)
    usual |= dict.fromkeys(("weights_sha256", "submission_sha256", "test_set_sha256"), "0" * 64)
    return Figures(**(usual | changes))


@pytest.mark.parametrize("task", TASKS)
def test_the_reference_has_100(task):
    assert score(figures(task)) == pytest.approx(100)


@pytest.mark.parametrize("task", TASKS)
def test_below_the_floor_is_nothing(task):
    worse = 1e-6 if TASKS[task].by_loss else -1e-6
    assert score(figures(task, quality=TASKS[task].floor)) > 0
    assert score(figures(task, quality=TASKS[task].floor + worse)) == 0


def test_the_exponents():
    assert score(figures(quality=1 - 0.0065 / 2)) == pytest.approx(100 * 2**0.5)
    assert score(figures("tinygpt", quality=1.88 - math.log(4))) == pytest.approx(200)
    assert score(figures(size=500)) == pytest.approx(100 * 2 ** (1 / 6))
    assert score(figures(peak_memory=500)) == pytest.approx(100 * 2 ** (1 / 6))
    assert score(figures(latency_one=0.25)) == pytest.approx(100 * 2 ** (1 / 12))
    assert score(figures(latency_one=0.25, latency_batch=0.25)) == pytest.approx(100 * 2 ** (1 / 6))
    eight = figures(size=125, peak_memory=1000, latency_one=0.5)
    assert score(eight) == pytest.approx(score(figures(quality=1 - 0.0065 / 2)))


def test_perfect_is_half_an_error():
    assert score(figures(quality=1.0)) == pytest.approx(score(figures(quality=1 - 0.5e-4)))


def test_a_busy_machine_does_not_change_the_score():
    slow = figures(latency_one=5.0, latency_batch=5.0, reference_latency_one=5.0, reference_latency_batch=5.0)
    assert score(slow) == pytest.approx(100)


small = st.integers(1, 4)


@given(st.lists(st.tuples(small, small, small, small, small), max_size=7))
def test_the_front(rows):
    entries = {
        str(at): figures(
            quality=0.97 + quality / 1000,
            latency_one=one / 10,
            latency_batch=batch / 10,
            peak_memory=memory,
            size=size,
        )
        for at, (quality, one, batch, memory, size) in enumerate(rows)
    }
    goods = [(row[0], *(-cost for cost in row[1:])) for row in rows]
    wanted = [
        str(at)
        for at, mine in enumerate(goods)
        if not any(all(a >= b for a, b in zip(other, mine, strict=True)) and other != mine for other in goods)
    ]
    assert front(entries) == wanted
    for name in wanted:
        better = replace(entries[name], size=entries[name].size + 5)
        assert score(better) < score(entries[name])


def test_of_a_loss_less_is_better():
    entries = {"a": figures("tinygpt", quality=1.8), "b": figures("tinygpt", quality=1.9)}
    assert front(entries) == ["a"] and score(entries["a"]) > score(entries["b"])
