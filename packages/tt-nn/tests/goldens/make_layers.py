"""PyTorch's values and gradients of every layer in layers.json: writes layers.npz.

Run it with an interpreter that has PyTorch 2.13.0: python make_layers.py
"""

import json
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
# Kinks, ties, zeros of both signs, and logits far beyond where exp overflows.
EDGES = [0.0, -0.0, 3.0, -3.0, 1.0, 1.0, -1.0, 20.0, -20.0, 88.0, -88.0, 1e4, -1e4, 1e-8, -1e-8, 2.5]

if __name__ == "__main__":
    found = {}
    for index, spec in enumerate(json.loads((HERE / "layers.json").read_text())):
        rng = np.random.default_rng(index)
        shape = spec.get("shape")
        x = (
            np.asarray(EDGES + list(rng.normal(size=16) * 2)).reshape(4, 8)
            if shape is None
            else rng.normal(size=shape)
        )
        for dtype, name in ((torch.float32, "f32"), (torch.float64, "f64")):
            layer = getattr(torch.nn, spec["layer"])(**spec.get("kwargs", {})).to(dtype)
            layer.train(not spec.get("eval", False))
            draw = np.random.default_rng(index + 1000)
            for key, parameter in layer.named_parameters():
                values = draw.normal(size=parameter.shape)
                parameter.data = torch.tensor(values, dtype=dtype)
                found[f"{index}/p/{key}"] = values
            given = torch.tensor(x, dtype=dtype, requires_grad=True)
            y = layer(given)
            grad = np.random.default_rng(index + 2000).normal(size=tuple(y.shape))
            y.backward(torch.tensor(grad, dtype=dtype))
            found[f"{index}/x"], found[f"{index}/g"] = x, grad
            found[f"{index}/{name}/y"] = y.detach().numpy()
            found[f"{index}/{name}/dx"] = given.grad.numpy()
            for key, parameter in layer.named_parameters():
                found[f"{index}/{name}/d/{key}"] = parameter.grad.numpy()
    np.savez_compressed(HERE / "layers.npz", **found)
