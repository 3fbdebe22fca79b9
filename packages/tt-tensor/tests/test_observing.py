"""The observer's seam: it is told of each formula and rule after it has run, and of nothing when it has left."""

from __future__ import annotations

import numpy as np
import pytest

from tt_tensor import Function, Tensor, observing
from tt_tensor.errors import ShapeError
from tt_tensor.ops.arithmetic import Add


class Notes:
    """An observer that writes down what it is told."""

    def __init__(self):
        self.told = []

    def applied(self, function, inputs, output, started):
        assert type(output) is np.ndarray
        self.told.append(("applied", type(function).__name__, started, observing.clock()))

    def sent_back(self, function, grad, gradients, started):
        assert len(gradients) == len(function.inputs)
        self.told.append(("sent back", type(function).__name__, started, observing.clock()))

    def called(self, module, started):
        self.told.append(("called", type(module).__name__, started, observing.clock()))

    def span(self, what, started):
        self.told.append(("span", what, started, observing.clock()))


class Twice(Function):
    """x + x, by another Function inside of this one."""

    def forward(self, x):
        return Add()(x, x).array

    def backward(self, grad):
        return grad + grad


@pytest.fixture
def notes():
    found = Notes()
    before = observing.install(found)
    yield found
    observing.install(before)


def test_the_slot_is_empty_by_default():
    assert observing.active is None


def test_install_returns_what_was_there():
    first, second = Notes(), Notes()
    assert observing.install(first) is None
    assert observing.install(second) is first
    assert observing.install(None) is second
    assert observing.active is None


def test_formula_and_rule_are_told_with_their_times(notes):
    begun = observing.clock()
    function = Add()
    y = function(Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))
    function.gradients(np.ones(2, np.float32))
    assert [note[:2] for note in notes.told] == [("applied", "Add"), ("sent back", "Add")]
    times = [begun, *(time for note in notes.told for time in note[2:])]
    assert times == sorted(times)
    assert y.tolist() == [4.0, 6.0]


def test_a_function_inside_of_another_is_told_first_and_began_later(notes):
    Twice()(Tensor([1.0]))
    inner, outer = notes.told
    assert (inner[1], outer[1]) == ("Add", "Twice")
    assert outer[2] <= inner[2] <= inner[3] <= outer[3]


def test_writing_in_place_is_told(notes):
    x = Tensor([1.0, 2.0])
    x += 1.0
    assert [note[:2] for note in notes.told] == [("applied", "Add")]


def test_what_fails_is_not_told(notes):
    with pytest.raises(ShapeError):
        Add()(Tensor([1.0, 2.0]), Tensor([1.0, 2.0, 3.0]))
    assert notes.told == []


def test_results_are_the_same_with_an_observer_and_without():
    x = Tensor(np.linspace(-1, 1, 7, dtype=np.float32))
    plain = (x * x + x).numpy()
    before = observing.install(Notes())
    try:
        seen = (x * x + x).numpy()
    finally:
        observing.install(before)
    assert plain.tobytes() == seen.tobytes()
