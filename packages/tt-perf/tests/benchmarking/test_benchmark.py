"""benchmark: what it claims holds against clocks that we move."""

import sys
from itertools import pairwise

import numpy as np
import pytest

from tt_perf import benchmark
from tt_perf.benchmarking import ContenderError
from tt_tensor.errors import ArgumentError


def fast() -> int:
    """A contender for processes of their own."""
    return sum(range(200))


def slow() -> int:
    return sum(range(2000))


def make_fast():
    return fast


def failing() -> None:
    raise KeyError("lost")


def talking() -> None:
    sys.stdout.write("what a contender prints is no answer\n")


def leaving() -> None:
    import os

    os._exit(7)


def test_without_noise_ratios_are_exact(clock):
    result = benchmark(
        {"a": clock.work(0.001), "b": clock.work(0.002), "c": clock.work(0.0005)}, timer=clock, rounds=5
    )
    assert result.reference == "a"
    assert result.ratios["b"].value == pytest.approx(2, rel=1e-6)
    assert result.ratios["c"].value == pytest.approx(0.5, rel=1e-6)
    assert result.ratios["b"].verdict == "slower" and result.ratios["c"].verdict == "faster"
    assert result.timings["b"].median.value == pytest.approx(0.002, rel=1e-6)
    assert result.ratio("c", "b").value == pytest.approx(0.25, rel=1e-6)


def test_turns_are_as_long_as_asked(clock):
    result = benchmark({"a": clock.work(0.001), "b": clock.work(0.5)}, timer=clock, slice_seconds=0.04)
    assert result.timings["a"].calls == 40
    assert result.timings["b"].calls == 1
    assert len(result.timings["a"].seconds) == 1 and len(result.timings["a"].seconds[0]) == 21


def test_warm_up_is_not_timed(clock):
    calls = []

    def step():
        calls.append(clock.now)
        clock.now += 10.0 if len(calls) <= 3 else 0.001

    result = benchmark({"a": step}, timer=clock, warm_up=3, rounds=4)
    assert result.timings["a"].median.high < 0.0011


def test_equal_contenders_are_called_equal(clocks):
    """In 95 % of 200 runs or more, with noise of 5 % that has outliers and drifts."""
    equal = 0
    for seed in range(200):
        clock = clocks(seed)
        contenders = {"a": clock.work(0.01, 0.05), "b": clock.work(0.01, 0.05)}
        result = benchmark(contenders, timer=clock, seed=seed, slice_seconds=0.01)
        ratio = result.ratios["b"]
        equal += ratio.verdict == "no difference"
        assert (ratio.verdict == "no difference") == (ratio.low <= 1 <= ratio.high)
    assert equal >= 190


def test_ten_percent_are_found(clocks):
    found = 0
    for seed in range(100):
        clock = clocks(seed)
        contenders = {"a": clock.work(0.01, 0.03), "b": clock.work(0.011, 0.03)}
        result = benchmark(contenders, timer=clock, seed=seed, slice_seconds=0.01)
        found += result.ratios["b"].verdict == "slower"
        assert result.ratios["b"].verdict != "faster"
    assert found >= 95


def test_a_disturbance_that_meets_a_whole_round_cancels(clock):
    """The machine becomes four times slower half-way: medians wander, paired ratios do not."""
    turns = []

    def work(seconds):
        def step():
            turns.append(seconds)
            clock.now += seconds * (4 if len(turns) > 43 else 1)

        return step

    result = benchmark(
        {"a": work(0.01), "b": work(0.012)}, timer=clock, rounds=41, slice_seconds=0.01, warm_up=0
    )
    assert result.ratios["b"].value == pytest.approx(1.2, rel=1e-3)
    assert result.timings["a"].median.high > 3.9 * result.timings["a"].fastest


def test_orders_are_drawn_by_the_seed(clock):
    def orders(seed):
        seen = []

        def contender(name):
            def step():
                seen.append(name)
                clock.now += 1.0

            return step

        names = {name: contender(name) for name in "abc"}
        benchmark(names, timer=clock, seed=seed, warm_up=0, rounds=12)
        return ["".join(seen[at : at + 3]) for at in range(len(seen) - 36, len(seen), 3)]

    first = orders(1)
    assert first == orders(1) != orders(2)
    assert all(sorted(one) == ["a", "b", "c"] for one in first)
    assert len(set(first)) > 2
    assert all(one == other[::-1] for one, other in list(pairwise(first))[::2])


def test_no_difference_is_said_in_words(clock):
    result = benchmark({"a": clock.work(0.01, 0.1), "b": clock.work(0.01, 0.1)}, timer=clock)
    ratio = result.ratios["b"]
    assert str(ratio) == f"no difference: {ratio.low:.3g} to {ratio.high:.3g}"
    assert str(ratio) in result.table() == str(result)


def test_one_function_alone():
    result = benchmark(fast, rounds=2, slice_seconds=0.001)
    assert list(result.timings) == ["fast"] and not result.ratios
    assert "fast" in result.table()


