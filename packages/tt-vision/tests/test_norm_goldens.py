"""Batch, group and instance norm have PyTorch's values, gradients and running statistics, on every kernel.

goldens/norms.json lists the layers and the batches that each sees in turn, the last of them uneven; then comes one in
eval. The file beside it was made by the script there.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tt_tensor import Tensor, kernels
from tt_vision import batch_norm, group_norm, instance_norm

HERE = Path(__file__).parent / "goldens"
SPECS = json.loads((HERE / "norms.json").read_text())


def golden():
    with np.load(HERE / "norms.npz", allow_pickle=False) as file:
        return dict(file)


GOLDEN = golden()


def draw(shape, seed, offset=0.0):
    """As in goldens/make_norms.py."""
    values = np.random.default_rng(seed).normal(size=tuple(shape)) * 2 + offset
    return values.astype(np.float32).astype(np.float64)


def make(spec):
    for module in (batch_norm, group_norm, instance_norm):
        if hasattr(module, spec["layer"]):
            return getattr(module, spec["layer"])(**spec["kwargs"])
    raise AssertionError(spec)


def numbers(layer, spec, dtype):
    """What goldens/make_norms.py writes down."""
    layer.to(dtype)
    for seed, parameter in enumerate(layer.parameters()):
        parameter.write(draw(parameter.shape, seed))
    rows = []
    for step, shape in enumerate([*spec["shapes"], spec["shapes"][-1]]):
        layer.train(step < len(spec["shapes"]))
        layer.zero_grad()
        x = Tensor(draw(shape, 2 * step, spec.get("offset", 0.0)), dtype)
        y = layer(x)
        dx = layer.backward(Tensor(draw(shape, 2 * step + 1), dtype))
        rows += [y, dx, *[parameter.grad for parameter in layer.parameters()]]
        assert all(row.dtype == dtype for row in rows)
        rows += [buffer.astype(dtype) for buffer in layer.buffers()]
    return np.concatenate([np.asarray(row, np.float64).reshape(-1) for row in rows])


RUNS = [
    pytest.param(index, kernel, id=f"{index} {kernel} {json.dumps(spec)}")
    for index, spec in enumerate(SPECS)
    for kernel in (("loops", "whole", "blocked", "numpy") if "Batch" in spec["layer"] else ("loops", "numpy"))
]


@pytest.mark.parametrize(("index", "kernel"), RUNS)
def test_layer(index, kernel):
    spec, wanted = SPECS[index], GOLDEN[str(index)]
    scale = np.maximum(1.0, np.abs(wanted))
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 5e-6)):
        with kernels.use(kernel):
            found = numbers(make(spec), spec, dtype)
        assert found.shape == wanted.shape
        assert np.all(np.abs(found - wanted) <= tolerance * scale), np.abs(found - wanted).max()
