"""The Pareto front, against its definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_perf.compression import pareto_front
from tt_tensor.errors import ArgumentError


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_against_the_definition(rows):
    points = {str(at): {"time": t, "size": s, "score": a} for at, (t, s, a) in enumerate(rows)}

    def dominates(a, b):
        good = a["time"] <= b["time"] and a["size"] <= b["size"] and a["score"] >= b["score"]
        return good and a != b

    front = pareto_front(points, ["time", "size"], ["score"])
    assert front == [n for n, p in points.items() if not any(dominates(o, p) for o in points.values())]
    assert bool(front) == bool(points)


def test_what_lacks_a_figure_is_worst_in_it():
    points = {"a": {"time": 1, "score": math.nan}, "b": {"time": 1, "score": 0.1}, "c": {"time": 0.5}}
    assert pareto_front(points, ["time"], ["score"]) == ["b", "c"]


def test_bad_arguments():
    points = {"a": {"time": 1}}
    for minimize, maximize in (([], []), (["time"], ["time"])):
        with pytest.raises(ArgumentError, match="each once"):
            pareto_front(points, minimize, maximize)
    with pytest.raises(ArgumentError, match="rows of names"):
        pareto_front(points, "time")
    with pytest.raises(ArgumentError, match="no point has a figure 'size'"):
        pareto_front(points, ["size"])
