"""PyTorch's values and gradients for every combination of options in convolutions.json: writes convolutions.npz.

Of each result y, dx, dweight, dbias one number is kept: its product with fixed random numbers. Where PyTorch
refuses a combination, NaN. Every second layer has no bias (0 for its gradient).

Run it with an interpreter that has PyTorch 2.13.0: python make_convolutions.py
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
BANK = np.random.default_rng(4).normal(size=4096).astype(np.float32)
"""Inputs, weights, gradients and what results are multiplied with are pieces of this."""


def numbers(shape, start):
    return torch.tensor(BANK[start : start + math.prod(shape)].reshape(shape), dtype=torch.float64)


def marks(layer, shape):
    """The four numbers for a layer applied to an input of `shape`."""
    layer.weight.data = numbers(layer.weight.shape, 500)
    if layer.bias is not None:
        layer.bias.data = numbers(layer.bias.shape, 950)
    x = numbers(shape, 0).requires_grad_()
    y = layer(x)
    y.backward(numbers(y.shape, 1000))
    results = [y.detach(), x.grad, layer.weight.grad]
    found = [float((part * numbers(part.shape, 300)).sum()) for part in results]
    return [*found, 0.0 if layer.bias is None else float((layer.bias.grad * numbers((4,), 300)).sum())]


def pairs(value):
    return tuple(value) if isinstance(value, list) else value


if __name__ == "__main__":
    rows = []
    for spec in json.loads((HERE / "convolutions.json").read_text()):
        for values in itertools.product(*spec["options"].values()):
            options = dict(zip(spec["options"], map(pairs, values), strict=True))
            try:
                layer = getattr(torch.nn, spec["layer"])(
                    4, 4, **options, bias=len(rows) % 2 == 0, dtype=torch.float64
                )
                rows.append(marks(layer, tuple(spec["shape"])))
            except (ValueError, RuntimeError) as error:
                print(spec["layer"], options, error)
                rows.append([math.nan] * 4)
    np.savez_compressed(HERE / "convolutions.npz", bank=BANK, marks=np.array(rows))
    print(len(rows), "layers,", int(np.isnan(rows).any(axis=1).sum()), "refused")
