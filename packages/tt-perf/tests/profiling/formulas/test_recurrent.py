"""RNN, LSTM and GRU count what their equations count over numbers that count themselves, and find the same."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tt_nn
from tt_nn.recurrent.gru import GRUFunction
from tt_nn.recurrent.lstm import LSTMFunction
from tt_nn.recurrent.rnn import RNNFunction
from tt_perf import flops, model_report
from tt_tensor import Tensor


class Number:
    """A number; `count` goes up by one with each operation on any."""

    count = 0

    def __init__(self, value):
        self.value = value

    def _made(self, value):
        Number.count += 1
        return Number(value)

    def __neg__(self):
        return self._made(-self.value)

    def __add__(self, other):
        return self._made(self.value + float(other))

    def __mul__(self, other):
        return self._made(self.value * float(other))

    def __sub__(self, other):
        return self._made(self.value - float(other))

    def __rsub__(self, other):
        return self._made(other - self.value)

    def __rtruediv__(self, other):
        return self._made(other / self.value)

    __radd__, __rmul__ = __add__, __mul__

    def __gt__(self, other):
        Number.count += 1
        return self.value > other

    def __float__(self):
        return self.value

    def exp(self):  # np.exp asks each element of an array of objects for it
        return self._made(math.exp(self.value))

    def tanh(self):
        return self._made(math.tanh(self.value))


numbers = np.frompyfunc(Number, 1, 1)


def product(x, weight):
    """x weightᵀ, a multiply-add two operations."""
    return np.array([[sum(p * q for p, q in zip(row, w, strict=True)) for w in weight] for row in x], object)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Rnn:
    gates, states, make = 1, 1, staticmethod(RNNFunction)

    def step(self, a, b, h):
        h = np.tanh(a + b)
        return [h], (h,)

    def back(self, dh, kept):
        (h,) = kept
        da = dh * (1 - h * h)
        return da, da, lambda through: through


class Relu(Rnn):
    make = staticmethod(lambda: RNNFunction(relu=True))

    def step(self, a, b, h):
        a = a + b
        h = np.where(a > 0, a, numbers(0.0 * a.astype(float)))
        return [h], (h,)

    def back(self, dh, kept):
        (h,) = kept
        da = dh * (h.astype(float) > 0)
        return da, da, lambda through: through


class Lstm:
    gates, states, make = 4, 2, staticmethod(LSTMFunction)

    def step(self, a, b, h, c):
        i, f, g, o = np.split(a + b, 4, 1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        new = f * c + i * g
        t = np.tanh(new)
        return [o * t, new], (i, f, g, o, c, t)

    def back(self, dh, dc, kept):
        i, f, g, o, c, t = kept
        dc = dc + dh * o * (1 - t * t)
        parts = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * t * o * (1 - o)
        da = np.concatenate(parts, 1)
        return da, da, lambda through: through, lambda: f * dc


class Gru:
    gates, states, make = 3, 1, staticmethod(GRUFunction)

    def step(self, a, b, h):
        (ar, az, an), (br, bz, bn) = np.split(a, 3, 1), np.split(b, 3, 1)
        r, z = sigmoid(ar + br), sigmoid(az + bz)
        n = np.tanh(an + r * bn)
        return [(1 - z) * n + z * h], (r, z, n, bn, h)

    def back(self, dh, kept):
        r, z, n, bn, h = kept
        shut = 1 - z
        dn, dz = dh * shut * (1 - n * n), dh * (h - n) * z * shut
        dr = dn * bn * r * (1 - r)
        da, db = np.concatenate((dr, dz, dn), 1), np.concatenate((dr, dz, dn * r), 1)
        return da, db, lambda through: z * dh + through


def there(cell, x, states, weight_ih, weight_hh, biases):
    """The hidden states, the last states, and what is kept of each step."""
    found, kept = [], []
    for now in x:
        a, b = product(now, weight_ih), product(states[0], weight_hh)
        if biases:
            a, b = a + biases[0], b + biases[1]
        before = states[0]
        states, of_step = cell.step(a, b, *states)
        found.append(states[0])
        kept.append((before, of_step))
    return found, states, kept


def back(cell, grad, dc, kept, x, weight_ih, weight_hh, wanted):
    """The gradients at x, the states, both weights and both biases: those in `wanted`."""
    steps, dh, found = len(kept), None, {}
    sums, hidden = [None] * steps, [None] * steps
    for t in reversed(range(steps)):
        dh = grad[t] if dh is None else grad[t] + dh
        given = (dh, dc) if cell.states == 2 else (dh,)
        sums[t], hidden[t], carry, *carry_cell = cell.back(*given, kept[t][1])
        dh = carry(product(hidden[t], weight_hh.T)) if t or "h" in wanted else None
        if carry_cell:
            dc = carry_cell[0]() if t or "c" in wanted else None
    if "x" in wanted:
        found["x"] = np.stack([product(da, weight_ih.T) for da in sums])
    if "h" in wanted:
        found["h"] = dh
    if "c" in wanted:
        found["c"] = dc
    rows, below = np.concatenate(sums), np.concatenate(hidden)
    if "weight_ih" in wanted:
        found["weight_ih"] = product(rows.T, np.concatenate(x).T)
    if "weight_hh" in wanted:
        found["weight_hh"] = product(below.T, np.concatenate([h for h, _ in kept]).T)
    if "bias_ih" in wanted:
        found["bias_ih"] = np.array([sum(column) for column in rows.T], object)
    if "bias_hh" in wanted:  # the same sum where the gradients are the same
        same = rows is below or ("bias_ih" in wanted and sums[0] is hidden[0])
        found["bias_hh"] = found["bias_ih"] if same else np.array([sum(c) for c in below.T], object)
    return found


CELLS = pytest.mark.parametrize("cell", [Rnn(), Relu(), Lstm(), Gru()], ids=lambda c: type(c).__name__)


@CELLS
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(
    "without", [(), ("h", "c"), ("c", "x"), ("bias_hh",), ("weight_ih", "weight_hh")], ids=str
)
def test_it_counts_what_its_equations_count(cell, bias, steps, without):
    rng, batch, features, size = np.random.default_rng(0), 2, 3, 2
    wide = cell.gates * size
    names = ["x", "h", *["c"] * (cell.states - 1), "weight_ih", "weight_hh", *["bias_ih", "bias_hh"] * bias]
    shapes = {
        "x": (steps, batch, features),
        "h": (batch, size),
        "c": (batch, size),
        "weight_ih": (wide, features),
    }
    shapes |= {"weight_hh": (wide, size), "bias_ih": (wide,), "bias_hh": (wide,)}
    arrays = {name: rng.standard_normal(shapes[name]) for name in names}

    function = cell.make()
    function.needs = tuple(name not in without for name in names)
    y = function(*map(Tensor, arrays.values())).array
    found = flops(function)
    assert found.counted

    x, *states = [numbers(array) for array in list(arrays.values())[: 1 + cell.states]]
    weight_ih, weight_hh, *biases = [numbers(array) for array in list(arrays.values())[1 + cell.states :]]
    Number.count = 0
    hidden, last, kept = there(cell, x, states, weight_ih, weight_hh, biases)
    assert found.forward == Number.count
    np.testing.assert_allclose(np.stack([*hidden, *last[1:]]).astype(float), y, rtol=1e-12)

    grad = rng.standard_normal(y.shape)
    right = dict(zip(names, function.backward(grad), strict=True))
    as_numbers = numbers(grad)
    wanted = [name for name in names if name not in without]
    Number.count = 0
    gradients = back(cell, as_numbers[:steps], as_numbers[-1], kept, x, weight_ih, weight_hh, wanted)
    assert found.backward == Number.count
    for name in wanted:
        np.testing.assert_allclose(gradients[name].astype(float), right[name], rtol=1e-10, atol=1e-12)


@CELLS
@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (3, 0)])
def test_nothing_counts_nothing(cell, steps, batch):
    wide = cell.gates * 2
    shapes = [(steps, batch, 3), *[(batch, 2)] * cell.states, (wide, 3), (wide, 2), (wide,), (wide,)]
    function = cell.make()
    function(*[Tensor(np.ones(shape)) for shape in shapes])
    assert flops(function) == (0, 0, True)


def test_a_layer_by_hand():
    """5 steps of 2 sequences, 3 numbers in, 4 in a state: 16 sums; neither x nor the first state wants a gradient."""
    report = model_report(tt_nn.LSTM(3, 4), np.ones((5, 2, 3), np.float32))
    assert report.counted
    assert report.forward_flops == 5 * 2 * (16 * (2 * 3 + 2 * 4 + 3) + 18 * 4)
    of_parameters = 5 * 2 * 16 * (2 * 3 + 2 * 4 + 1)
    between_steps = 4 * 2 * (2 * 16 * 4 + 4 + 4)
    assert report.backward_flops == of_parameters + 5 * 2 * 4 * 21 + between_steps
