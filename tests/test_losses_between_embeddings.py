"""Losses of several inputs that learn send each of them PyTorch's gradient, and have second derivatives."""

import json

import numpy as np
import pytest
from wheel_graph import ROOT

import tt_nn as nn
from tt_autograd import gradgradcheck
from tt_tensor import tensor

with np.load(ROOT / "packages/tt-nn/tests/goldens/losses.npz", allow_pickle=False) as file:
    GOLDENS = {key: file[key] for key in file.files if key.startswith("metric")}
SPECS = json.loads(str(GOLDENS["metric"]))


def given(index, dtype):
    _, _, _, count, signs = SPECS[index]
    return [tensor(GOLDENS[f"metric/{index}/{at}"], dtype, at < count) for at in range(count + signs)]


@pytest.mark.parametrize("name", ["f32", "f64"])
@pytest.mark.parametrize("index", range(len(SPECS)), ids=lambda index: f"{index} {SPECS[index][:2]}")
def test_gradients_are_pytorchs(index, name):
    loss, options, _, count, _ = SPECS[index]
    rest = GOLDENS[f"metric/{index}/{name}"]
    for reduction in ("mean", "sum", "none"):
        inputs = given(index, "float32" if name == "f32" else "float64")
        y = getattr(nn, loss)(reduction=reduction, **options)(*inputs)
        y.backward(np.cos(np.arange(1, y.numel() + 1)).reshape(y.shape).astype(y.dtype))
        rest = rest[y.numel() :]
        for x in inputs[:count]:
            wanted, rest = rest[: x.numel()], rest[x.numel() :]
            tolerance = 1e-5 if name == "f32" else 1e-10
            np.testing.assert_allclose(
                x.grad.numpy().reshape(-1), wanted, rtol=tolerance, atol=tolerance / 10
            )
    assert not rest.size


@pytest.mark.parametrize("index", [0, 4, 7])
def test_second_derivatives(index):
    loss, options, _, count, _ = SPECS[index]
    inputs = given(index, "float64")
    target = inputs[count:]
    assert gradgradcheck(lambda *xs: getattr(nn, loss)(**options)(*xs, *target), tuple(inputs[:count]))
