"""PyTorch's state dicts load into MultiheadAttention and the transformer layers, and give its outputs.

The gradients are checked in the workspace's tests/test_transformer_gradients.py, as they need the tape.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import tt_text
from tt_tensor import Tensor, kernels

HERE = Path(__file__).parent / "goldens"
SPECS = json.loads((HERE / "transformers.json").read_text())
NUMBERS = np.load(HERE / "transformers.npz")["numbers"]
ENDS = np.cumsum([spec["size"] for spec in SPECS])


def draw(shape, seed, scale=1.0):
    values = np.random.default_rng(seed).normal(size=tuple(shape)) * scale
    return values.astype(np.float32)


def mask_of(kind, shape, seed):
    if kind == "causal":
        return np.triu(np.full(shape, -np.inf, np.float32), 1)
    if kind == "causal-bool":
        return np.triu(np.ones(shape, bool), 1)
    values = draw(shape, seed)
    if kind == "add":
        return values
    hidden = values > 0.3
    hidden[..., 0] = False
    return hidden


def name(index):
    spec = SPECS[index]
    return f"{index} {spec['layer']} {list(spec['kwargs'].values())} {list(spec['call'])}"


def run(spec, dtype):
    layer = getattr(tt_text, spec["layer"])(**spec["kwargs"]).to(dtype).eval()
    state = {name: draw(shape, 100 + seed, 0.5) for seed, (name, shape) in enumerate(spec["state"].items())}
    assert {name: list(tensor.shape) for name, tensor in layer.state_dict().items()} == spec["state"]
    layer.load_state_dict(state)
    given = []
    for seed, shape in enumerate(spec["inputs"]):
        given.append(given[shape] if isinstance(shape, int) else Tensor(draw(shape, seed).astype(dtype)))
    call = {
        name: mask_of(*value, seed) if isinstance(value, list) else value
        for seed, (name, value) in enumerate(spec["call"].items(), 50)
    }
    found = layer(*given, **call)
    return [part for part in (found if isinstance(found, tuple) else (found,)) if part is not None]


@pytest.mark.parametrize("index", range(len(SPECS)), ids=name)
def test_outputs_are_those_of_pytorch(index):
    spec = SPECS[index]
    wanted = NUMBERS[ENDS[index] - spec["size"] : ENDS[index]]
    for dtype, atol in ((np.float32, 1e-5), (np.float64, 1e-6)):
        found = run(spec, dtype)
        assert all(part.dtype == dtype for part in found)
        numbers = np.concatenate([part.numpy().ravel() for part in found])
        np.testing.assert_allclose(numbers, wanted[: len(numbers)], rtol=0, atol=atol)


@pytest.mark.parametrize("kernel", ["loops", "plain", "blockwise"])
def test_every_kernel_gives_them(kernel):
    for index in range(0, len(SPECS), 4):
        spec = SPECS[index]
        wanted = NUMBERS[ENDS[index] - spec["size"] : ENDS[index]]
        with kernels.use(kernel, "attention"):
            numbers = np.concatenate([part.numpy().ravel() for part in run(spec, np.float64)])
        np.testing.assert_allclose(numbers, wanted[: len(numbers)], rtol=0, atol=1e-6)
