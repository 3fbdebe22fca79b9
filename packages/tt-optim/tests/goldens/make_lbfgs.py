"""PyTorch's way with LBFGS: `python make_lbfgs.py` with an interpreter that has PyTorch 2.13.

Writes lbfgs.npz beside itself. Value and gradient of the function are computed by NumPy, so that whoever repeats it
gets the same: a valley along a curve (Rosenbrock's), and a bowl of fourth powers in a matrix, float64.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

STEPS = 3
CASES = [
    {"lr": 0.1, "max_iter": 5},
    {"lr": 0.02, "max_iter": 8, "history_size": 3},
    {"line_search_fn": "strong_wolfe", "max_iter": 6},
    {"line_search_fn": "strong_wolfe", "max_iter": 6, "history_size": 2, "lr": 0.1},
    {"line_search_fn": "strong_wolfe", "max_iter": 10, "max_eval": 7, "lr": 3.0},
    {"line_search_fn": "strong_wolfe", "tolerance_change": 1e-2},
    {"line_search_fn": "strong_wolfe", "max_iter": 60, "tolerance_grad": 1e-3},
]
START = [[-1.2, 1.0, 0.5], [[0.5, -1.0], [2.0, 0.1]]]


def value_and_gradients(a: np.ndarray, b: np.ndarray) -> tuple[float, list[np.ndarray]]:
    x, y = a[:-1], a[1:]
    value = (10 * (y - x**2) ** 2 + (1 - x) ** 2).sum() + ((b - 1) ** 4 + 0.1 * b**2).sum()
    of_a = np.zeros_like(a)
    of_a[:-1] = -40 * x * (y - x**2) - 2 * (1 - x)
    of_a[1:] += 20 * (y - x**2)
    return float(value), [of_a, 4 * (b - 1) ** 3 + 0.2 * b]


def closure_of(params: list[torch.Tensor], asked: list[float]) -> Callable[[], torch.Tensor]:
    def closure() -> torch.Tensor:
        value, gradients = value_and_gradients(*[p.detach().numpy() for p in params])
        asked.append(value)
        for p, g in zip(params, gradients, strict=True):
            p.grad = torch.tensor(g)
        return torch.tensor(value, dtype=torch.float64)

    return closure


def main() -> None:
    arrays = {}
    evaluations = []
    for number, options in enumerate(CASES):
        params = [torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in START]
        optimizer = torch.optim.LBFGS(params, **options)
        asked: list[float] = []
        kept, losses, counts = [], [], []
        for _ in range(STEPS):
            losses.append(optimizer.step(closure_of(params, asked)).item())
            kept.append(np.concatenate([p.detach().numpy().reshape(-1) for p in params]))
            counts.append(len(asked))
        evaluations.append(counts)
        arrays |= {f"values{number}": np.stack(kept), f"losses{number}": np.array(losses)}
        for name, found in optimizer.state_dict()["state"][0].items():
            if name != "al":
                parts = found if isinstance(found, list) else [found]
                arrays[f"state{number}/{name}"] = np.array([np.asarray(part) for part in parts], np.float64)
    table = {"cases": CASES, "start": START, "evaluations": evaluations, "torch": torch.__version__}
    np.savez_compressed(Path(__file__).with_name("lbfgs.npz"), table=np.array(json.dumps(table)), **arrays)


if __name__ == "__main__":
    main()
