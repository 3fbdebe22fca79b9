"""A layered drawing: edges downwards, nothing overlaps, long edges go around, and time grows with the size."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_autograd.layers import layered


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 16))
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []
    sizes = draw(st.lists(st.tuples(st.floats(10, 200), st.floats(10, 60)), min_size=n, max_size=n))
    return sizes, edges


def box(layout, sizes, v):
    (x, y), (w, h) = layout.centres[v], sizes[v]
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


@given(graphs())
def test_edges_go_downwards(graph):
    sizes, edges = graph
    layout = layered(sizes, edges)
    for (a, b), way in zip(edges, layout.waypoints, strict=True):
        heights = [box(layout, sizes, a)[3], *(y for _, y in way), box(layout, sizes, b)[1]]
        assert heights == sorted(heights)
        assert heights[0] < heights[-1]


@given(graphs())
def test_no_two_nodes_overlap_and_all_are_on_the_paper(graph):
    sizes, edges = graph
    layout = layered(sizes, edges)
    boxes = [box(layout, sizes, v) for v in range(len(sizes))]
    for v, (left, top, right, bottom) in enumerate(boxes):
        assert left >= -1e-6 and top >= -1e-6
        assert right <= layout.width + 1e-6 and bottom <= layout.height + 1e-6
        for other in boxes[:v]:
            assert (
                right <= other[0] + 1e-6 or other[2] <= left + 1e-6 or bottom <= other[1] or other[3] <= top
            )


@given(graphs())
def test_a_long_edge_is_led_around_the_nodes_in_between(graph):
    sizes, edges = graph
    layout = layered(sizes, edges)
    rows = sorted({y for _, y in layout.centres})
    for (a, b), way in zip(edges, layout.waypoints, strict=True):
        # Two points for each layer between its ends, and no node at any of them.
        assert len(way) == 2 * (rows.index(layout.centres[b][1]) - rows.index(layout.centres[a][1]) - 1)
        for (x, top), (x2, bottom) in zip(way[::2], way[1::2], strict=True):
            assert x == x2
            for v in range(len(sizes)):
                left, node_top, right, node_bottom = box(layout, sizes, v)
                assert not (left < x < right and node_top < bottom and top < node_bottom)


@given(graphs())
def test_a_node_stands_right_above_the_highest_of_its_users(graph):
    sizes, edges = graph
    layout = layered(sizes, edges)
    rows = sorted({y for _, y in layout.centres})
    row = [rows.index(y) for _, y in layout.centres]
    for v in range(len(sizes)):
        users = [row[b] for a, b in edges if a == v]
        assert row[v] == (min(users) - 1 if users else len(rows) - 1)


def test_nothing_takes_no_room():
    layout = layered([], [])
    assert (layout.centres, layout.waypoints, layout.width, layout.height) == ([], [], 0.0, 0.0)


def net(n, seed=0):
    """n nodes, each with two inputs among the twenty before it."""
    rng = np.random.default_rng(seed)
    return [(int(a), b) for b in range(1, n) for a in rng.integers(max(0, b - 20), b, 2)]


def chain_and_sum(n):
    """A chain, and a last node that uses every node of it."""
    return [(v, v + 1) for v in range(n - 2)] + [(v, n - 1) for v in range(n - 1)]


def star(n):
    return [(v, n - 1) for v in range(n - 1)]


@pytest.mark.parametrize("edges_of", [net, chain_and_sum, star])
def test_time_grows_about_as_the_size(edges_of):
    def seconds(n):
        edges = edges_of(n)
        start = time.process_time()
        layered([(100.0, 40.0)] * n, edges)
        return time.process_time() - start

    small, large = (min(seconds(n) for _ in range(3)) for n in (500, 2000))
    assert large < 10 * small + 0.1  # 4 when linear, 16 when quadratic


def test_waypoints_are_no_more_than_a_few_for_each_node():
    n = 1000
    layout = layered([(100.0, 40.0)] * n, chain_and_sum(n))
    # All ways around would be n² / 2 long.
    assert 0 < sum(len(way) // 2 for way in layout.waypoints) <= 1000 + 4 * n
