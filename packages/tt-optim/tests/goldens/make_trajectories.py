"""Trajectories of PyTorch's optimizers: `python make_trajectories.py` with an interpreter that has PyTorch 2.13.

Writes trajectories.npz beside itself. Two groups of two parameters each, 100 steps in float64; the gradient is
computed by NumPy from the parameters, so that whoever repeats it gets the same. Every seventh step or so a
parameter has no gradient; after 50 steps the learning rates are halved, but ASGD's, which PyTorch heeds a step later.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

STEPS = 100
KEPT = (1, 2, 3, 10, 30, 50, 51, 75, 100)
STATES = (50, 100)
SHAPES = {"any": [(2, 3), (), (4,), (1,)], "matrices": [(3, 4), (4, 2), (2, 2), (1, 5)]}

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "betas": (0.5, 0.9)}),
    ("AdamW", {"lr": 0.05, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "momentum_decay": 0.1, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("NAdam", {"lr": 0.05, "betas": (0.8, 0.9), "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.02, "centered": True, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5, "eps": 1e-3, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1}),
    ("Adadelta", {"maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.05, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "betas": (0.5, 0.6), "maximize": True}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.05, "etas": (0.4, 1.3), "step_sizes": (1e-3, 0.2)}),
    ("Rprop", {"maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.6, "t0": 20, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.05, "t0": 0, "maximize": True}),
    ("Muon", {}),
    ("Muon", {"lr": 0.05, "weight_decay": 0.0, "nesterov": False}),
    ("Muon", {"lr": 0.05, "adjust_lr_fn": "match_rms_adamw", "momentum": 0.3}),
    ("Muon", {"lr": 0.05, "ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5), "adjust_lr_fn": "original"}),
]


def start(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    dice = np.random.default_rng(2023)
    return [dice.normal(size=shape) for shape in shapes]


def gradient(values: np.ndarray, which: int, step: int, sign: float) -> np.ndarray | None:
    if step > 1 and step % 7 == which:
        return None
    return sign * ((0.5 + which) * (values - 0.3 * which) + 0.4 * np.sin(3 * values + step))


def run(name: str, options: dict[str, Any]) -> tuple[np.ndarray, list[np.ndarray], list[list[Any]]]:
    values = start(SHAPES["matrices" if name == "Muon" else "any"])
    params = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]
    kind = getattr(torch.optim, name)
    lr = options.get("lr", inspect.signature(kind).parameters["lr"].default)
    groups = [{"params": params[:2]}, {"params": params[2:], "lr": lr / 2, "weight_decay": 0.01}]
    optimizer = kind(groups, **options)
    sign = -1.0 if options.get("maximize") else 1.0
    kept, states, index = [], [], []
    for step in range(1, STEPS + 1):
        for which, p in enumerate(params):
            g = gradient(p.detach().numpy(), which, step, sign)
            p.grad = None if g is None else torch.tensor(g)
        optimizer.step()
        if step == 50 and name != "ASGD":
            for group in optimizer.param_groups:
                group["lr"] /= 2
        if step in KEPT:
            kept.append(np.concatenate([p.detach().numpy().reshape(-1) for p in params]))
        if step in STATES:
            found = optimizer.state_dict()["state"]
            entries = [(at, key, found[at][key]) for at in sorted(found) for key in sorted(found[at])]
            index.append([[at, key, list(tensor.shape)] for at, key, tensor in entries])
            states.append(
                np.concatenate([np.zeros(0), *(t.double().numpy().reshape(-1) for *_, t in entries)])
            )
    return np.stack(kept), states, index


def main() -> None:
    torch.use_deterministic_algorithms(True)
    arrays: dict[str, np.ndarray] = {}
    described = []
    for number, (name, options) in enumerate(CASES):
        kept, states, index = run(name, options)
        arrays[f"values{number}"] = kept
        arrays.update({f"state{number}_{step}": state for step, state in zip(STATES, states, strict=True)})
        described.append(
            {"name": name, "options": options, "state": dict(zip(map(str, STATES), index, strict=True))}
        )
    for kind, shapes in SHAPES.items():
        arrays.update({f"{kind}{at}": value for at, value in enumerate(start(shapes))})
    table = {"torch": torch.__version__, "steps": STEPS, "kept": KEPT, "shapes": SHAPES, "cases": described}
    path = Path(__file__).with_name("trajectories.npz")
    np.savez_compressed(path, table=np.array(json.dumps(table)), **arrays)
    print(f"{path.name}: {len(CASES)} runs, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
