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


# Losses of several inputs that learn: name, options, the shape of an input, how many there are, whether signs follow.
METRIC = [
    ("TripletMarginLoss", {}, (6, 4), 3, False),
    ("TripletMarginLoss", {"margin": 0.3, "p": 1.0, "eps": 1e-3, "swap": True}, (6, 4), 3, False),
    ("TripletMarginLoss", {"margin": 2.0, "p": 3.0}, (4,), 3, False),
    ("CosineEmbeddingLoss", {}, (6, 4), 2, True),
    ("CosineEmbeddingLoss", {"margin": 0.4}, (6, 4), 2, True),
    ("CosineEmbeddingLoss", {"margin": -0.5}, (4,), 2, True),
    ("MarginRankingLoss", {}, (6,), 2, True),
    ("MarginRankingLoss", {"margin": 0.7}, (3, 4), 2, True),
]


def metric():
    """Inputs, and one row of numbers for each: the loss under every reduction, and what each sends to the inputs."""
    found = {"metric": np.array(json.dumps(METRIC))}
    for index, (loss, options, shape, count, signs) in enumerate(METRIC):
        rng = np.random.default_rng(index)
        inputs = [rng.normal(size=shape) for _ in range(count)]
        if signs:
            pairs = shape if loss == "MarginRankingLoss" else shape[:-1]
            inputs.append(np.where(rng.random(pairs) < 0.5, 1.0, -1.0))
        found |= {f"metric/{index}/{place}": values for place, values in enumerate(inputs)}
        for dtype, name in ((torch.float32, "f32"), (torch.float64, "f64")):
            row = []
            for reduction in ("mean", "sum", "none"):
                given = [
                    torch.tensor(x, dtype=dtype, requires_grad=at < count) for at, x in enumerate(inputs)
                ]
                y = getattr(torch.nn, loss)(reduction=reduction, **options)(*given)
                y.backward(
                    torch.tensor(np.cos(np.arange(1, y.numel() + 1)).reshape(tuple(y.shape)), dtype=dtype)
                )
                row += [y.detach(), *(x.grad for x in given[:count])]
            found[f"metric/{index}/{name}"] = torch.cat([part.reshape(-1) for part in row]).numpy()
    return found


if __name__ == "__main__":
    found = metric()
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
