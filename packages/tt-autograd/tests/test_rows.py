"""Rows of a drawing: few crossings, exact positions, no overlap."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_autograd.rows import ordered, placed, spread


@st.composite
def layered_links(draw):
    """Layers of up to five nodes, and links between adjacent ones."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    layer_of = [layer for layer, size in enumerate(sizes) for _ in range(size)]
    possible = [
        (a, b) for a in range(len(layer_of)) for b in range(len(layer_of)) if layer_of[b] == layer_of[a] + 1
    ]
    return layer_of, dict.fromkeys(draw(st.lists(st.sampled_from(possible), unique=True)), 1.0)


def crossings(rows, links):
    """By definition: pairs of edges whose ends are in opposite order."""
    at = {v: (layer, i) for layer, row in enumerate(rows) for i, v in enumerate(row)}
    return sum(
        at[a][0] == at[c][0] and (at[a][1] - at[c][1]) * (at[b][1] - at[d][1]) < 0
        for (a, b), (c, d) in combinations(links, 2)
    )


@given(layered_links())
def test_sorting_keeps_the_layers_and_never_adds_crossings(graph):
    layer_of, links = graph
    rows = ordered(layer_of, links)
    before = [[v for v in range(len(layer_of)) if layer_of[v] == layer] for layer in range(max(layer_of) + 1)]
    assert [sorted(row) for row in rows] == before
    assert crossings(rows, links) <= crossings(before, links)


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_paths_side_by_side_do_not_cross(first, second):
    # Three rows of six: a in the first goes to 6 + first[a], and on.
    links = {(a, 6 + first[a]): 1.0 for a in range(6)} | {(6 + a, 12 + second[a]): 1.0 for a in range(6)}
    assert crossings(ordered([0] * 6 + [1] * 6 + [2] * 6, links), links) == 0


WANTS = st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 30), st.floats(0.1, 10)), min_size=1, max_size=8)


@given(WANTS, st.floats(0, 20), st.integers(0, 10**6))
def test_spread_is_the_best_of_all_that_keep_their_distance(nodes, gap, seed):
    wanted, widths, weights = map(list, zip(*nodes, strict=True))
    xs = np.array(spread(wanted, widths, weights, gap))
    least = np.array([(a + b) / 2 + gap for a, b in pairwise(widths)])
    assert (np.diff(xs) >= least - 1e-9).all()

    def loss(x):
        return float(np.sum(np.array(weights) * (x - np.array(wanted)) ** 2))

    # The problem is convex, so it is enough that no small allowed change is better.
    rng = np.random.default_rng(seed)
    for scale in (1.0, 1e-3):
        for _ in range(20):
            other = xs + rng.normal(scale=scale, size=len(xs))
            for i, distance in enumerate(least):
                other[i + 1] = max(other[i + 1], other[i] + distance)
            assert loss(xs) <= loss(other) + 1e-7 * (1 + loss(xs))


def test_spread_leaves_alone_what_does_not_overlap():
    assert spread([0.0, 100.0], [10.0, 10.0], [1.0, 5.0], 5.0) == [0.0, 100.0]
    assert spread([0.0, 0.0], [10.0, 10.0], [1.0, 1.0], 5.0) == pytest.approx([-7.5, 7.5])
    assert spread([0.0, 0.0], [10.0, 10.0], [3.0, 1.0], 5.0) == pytest.approx([-3.75, 11.25])


@given(layered_links(), st.integers(0, 10**6))
def test_nodes_of_a_row_keep_their_distance(graph, seed):
    layer_of, links = graph
    widths = np.random.default_rng(seed).uniform(5, 200, len(layer_of)).tolist()
    rows = ordered(layer_of, links)
    xs = placed(rows, links, widths, 24.0)
    for row in rows:
        for a, b in pairwise(row):
            assert xs[b] - xs[a] >= (widths[a] + widths[b]) / 2 + 24.0 - 1e-6


def test_a_chain_is_straight():
    links = {(v, v + 1): 1.0 for v in range(9)}
    assert placed(ordered(list(range(10)), links), links, [50.0] * 10, 24.0) == pytest.approx([0.0] * 10)
