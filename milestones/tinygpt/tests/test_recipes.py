"""Recipes: the numbers are nanoGPT's, and a schedule goes where its formula says."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_tinygpt.networks import network, parameters
from milestone_tinygpt.recipes import FAST, JUDGED, NANOGPT, RECIPES, Height, bits
from milestone_tinygpt.story import MOST_PARAMETERS


def rate(step):
    """nanoGPT's get_lr, with the numbers of its recipe for CPUs and twice the rates."""
    if step < 100:
        return 2e-3 * (step + 1) / 101
    if step > 2000:
        return 2e-4
    return 2e-4 + 0.5 * (1.0 + math.cos(math.pi * (step - 100) / 1900)) * (2e-3 - 2e-4)


@pytest.mark.parametrize("step", [0, 1, 50, 99, 100, 101, 500, 1050, 1999, 2000, 3000])
def test_the_default_schedule_is_nanogpts(step):
    assert math.isclose(NANOGPT.lr * NANOGPT.height(step), rate(step), rel_tol=1e-12)


def test_the_default_numbers_are_nanogpts():
    assert (NANOGPT.block, NANOGPT.batch, NANOGPT.layers, NANOGPT.heads, NANOGPT.width) == (64, 12, 4, 4, 128)
    assert (NANOGPT.steps, NANOGPT.lr, NANOGPT.least, NANOGPT.warm_up) == (2000, 2e-3, 0.1, 100)
    assert (NANOGPT.betas, NANOGPT.decay, NANOGPT.clip, NANOGPT.dropout) == ((0.9, 0.99), 0.1, 1.0, 0.0)
    assert (NANOGPT.optimizer, NANOGPT.architecture, NANOGPT.ema) == ("adamw", "gpt", None)
    assert NANOGPT.judged_in == JUDGED == 64


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_keeps_to_the_parameters_and_is_known_by_its_name(name):
    recipe = RECIPES[name]
    assert recipe.name == name
    assert parameters(network(recipe, 65, 0)) <= MOST_PARAMETERS
    assert recipe.bar <= 1.90
    assert recipe.judged_in == JUDGED


def test_the_fast_recipe_must_reach_the_published_loss():
    assert FAST.bar <= 1.88


@given(
    schedule=st.sampled_from(["cosine", "linear", "constant"]),
    warm_up=st.integers(0, 50),
    more=st.integers(0, 50),
    least=st.floats(0, 1),
)
def test_heights_rise_to_one_and_fall_to_the_least(schedule, warm_up, more, least):
    height = Height(schedule, warm_up, warm_up + more, least)
    values = [height(t) for t in range(warm_up + more + 3)]
    assert all(0 < value <= 1 for value in values[:warm_up])
    assert values[: warm_up + 1] == sorted(values[: warm_up + 1])
    after = values[warm_up:]
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(after))
    if more:
        assert math.isclose(height(warm_up), 1)
    end = 1.0 if schedule == "constant" else least
    if more:
        assert math.isclose(height(warm_up + more), end, abs_tol=1e-12)
        assert math.isclose(height(warm_up + more + 2), end, abs_tol=1e-12)


def test_a_shorter_recipe_keeps_its_shape():
    short = NANOGPT.shortened(200)
    assert (short.steps, short.warm_up, short.evaluate_every) == (200, 10, 67)
    assert math.isclose(short.height(200), 0.1)
    assert NANOGPT.shortened(1).height(0) == 1
    assert dataclasses.replace(short, steps=2000, warm_up=100, evaluate_every=250) == NANOGPT


def test_bits():
    assert math.isclose(bits(math.log(8)), 3)