def test_processes_of_their_own():
    result = benchmark(
        {"named": f"{__file__}:make_fast()", "slow": slow},
        processes=True,
        restarts=2,
        rounds=6,
        slice_seconds=0.002,
        threads=1,
    )
    assert result.ratios["slow"].value > 3 and result.ratios["slow"].verdict == "slower"
    assert all(np.shape(timing.seconds) == (2, 3) for timing in result.timings.values())
    assert result.settings["threads"] == 1 and result.settings["processes"] is True


@pytest.mark.parametrize(
    ("contender", "message"),
    [
        (failing, r"contender 'x' failed: 'lost'(.|\n)*KeyError"),
        (leaving, "ended with status 7"),
        ("nothing.of_this:name", "cannot import nothing.of_this"),
        ("json:no_such", "json has no 'no_such'"),
        ("json:__doc__", "is str, which cannot be called"),
        ("json", "is no contender"),
        ("nowhere.py:name", "there is no file nowhere.py"),
    ],
    ids=["raises", "leaves", "module", "name", "kind", "colon", "file"],
)
def test_contenders_that_fail_in_their_process(contender, message):
    with pytest.raises(ContenderError, match=message):
        benchmark({"x": contender}, processes=True, rounds=2, restarts=1)


def test_what_a_contender_prints_does_not_disturb():
    assert benchmark({"x": talking}, processes=True, rounds=2, restarts=1, slice_seconds=0.001).timings


def test_functions_without_a_name_elsewhere_are_refused():
    for contender in (lambda: 1, [].clear, test_processes_of_their_own.__get__(1)):
        with pytest.raises(ContenderError, match="no name that another process"):
            benchmark({"x": contender}, processes=True)


def test_the_error_of_a_contender_comes_through_here():
    with pytest.raises(KeyError, match="lost"):
        benchmark(failing)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 1}, "rounds must be a whole number from 2 up, not 1"),
        ({"rounds": 3.0}, "rounds must be a whole number"),
        ({"rounds": True}, "rounds must be a whole number"),
        ({"warm_up": -1}, "warm_up must be a whole number from 0 up, not -1"),
        ({"restarts": 0}, "restarts"),
        ({"threads": 0}, "threads must be a whole number from 1 up, not 0"),
        ({"seed": -1}, "seed"),
        ({"level": 1.0}, "level lies between 0 and 1"),
        ({"level": float("nan")}, "level lies between 0 and 1"),
        ({"slice_seconds": 0}, "slice_seconds is a positive number"),
        ({"slice_seconds": float("inf")}, "slice_seconds is a positive number"),
        ({"slice_seconds": "short"}, "slice_seconds is a positive number of seconds, not 'short'"),
        ({"level": "high"}, "level lies between 0 and 1, as 0.99 does, not 'high'"),
        ({"level": None}, "level lies between"),
        ({"title": 3}, "title is text, not 3"),
        ({"reference": "z"}, "the reference 'z' is not among fast"),
        ({"processes": True, "timer": lambda: 0.0}, "their own clock"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_arguments_that_make_no_benchmark(options, message):
    with pytest.raises(ArgumentError, match=message):
        benchmark({"fast": fast}, **options)


def test_settings_that_numpy_made_go_into_a_file(tmp_path):
    settings = {"rounds": np.int64(2), "slice_seconds": np.float32(0.001), "level": np.float32(0.5)}
    result = benchmark(fast, restarts=np.int32(1), seed=np.int64(3), **settings)
    result.save(tmp_path / "result.json")
    again = type(result).load(tmp_path / "result.json")
    assert again.settings == result.settings and again.measured == result.measured


@pytest.mark.parametrize(
    "contenders",
    [{}, {"a": 1}, {1: fast}, {"": fast}, 5, None],
    ids=["none", "no function", "a number as name", "an empty name", "a number", "None"],
)
def test_contenders_that_are_none(contenders):
    with pytest.raises(ArgumentError, match="benchmark: "):
        benchmark(contenders)


def test_a_clock_that_stands_still():
    calls = []
    with pytest.raises(ContenderError, match="stands still"):
        benchmark({"a": lambda: calls.append(0) if len(calls) < 5 else None}, timer=lambda: 1.0)


def test_threads_are_held_meanwhile():
    import threadpoolctl

    from tt_nn import shards

    seen = set()

    def step():
        blas = max(pool["num_threads"] for pool in threadpoolctl.threadpool_info())
        seen.add((shards.get_num_threads(), blas))

    with shards.threads(2), threadpoolctl.threadpool_limits(2, "blas"):
        step()
        assert seen == {(2, 2)}
        seen.clear()
        benchmark(step, threads=1, rounds=2, slice_seconds=1e-4)
        assert seen == {(1, 1)}
        seen.clear()
        step()
        assert seen == {(2, 2)}


def test_the_collector_is_back_on_afterwards():
    import gc

    seen = set()
    benchmark({"a": lambda: seen.add(gc.isenabled())}, rounds=2, warm_up=0, slice_seconds=1e-4)
    assert seen == {False} and gc.isenabled()
    with pytest.raises(KeyError):
        benchmark(failing, warm_up=0)
    assert gc.isenabled()
