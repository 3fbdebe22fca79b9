"""Every combination of options has PyTorch's values and gradients, or is refused where PyTorch refuses it.

goldens/make_convolutions.py says what the numbers are.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

import tt_vision.conv
import tt_vision.conv_transpose
from tt_tensor.errors import ArgumentError, ShapeError

GOLDENS = Path(__file__).parent / "goldens"
LAYERS = vars(tt_vision.conv) | vars(tt_vision.conv_transpose)


def golden():
    with np.load(GOLDENS / "convolutions.npz", allow_pickle=False) as file:
        return file["bank"].astype(np.float64), file["marks"]


BANK, MARKS = golden()


def combinations():
    """One test for each kernel size of each table, with the numbers of its rows."""
    row = 0
    for spec in json.loads((GOLDENS / "convolutions.json").read_text()):
        options = spec["options"]
        count = math.prod(map(len, options.values())) // len(options["kernel_size"])
        for size in options["kernel_size"]:
            one = {**options, "kernel_size": [size]}
            yield pytest.param(
                spec["layer"], spec["shape"], one, row, id=f"{spec['layer']} {spec['shape']} {size}"
            )
            row += count
    assert row == len(MARKS)


def numbers(shape, start):
    return BANK[start : start + math.prod(shape)].reshape(shape)


def marks(layer, shape):
    layer.weight.write(numbers(layer.weight.shape, 500))
    if layer.bias is not None:
        layer.bias.write(numbers(layer.bias.shape, 950))
    y = layer(numbers(shape, 0))
    dx = layer.backward(numbers(y.shape, 1000))
    assert dx.shape == tuple(shape) and y.dtype == dx.dtype == layer.weight.grad.dtype == np.float64
    results = [y, dx, layer.weight.grad] + ([] if layer.bias is None else [layer.bias.grad])
    found = [np.vdot(part.array, numbers(part.shape, 300)) for part in results]
    return found if layer.bias is not None else [*found, 0.0]


@pytest.mark.parametrize(("name", "shape", "options", "row"), list(combinations()))
def test_layer(name, shape, options, row, monkeypatch):
    monkeypatch.setattr(
        LAYERS[name], "reset_parameters", lambda layer: None
    )  # its draws take half of the time
    wanted, found, seen = MARKS[row:], [], []
    for values in itertools.product(*options.values()):
        seen.append(dict(zip(options, values, strict=True)))
        bias = (row + len(found)) % 2 == 0
        try:
            found.append(marks(LAYERS[name](4, 4, **seen[-1], bias=bias, dtype=np.float64), shape))
        except (ArgumentError, ShapeError):
            found.append([np.nan] * 4)
    close = np.isclose(found, wanted[: len(found)], rtol=1e-9, atol=1e-9, equal_nan=True).all(axis=1)
    wrong = [(seen[at], found[at], wanted[at].tolist()) for at in np.flatnonzero(~close)]
    assert not wrong, f"{len(wrong)} of {len(found)}, the first (options, found, PyTorch's): {wrong[0]}"
