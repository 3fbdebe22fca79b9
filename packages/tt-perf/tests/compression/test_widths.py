"""choose_widths reaches its goal with the layers that can spare most, whatever the cost is."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_nn
from tt_perf.compression import choose_widths, prune_channels, widths
from tt_tensor.errors import ArgumentError


def parameters(model):
    return sum(parameter.size for parameter in model.parameters())


def network(*sizes, seed=0):
    """Linear – ReLU – … – Linear with normal weights."""
    layers = []
    for inputs, outputs in pairwise(sizes):
        layers += [tt_nn.Linear(inputs, outputs), tt_nn.ReLU()]
    model = tt_nn.Sequential(*layers[:-1])
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.write(rng.normal(size=parameter.shape).astype(np.float32))
    return model


def inputs(n=60, size=6):
    return np.random.default_rng(1).normal(size=(n, size)).astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(st.floats(1.1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(0, 9))
def test_the_goal_is_reached_in_multiples(faster, multiple_of, rounds, seed):
    model = network(6, 20, 20, 4, seed=seed)
    before = parameters(model)
    found = choose_widths(model, inputs(), faster, cost=parameters, multiple_of=multiple_of, rounds=rounds)
    small = prune_channels(model, widths=found)
    assert parameters(small) <= before / faster
    assert all(width == 20 or width % multiple_of == 0 for width in found.values())
    assert parameters(model) == before


def test_no_more_is_cut_than_has_to_be():
    model = network(6, 20, 20, 4)
    found = choose_widths(model, inputs(), 2, cost=parameters, multiple_of=1, rounds=20)
    for name in found:
        wider = prune_channels(model, widths={**found, name: found[name] + 1})
        assert parameters(wider) > 0.45 * parameters(model)


@pytest.mark.parametrize("idle", ["0", "2"])
def test_the_layer_goes_whose_channels_do_nothing(idle):
    model = network(6, 16, 16, 4)
    layer = dict(model.named_children())[idle]
    for parameter in layer.parameters():
        array = parameter.array.copy()
        array[4:] = 0
        parameter.write(array)
    found = choose_widths(model, inputs(), 1.5, cost=parameters, multiple_of=4)
    assert found[idle] < 16
    assert found[{"0": "2", "2": "0"}[idle]] == 16
    small = prune_channels(model, widths=found, criterion="contribution", data=inputs(), reconstruct=True)
    np.testing.assert_allclose(small(inputs()).array, model(inputs()).array, rtol=1e-2, atol=1e-2)


def test_a_channel_that_costs_more_goes_first():
    """Equal layers, so what each costs decides."""
    model = network(6, 16, 16, 4)

    def cost(small):
        return 10 * small[0].out_features + small[2].out_features

    found = choose_widths(model, inputs(), 1.4, cost=cost, multiple_of=1, rounds=1)
    assert found["0"] < 16 and found["2"] == 16  # the other alone could not do it


def test_time_is_measured_against_the_whole(monkeypatch):
    """A clock that counts neurons: what is measured in turns is the share of them."""
    model = network(6, 16, 16, 4)
    now = [0.0]

    def tick():
        return now[0]

    seen = []
    forward = tt_nn.Sequential.forward

    def slow(self, x):
        seen.append((len(x.array), self.training))
        now[0] += self[0].out_features + self[2].out_features
        return forward(self, x)

    monkeypatch.setattr(tt_nn.Sequential, "forward", slow)
    monkeypatch.setattr(widths.time, "perf_counter", tick)
    clock = widths._Clock(model, inputs(7))
    assert clock(model) == 1
    assert clock(prune_channels(model, widths={"0": 8, "2": 4})) == pytest.approx(12 / 32)
    assert set(seen) == {(7, False)}
    assert model.training


def test_what_was_lucky_is_measured_again(monkeypatch):
    """The first measurement of each network is half of what it costs: the second one counts."""
    model = network(6, 16, 16, 4)
    known = set()

    class Moody(widths._Clock):
        def __call__(self, small):
            key = small[0].out_features, small[2].out_features
            lucky = key not in known and small is not self.model
            known.add(key)
            return sum(key) / 32 * (0.5 if lucky else 1)

    monkeypatch.setattr(widths, "_Clock", Moody)
    found = choose_widths(model, inputs(), 2, multiple_of=1)
    assert sum(found.values()) <= 16


def test_images(cnn, rng):
    model = cnn()
    x = rng.normal(size=(20, 2, 8, 8))
    found = choose_widths(model, x, 1.8, cost=parameters, multiple_of=2)
    assert set(found) == {"c1", "c2", "c3"}
    assert parameters(prune_channels(model, widths=found)) <= parameters(model) / 1.8
    assert choose_widths(model, x, 1.01, batch=3, multiple_of=4)  # by time


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"faster": 1}, "faster is a number above 1"),
        ({"faster": math.nan}, "faster is a number above 1"),
        ({"faster": math.inf}, "faster is a number above 1"),
        ({"faster": True}, "faster is a number above 1"),
        ({"faster": "2"}, "faster is a number above 1"),
        ({"multiple_of": 0}, "multiple_of"),
        ({"rounds": 0}, "rounds"),
        ({"batch": 0}, "batch"),
        ({"data": np.zeros((0, 6), np.float32)}, "looks at data"),
        ({"faster": 1e6, "cost": parameters}, "times its speed at most"),
        ({"faster": 2, "cost": lambda model: 3.0}, "comes to 1.00 times its speed at most"),
        ({"criterion": "luck"}, "criterion"),
    ],
)
def test_what_cannot_be_is_said(settings, words):
    with pytest.raises(ArgumentError, match=words):
        choose_widths(**{"model": network(6, 8, 8, 4), "data": inputs(), **settings})


def test_a_network_without_channels_to_spare():
    with pytest.raises(ArgumentError, match="can be made smaller"):
        choose_widths(tt_nn.Sequential(tt_nn.Linear(6, 3)), inputs())
