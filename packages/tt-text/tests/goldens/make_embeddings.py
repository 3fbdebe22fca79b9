"""PyTorch's output and gradient of every lookup in embeddings.json: writes embeddings.npz.

Run it with an interpreter that has PyTorch 2.13.0: python make_embeddings.py
"""

import json
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent


def draw(shape, seed):
    """Values that float32 holds exactly, so that one golden serves both dtypes."""
    values = np.random.default_rng(seed).normal(size=tuple(shape))
    return values.astype(np.float32).astype(np.float64)


if __name__ == "__main__":
    found = {}
    for index, spec in enumerate(json.loads((HERE / "embeddings.json").read_text())):
        rows, columns = spec["table"]
        layer = torch.nn.Embedding(rows, columns, padding_idx=spec["padding_idx"]).double()
        layer.weight.data = torch.tensor(draw((rows, columns), 0))
        ids = np.random.default_rng(1).integers(0, spec["below"], spec["ids"])
        y = layer(torch.tensor(ids))
        y.backward(torch.tensor(draw(y.shape, 2)))
        found[f"{index} y"], found[f"{index} dweight"] = y.detach().numpy(), layer.weight.grad.numpy()
    np.savez_compressed(HERE / "embeddings.npz", **found)
