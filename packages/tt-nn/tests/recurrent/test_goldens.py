"""Recurrent layers and cells have PyTorch's values and gradients.

goldens/recurrent.npz was made by make_recurrent.py beside it.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import tt_nn
from tt_nn.recurrent.gru import GRUFunction
from tt_nn.recurrent.lstm import LSTMFunction
from tt_nn.recurrent.rnn import RNNFunction
from tt_tensor import Tensor, recorder

HERE = Path(__file__).parent.parent / "goldens"
SPECS = json.loads((HERE / "recurrent.json").read_text())
with np.load(HERE / "recurrent.npz", allow_pickle=False) as file:
    GOLDEN = dict(file)


class Tape:
    """Every application in order; `pull` goes through them in reverse."""

    def __init__(self):
        self.applied = []

    def record(self, function, inputs, output):
        self.applied.append((function, inputs, output))
        return True

    def pull(self, outputs, grads):
        found = {}

        def add(x, g):
            found[id(x)] = found[id(x)] + g if id(x) in found else g

        for y, g in zip(outputs, grads, strict=True):
            add(y, g)
        for function, inputs, made in reversed(self.applied):
            if id(made) in found:
                for x, g in zip(inputs, function.gradients(found[id(made)]), strict=True):
                    if g is not None:
                        add(x, g)
        return found


def parts(found):
    return [found] if isinstance(found, Tensor) else [one for part in found for one in parts(part)]


def near(found, wanted):
    np.testing.assert_allclose(found, wanted, 1e-11, 1e-12)


@pytest.mark.parametrize(
    "index", range(len(SPECS)), ids=[f"{spec['layer']} {spec.get('kwargs', '')}" for spec in SPECS]
)
def test_layer(index):
    spec = SPECS[index]

    def golden(what):
        return [GOLDEN[f"{index}/{what}/{n}"] for n in range(9) if f"{index}/{what}/{n}" in GOLDEN]

    layer = getattr(tt_nn, spec["layer"])(*spec["args"], **spec.get("kwargs", {})).double()
    layer.load_state_dict({name: GOLDEN[f"{index}/p/{name}"] for name, _ in layer.named_parameters()})
    given = [Tensor(x) for x in golden("x")]
    states = given[1:]
    hx = None if not states else states[0] if len(states) == 1 else tuple(states)
    tape = Tape()
    before = recorder.install(tape)
    try:
        outputs = parts(layer(given[0], hx))
    finally:
        recorder.install(before)
    for y, wanted in zip(outputs, golden("y"), strict=True):
        near(y.numpy(), wanted)
    found = tape.pull(outputs, golden("g"))
    for x, wanted in zip(given, golden("dx"), strict=True):
        near(found[id(x)], wanted)
    for name, parameter in layer.named_parameters():
        near(found[id(parameter)], GOLDEN[f"{index}/d/{name}"])


@pytest.mark.parametrize(
    ("make", "gates", "states"),
    [(RNNFunction, 1, 1), (lambda: RNNFunction(relu=True), 1, 1), (LSTMFunction, 4, 2), (GRUFunction, 3, 1)],
)
def test_composites_have_the_gradients_of_the_rules(make, gates, states):
    # They stand for the rules above first order.
    rng = np.random.default_rng(0)
    shapes = [(3, 2, 2), *[(2, 3)] * states, (3 * gates, 2), (3 * gates, 3), *[(3 * gates,)] * 2]
    given = [Tensor(rng.normal(size=shape)) for shape in shapes]
    function = make()
    y = function(*given)
    grad = rng.normal(size=y.shape)
    tape = Tape()
    before = recorder.install(tape)
    try:
        composed = make().composite(*given)
    finally:
        recorder.install(before)
    near(composed.numpy(), y.numpy())
    found = tape.pull([composed], [grad])
    for x, wanted in zip(given, function.gradients(grad), strict=True):
        near(found[id(x)], wanted)
