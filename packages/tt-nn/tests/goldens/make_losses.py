"""PyTorch's values and gradients of every loss in losses.json, under every reduction: writes losses.npz.

Run it with an interpreter that has PyTorch 2.13.0: python make_losses.py
"""

import json
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent


def draw(kind, rng, shape):
    axis = 1 if len(shape) > 1 else 0
    rows = shape[:axis] + shape[axis + 1 :]
    x = rng.normal(size=shape) * 2
    if kind == "extreme":
        x.reshape(-1)[:6] = [1e4, -1e4, 88.0, -88.0, 0.0, 30.0]
    elif kind == "masked":
        x.reshape(-1)[[1, 5]] = -np.inf
    elif kind in ("index", "ignored", "unmasked"):
        x = rng.integers(0, shape[axis], rows)
        if kind == "ignored":
            x.reshape(-1)[::2] = -100
        if kind == "unmasked":
            x[:2] = 0
    elif kind == "probability":
        x = rng.uniform(0.01, 0.99, shape)
    elif kind == "edge":
        x = rng.uniform(0.01, 0.99, shape)
        x.reshape(-1)[:4] = [0.0, 1.0, 0.0, 1.0]
    elif kind == "bit":
        x = rng.integers(0, 2, shape).astype(float)
        x.reshape(-1)[:4] = [0, 0, 1, 1]
    elif kind in ("distribution", "log", "zeros"):
        x = np.exp(x)
        if kind == "zeros":
            x.reshape(-1)[[0, 4]] = 0
        x = x / x.sum(axis=axis, keepdims=True)
        x = np.log(x) if kind == "log" else x
    return x


if __name__ == "__main__":
    found = {}
    for index, spec in enumerate(json.loads((HERE / "losses.json").read_text())):
        rng, shape = np.random.default_rng(index), tuple(spec.get("shape", (4, 3)))
        x, t = draw(spec.get("input", "normal"), rng, shape), draw(spec.get("target", "normal"), rng, shape)
        arrays = {name: rng.uniform(0.5, 2.0, size) for name, size in spec.get("arrays", {}).items()}
        found[f"{index}/x"], found[f"{index}/t"] = x, t
        found.update({f"{index}/a/{name}": values for name, values in arrays.items()})
        for dtype, name in ((torch.float32, "f32"), (torch.float64, "f64")):
            # One row of numbers: the loss, then the gradients at prediction and target, reduction by reduction.
            row = []
            for reduction in ("mean", "sum", "none", *(["batchmean"] if spec["loss"] == "KLDivLoss" else [])):
                given = {key: torch.tensor(values, dtype=dtype) for key, values in arrays.items()}
                loss_fn = getattr(torch.nn, spec["loss"])(
                    reduction=reduction, **spec.get("kwargs", {}), **given
                )
                prediction = torch.tensor(x, dtype=dtype, requires_grad=True)
                floats = t.dtype.kind == "f"
                target = torch.tensor(t, dtype=dtype if floats else None, requires_grad=floats)
                loss = loss_fn(prediction, target)
                grad = np.cos(np.arange(1, loss.numel() + 1)).reshape(tuple(loss.shape))
                loss.backward(torch.tensor(grad, dtype=dtype))
                row += [loss.detach(), prediction.grad, *([target.grad] if floats else [])]
            found[f"{index}/{name}"] = torch.cat([part.reshape(-1) for part in row]).numpy()
    np.savez_compressed(HERE / "losses.npz", **found)
