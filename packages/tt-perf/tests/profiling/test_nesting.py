"""nested: what lies inside of what follows from starts and ends, in any tree."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_perf.profiling.nesting import nested
from tt_perf.profiling.rows import walk

trees = st.recursive(st.just([]), lambda children: st.lists(children, max_size=3), max_leaves=12)


def run(tree, clock, events):
    """Play a tree of calls against a clock that ticks at each start and end; events come when they end."""
    started = next(clock)
    for child in tree:
        run(child, clock, events)
    events.append(SimpleNamespace(started=started, ended=next(clock)))


def shape(node):
    return [shape(child) for child in node.children]


@given(st.lists(trees, max_size=3))
def test_the_tree_comes_back(forest):
    clock, events = iter(range(10_000)), []
    for tree in forest:
        run(tree, clock, events)
    roots = nested(events)
    assert [shape(root) for root in roots] == forest
    everything = list(walk(roots))
    assert sorted(node.event.started for node in everything) == [node.event.started for node in everything]
    # Each second belongs to one event, so those of all are those of the outermost.
    assert sum(node.self_seconds for node in everything) == pytest.approx(sum(root.seconds for root in roots))
    for node in everything:
        for child in node.children:
            assert child.parent is node
            assert node.event.started < child.event.started < child.event.ended < node.event.ended
