"""Gradients clipped by PyTorch: `python make_clipping.py` with an interpreter that has PyTorch 2.13.

Writes clipping.npz beside itself.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch

SHAPES = [(3, 4), (), (5,), (1,)]
CASES = [
    {"kind": kind, "dtype": dtype, "limit": limit, "p": p}
    for dtype in ("float32", "float64")
    for kind, limit, p in [
        ("norm", 1.0, 2.0),
        ("norm", 1e3, 2.0),
        ("norm", 0.5, 1.0),
        ("norm", 0.5, 3.0),
        ("norm", 0.5, 0.5),
        ("norm", 0.5, math.inf),
        ("norm", 0.0, 2.0),
        ("value", 0.7, 2.0),
        ("value", 0.0, 2.0),
    ]
]


def main() -> None:
    arrays = {}
    for number, case in enumerate(CASES):
        dice = np.random.default_rng(number)
        params = []
        for shape in SHAPES:
            p = torch.zeros(shape, dtype=getattr(torch, case["dtype"]), requires_grad=True)
            p.grad = torch.tensor(dice.normal(size=shape).astype(case["dtype"]))
            params.append(p)
        total = torch.zeros(())
        if case["kind"] == "norm":
            total = torch.nn.utils.clip_grad_norm_(params, case["limit"], case["p"])
        else:
            torch.nn.utils.clip_grad_value_(params, case["limit"])
        arrays[f"grads{number}"] = np.concatenate([p.grad.numpy().reshape(-1) for p in params])
        arrays[f"total{number}"] = total.numpy()
    path = Path(__file__).with_name("clipping.npz")
    table = {"torch": torch.__version__, "shapes": SHAPES, "cases": CASES}
    np.savez_compressed(path, table=np.array(json.dumps(table)), **arrays)
    print(f"{path.name}: {len(CASES)} runs, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
