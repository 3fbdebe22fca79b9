"""Figures: when a bar is met, and how it is shown."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_kit import Figure
from milestone_kit.figures import all_met, show_figures
from milestone_kit.screen import Screen

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite, finite)
def test_a_bar_is_met_by_comparison_and_nothing_else(value, low, high):
    assert Figure("f", value, at_least=low).met == (value >= low)
    assert Figure("f", value, at_most=high).met == (value <= high)
    assert Figure("f", value, at_least=low, at_most=high).met == (low <= value <= high)
    assert Figure("f", value).met is None


@given(st.sampled_from([math.nan, math.inf, -math.inf]), finite)
def test_what_is_not_finite_meets_nothing(value, bar):
    for figure in (Figure("f", value), Figure("f", value, at_least=bar), Figure("f", value, at_most=bar)):
        assert figure.met is False
        assert figure.as_json()["value"] is None


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.array(0.5), np.array([0.5])])
def test_numpy_numbers_become_python_numbers(value):
    figure = Figure("f", value, at_least=np.int64(0))
    assert type(figure.value) is float
    assert type(figure.at_least) is int
    assert figure.met is True
    assert type(Figure("f", np.bool_(True)).value) is int


@pytest.mark.parametrize("value", ["a word", [1, 2], object()])
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(TypeError, match="figure 'speed' must be one number"):
        Figure("speed", value)


def test_a_bar_must_be_finite():
    with pytest.raises(ValueError, match="the bar of figure 'speed' must be finite"):
        Figure("speed", 1, at_least=math.nan)


@pytest.mark.parametrize(
    ("figures", "passed"),
    [
        ([], False),
        ([Figure("a", 1)], False),
        ([Figure("a", 1, at_least=1)], True),
        ([Figure("a", 1, at_least=1), Figure("b", 5)], True),
        ([Figure("a", 1, at_least=1), Figure("b", 0, at_least=1)], False),
        ([Figure("a", 1, at_least=1), Figure("b", math.nan)], False),
    ],
)
def test_all_met_needs_a_bar_and_no_miss(figures, passed):
    assert all_met(figures) is passed


def test_a_near_miss_is_not_rounded_into_a_hit():
    assert Figure("accuracy", 97.99999, at_least=98.0).shown == "97.99999"
    assert Figure("accuracy", 98.66666, at_least=98.0).shown == "98.67"
    assert Figure("steps", 123456).shown == "123456"
    assert Figure("steps", 123456.7).shown == "123457"


def test_the_table_shows_every_column():
    stream = io.StringIO()
    stream_screen = Screen(stream)
    figures = [
        Figure("held out [bold]", 99.5, "%", at_least=98),
        Figure("single layer", 100, "%", at_most=75),
        Figure("loss", math.nan),
        Figure("steps", 12, at_least=1, at_most=20),
    ]
    show_figures(stream_screen, figures)
    lines = stream.getvalue().splitlines()
    rows = {figure.name: next(line for line in lines if figure.name in line) for figure in figures}
    assert all(word in rows["held out [bold]"] for word in ("99.5", "%", "≥ 98", "met"))
    assert all(word in rows["single layer"] for word in ("100", "≤ 75", "missed"))
    assert all(word in rows["loss"] for word in ("not finite", "missed"))
    assert "≥ 1 and ≤ 20" in rows["steps"]


@pytest.mark.parametrize("columns", [20, 40, 60, 100])
def test_a_narrow_terminal_has_the_names_too(columns, terminal, monkeypatch):
    """At 40 columns the table had a first column of width 0, and of 0.01113 it said 0.011…"""
    monkeypatch.setenv("COLUMNS", str(columns))
    show_figures(Screen(terminal), [Figure("largest distance to a target", 0.01113, "of one", at_most=0.1)])
    said = terminal.getvalue()
    for word in ("largest", "distance", "target", "0.01113", "of one", "≤ 0.1", "met"):
        assert word in said
