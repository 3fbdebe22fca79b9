"""What made a tensor: each Function once, after those that made its inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_autograd as ta
import tt_tensor as tt
from tt_autograd.history import functions_behind, places_of
from tt_tensor import Function
from tt_tensor.errors import ArgumentError, DTypeError, GradientError


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=30))
def test_each_function_once_after_its_inputs(pairs):
    made = [tt.tensor([1.0], requires_grad=True)]
    for a, b in pairs:
        made.append(made[a % len(made)] * 0.5 + made[b % len(made)])
    found = functions_behind(places_of(made[-1], "test"))
    assert len(set(map(id, found))) == len(found)
    place = {id(function): i for i, function in enumerate(found)}
    for i, function in enumerate(found):
        assert all(place[id(x)] < i for x in function.inputs if isinstance(x, Function))
    # The naive definition: everything that can be reached.
    reached, stack = set(), [made[-1].grad_fn]
    while stack:
        function = stack.pop()
        reached.add(id(function))
        stack += [x for x in function.inputs if isinstance(x, Function)]
    assert reached == set(place)


def test_a_long_chain_needs_no_recursion():
    x = tt.tensor([1.0], requires_grad=True)
    for _ in range(100_000):
        x = x * 1.0
    assert len(functions_behind(places_of(x, "test"))) == 100_000


def test_a_leaf_stands_for_itself():
    x = tt.tensor([1.0], requires_grad=True)
    (place,) = places_of(x, "test")
    assert place is x
    assert functions_behind([x]) == []


def test_a_view_is_asked_for_its_history_as_it_is_now():
    x = tt.tensor(np.ones((2, 2)), requires_grad=True)
    y = x * 1
    row = y[0]
    y.mul_(2.0)
    assert [type(function).__name__ for function in functions_behind(places_of(row, "test"))] == [
        "Mul",
        "Mul",
        "GetItem",
    ]


def test_what_has_no_history_is_refused():
    x = tt.tensor([1.0], requires_grad=True)
    with pytest.raises(GradientError, match="test: nothing was recorded for this output of shape"):
        places_of(tt.ones(2), "test")
    with ta.no_grad(), pytest.raises(GradientError):
        places_of(x * 2, "test")
    for wrong in (3.0, None, "loss", [x * 2, 1.0]):
        with pytest.raises(DTypeError, match="test: expected"):
            places_of(wrong, "test")
    with pytest.raises(ArgumentError, match="no tensors"):
        places_of([], "test")
    y = x * 2
    y.backward()
    with pytest.raises(ta.ReleasedGraphError, match="Mul"):
        functions_behind(places_of(y, "test"))
