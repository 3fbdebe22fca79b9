"""PyTorch's values, gradients and running statistics of every layer in norms.json: writes norms.npz.

Each layer sees its batches in turn in training, then the last shape once more in eval. Run it with an interpreter that
has PyTorch 2.13.0: python make_norms.py
"""

import json
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent


def draw(shape, seed, offset=0.0):
    """Values that float32 holds exactly, so that one golden serves both dtypes."""
    values = np.random.default_rng(seed).normal(size=tuple(shape)) * 2 + offset
    return values.astype(np.float32).astype(np.float64)


if __name__ == "__main__":
    found = {}
    for index, spec in enumerate(json.loads((HERE / "norms.json").read_text())):
        layer = getattr(torch.nn, spec["layer"])(**spec["kwargs"]).double()
        for seed, parameter in enumerate(layer.parameters()):
            parameter.data = torch.tensor(draw(parameter.shape, seed))
        rows = []
        for step, shape in enumerate([*spec["shapes"], spec["shapes"][-1]]):
            layer.train(step < len(spec["shapes"]))
            layer.zero_grad()
            x = torch.tensor(draw(shape, 2 * step, spec.get("offset", 0.0)), requires_grad=True)
            y = layer(x)
            y.backward(torch.tensor(draw(shape, 2 * step + 1)))
            # One row of numbers: the output, the gradients, then the buffers.
            rows += [y.detach(), x.grad, *[parameter.grad for parameter in layer.parameters()]]
            rows += [buffer.clone().double() for buffer in layer.buffers()]
        found[str(index)] = torch.cat([row.reshape(-1) for row in rows]).numpy()
    np.savez_compressed(HERE / "norms.npz", **found)
