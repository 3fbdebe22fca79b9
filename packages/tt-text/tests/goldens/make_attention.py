"""PyTorch's scaled_dot_product_attention, values and gradients: writes attention.json, the cases, and attention.npz.

Of each case the output and the gradients of query, key, value and of a mask of numbers, one after the other. Computed
in float64 on numbers that float32 holds, kept as float32.

Run it with an interpreter that has PyTorch 2.13.0: python make_attention.py
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent


def draw(shape, seed):
    values = np.random.default_rng(seed).normal(size=tuple(shape))
    return values.astype(np.float32).astype(np.float64)


def mask_of(kind, shape):
    """A mask; every query sees its first key, as PyTorch gives NaN where one sees none."""
    if kind == "bool":
        seen = draw(shape, 5) > 0
        seen[..., 0] = True
        return seen
    added = draw(shape, 5)
    if kind == "-inf":
        added[..., 1:][added[..., 1:] > 0] = -np.inf
    return added


def cases():
    """Every combination of options, on each kind of shapes."""
    # query, key, value, masks that broadcast to the scores
    shapes = [
        ((3, 4), (5, 4), (5, 2), [(3, 5), (1, 5)]),
        ((2, 3, 4), (2, 4, 4), (2, 4, 3), [(3, 4), (2, 3, 4), (2, 1, 4)]),
        ((2, 2, 5, 3), (2, 2, 3, 3), (2, 2, 3, 4), [(5, 3), (2, 1, 1, 3), (2, 2, 5, 3), (2, 5, 3)]),
        ((2, 4, 3, 2), (2, 2, 4, 2), (2, 2, 4, 2), [(3, 4), (2, 4, 3, 4), (2, 1, 3, 4)]),
        ((1, 3, 2, 2), (1, 1, 4, 2), (1, 1, 4, 2), [(2, 4), (1, 3, 2, 1)]),
        ((2, 2, 2, 3, 2), (2, 2, 2, 4, 2), (2, 2, 2, 4, 1), [(3, 4), (2, 2, 2, 3, 4)]),
    ]
    found = []
    for q, k, v, masks in shapes:
        gqa = len(q) == 4 and q[1] != k[1]
        base = {"q": q, "k": k, "v": v, "gqa": gqa}
        options = [
            *itertools.product([False], masks, ("bool", "add", "-inf")),
            (True, None, None),
            (False, None, None),
        ]
        for (causal, shape, kind), scale in itertools.product(options, (None, 0.3)):
            if scale is None or shape in (None, masks[0]):
                found.append({**base, "causal": causal, "mask": shape, "kind": kind, "scale": scale})
    return found


if __name__ == "__main__":
    specs, numbers = cases(), []
    for spec in specs:
        q, k, v = (
            torch.tensor(draw(spec[name], seed), requires_grad=True) for seed, name in enumerate("qkv")
        )
        mask = None if spec["mask"] is None else torch.tensor(mask_of(spec["kind"], spec["mask"]))
        wanted = [q, k, v]
        if mask is not None and mask.is_floating_point():
            wanted.append(mask.requires_grad_())
        y = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, mask, is_causal=spec["causal"], scale=spec["scale"], enable_gqa=spec["gqa"]
        )
        grads = torch.autograd.grad(y, wanted, torch.tensor(draw(y.shape, 9)))
        numbers += [part.detach().numpy().ravel() for part in (y, *grads)]
        spec["size"] = sum(math.prod(part.shape) for part in (y, *grads))
    lines = ",\n".join(json.dumps(spec) for spec in specs)
    (HERE / "attention.json").write_text(f"[\n{lines}\n]\n")
    np.savez_compressed(HERE / "attention.npz", numbers=np.concatenate(numbers).astype(np.float32))
