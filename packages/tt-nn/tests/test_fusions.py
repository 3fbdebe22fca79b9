"""Layers that run together in a Sequential do so only where nobody can tell."""

import numpy as np
import pytest

from tt_nn import Linear, Module, ReLU, Sequential, fusions
from tt_tensor import Tensor, recorder


class Double(Module):
    def forward(self, x):
        return x * 2


class More(Module):
    def forward(self, x):
        return x + 1


class Recording:
    """A recorder that records as it is told, and does nothing."""

    def __init__(self, on=True):
        self.on = on

    def record(self, function, inputs, output):
        return False

    def before_write(self, target):
        return False

    def recording(self):
        return self.on


@pytest.fixture
def ran(monkeypatch):
    """How often Double and More ran together."""
    calls = []

    def fused(layers, at):
        if at + 1 == len(layers) or type(layers[at + 1]) is not More:
            return None

        def forward(x):
            calls.append(at)
            return Tensor(x.array * 2 + 1), 2

        return 2, forward

    monkeypatch.setitem(fusions.fusions, Double, fused)
    before = recorder.install(Recording())
    yield calls
    recorder.install(before)


def test_they_run_together(ran):
    model = Sequential(More(), Double(), More(), ReLU(), Double(), More())
    np.testing.assert_array_equal(model(Tensor([1.0, -4.0])), [11.0, 1.0])
    assert ran == [1, 4]


def test_another_neighbour(ran):
    np.testing.assert_array_equal(Sequential(Double(), ReLU(), Double())(Tensor([3.0])), [12.0])
    assert ran == []


@pytest.mark.parametrize("layer", [0, 1])
def test_a_hook_sees_every_layer(ran, layer):
    model, seen = Sequential(Double(), More()), []
    handle = model[layer].register_forward_hook(lambda module, args, output: seen.append(output.item()))
    assert model(Tensor([3.0])).item() == 7
    assert (seen, ran) == ([[6.0], [7.0]][layer], [])
    handle.remove()
    model(Tensor([3.0]))
    assert ran == [0]


def test_a_forward_of_its_own(ran):
    model = Sequential(Double(), More())
    model[1].__dict__["forward"] = lambda x: x
    assert model(Tensor([3.0])).item() == 6
    assert ran == []


class Twice(Double):
    pass


def test_a_subclass_is_on_its_own(ran):
    assert Sequential(Twice(), More())(Tensor([3.0])).item() == 7
    assert ran == []


def test_not_where_nothing_is_recorded(ran):
    # The way back may be by hand then, layer by layer.
    for slot in (None, Recording(on=False)):
        recorder.install(slot)
        assert Sequential(Double(), More())(Tensor([3.0])).item() == 7
    assert ran == []


def test_no_layer_keeps_a_way_back_from_before(ran):
    layer = Linear(2, 2)
    layer.__dict__["_applied"] = object()
    fusions.fusions[Linear] = lambda layers, at: (1, lambda x: (x, 1))
    try:
        Sequential(layer)(Tensor(np.zeros((1, 2))))
    finally:
        del fusions.fusions[Linear]
    assert layer._applied is None
