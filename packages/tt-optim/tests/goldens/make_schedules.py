"""Learning rates of PyTorch's schedules: `python make_schedules.py` with an interpreter that has PyTorch 2.13.

Writes schedules.npz beside itself: 60 steps of each, two groups with different learning rates (and momenta, where
they move). A schedule is written as [name, options], the parts of a combined one in its options.
"""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler

STEPS = 60
LAMBDAS = {
    "power": lambda t: 0.95**t,
    "root": lambda t: 1 / math.sqrt(1 + t),
}

CASES: list[tuple[str, list[Any]]] = [
    ("SGD", ["StepLR", {"step_size": 7}]),
    ("SGD", ["StepLR", {"step_size": 1, "gamma": 0.9}]),
    ("SGD", ["MultiStepLR", {"milestones": [20, 5, 20, 40], "gamma": 0.5}]),
    ("SGD", ["ExponentialLR", {"gamma": 0.93}]),
    ("SGD", ["ConstantLR", {}]),
    ("SGD", ["ConstantLR", {"factor": 0.2, "total_iters": 13}]),
    ("SGD", ["LinearLR", {}]),
    ("SGD", ["LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 25}]),
    ("SGD", ["PolynomialLR", {"total_iters": 30, "power": 2.0}]),
    ("SGD", ["PolynomialLR", {}]),
    ("SGD", ["CosineAnnealingLR", {"T_max": 10}]),
    ("SGD", ["CosineAnnealingLR", {"T_max": 17, "eta_min": 0.003}]),
    ("SGD", ["CosineAnnealingLR", {"T_max": 1}]),
    ("SGD", ["CosineAnnealingWarmRestarts", {"T_0": 9}]),
    ("SGD", ["CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2, "eta_min": 0.001}]),
    ("SGD", ["LambdaLR", {"lr_lambda": "power"}]),
    ("SGD", ["LambdaLR", {"lr_lambda": ["power", "root"]}]),
    ("SGD", ["MultiplicativeLR", {"lr_lambda": ["power", "root"]}]),
    ("SGD", ["CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 7}]),
    ("Adam", ["CyclicLR", {"base_lr": [0.01, 0.1], "max_lr": 0.3, "step_size_up": 4, "mode": "triangular2"}]),
    (
        "RMSprop",
        [
            "CyclicLR",
            {
                "base_lr": 0.0,
                "max_lr": [0.3, 1.0],
                "step_size_up": 1,
                "step_size_down": 9,
                "mode": "exp_range",
                "gamma": 0.97,
                "base_momentum": [0.5, 0.6],
                "max_momentum": 0.7,
            },
        ],
    ),
    (
        "Adagrad",
        [
            "CyclicLR",
            {"base_lr": 0.2, "max_lr": 0.1, "step_size_up": 9, "step_size_down": 2, "cycle_momentum": False},
        ],
    ),
    ("SGD", ["OneCycleLR", {"max_lr": 0.5, "total_steps": 60}]),
    ("Adam", ["OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 6, "steps_per_epoch": 10, "three_phase": True}]),
    (
        "Adam",
        ["OneCycleLR", {"max_lr": 0.5, "total_steps": 61, "anneal_strategy": "linear", "pct_start": 0.1}],
    ),
    (
        "RMSprop",
        ["OneCycleLR", {"max_lr": 1.0, "total_steps": 80, "base_momentum": [0.5, 0.6], "max_momentum": 0.9}],
    ),
    (
        "Adagrad",
        ["OneCycleLR", {"max_lr": 1.0, "total_steps": 60, "cycle_momentum": False, "div_factor": 10.0}],
    ),
    (
        "SGD",
        [
            "SequentialLR",
            {
                "schedulers": [["LinearLR", {"total_iters": 10}], ["CosineAnnealingLR", {"T_max": 40}]],
                "milestones": [10],
            },
        ],
    ),
    (
        "SGD",
        [
            "SequentialLR",
            {
                "schedulers": [
                    ["ConstantLR", {"factor": 0.1, "total_iters": 100}],
                    ["ExponentialLR", {"gamma": 0.9}],
                    ["StepLR", {"step_size": 4}],
                    ["CosineAnnealingWarmRestarts", {"T_0": 5}],
                    ["LambdaLR", {"lr_lambda": "root"}],
                    ["PolynomialLR", {"total_iters": 6}],
                    ["MultiStepLR", {"milestones": [2, 3]}],
                ],
                "milestones": [3, 12, 20, 33, 41, 52],
            },
        ],
    ),
    (
        "SGD",
        [
            "ChainedScheduler",
            {"schedulers": [["ConstantLR", {"total_iters": 4}], ["ExponentialLR", {"gamma": 0.95}]]},
        ],
    ),
    (
        "SGD",
        [
            "ChainedScheduler",
            {
                "schedulers": [
                    ["LinearLR", {"total_iters": 8}],
                    ["StepLR", {"step_size": 15}],
                    ["CosineAnnealingLR", {"T_max": 20}],
                ]
            },
        ],
    ),
]

PLATEAU: list[dict[str, Any]] = [
    {"patience": 2},
    {"patience": 3, "cooldown": 4, "factor": 0.5, "threshold": 0.05},
    {"mode": "max", "patience": 1, "min_lr": 0.004, "threshold_mode": "abs", "threshold": 0.01},
    {"mode": "max", "patience": 2, "min_lr": [0.01, 0.001], "threshold_mode": "rel"},
    {"patience": 0, "factor": 0.3, "threshold_mode": "abs", "eps": 1e-4},
]


def make(optimizer: torch.optim.Optimizer, schedule: list[Any]) -> Any:
    name, options = schedule
    options = dict(options)
    if "lr_lambda" in options:
        wanted = options["lr_lambda"]
        options["lr_lambda"] = [LAMBDAS[w] for w in wanted] if isinstance(wanted, list) else LAMBDAS[wanted]
    if "schedulers" in options:
        options["schedulers"] = [make(optimizer, part) for part in options["schedulers"]]
    if name == "ChainedScheduler":
        return lr_scheduler.ChainedScheduler(**options)
    return getattr(lr_scheduler, name)(optimizer, **options)


def optimizer_of(name: str) -> torch.optim.Optimizer:
    first, second = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    return getattr(torch.optim, name)(
        [{"params": [first]}, {"params": [second], "lr": 0.02}], lr=0.1, **options
    )


def momenta(optimizer: torch.optim.Optimizer) -> list[float]:
    return [g["betas"][0] if "betas" in g else g.get("momentum", 0.0) for g in optimizer.param_groups]


def figures() -> np.ndarray:
    """What a plateau schedule is told: a noisy fall that stops, with a nan."""
    dice = np.random.default_rng(7)
    values = 1 / (1 + 0.3 * np.minimum(np.arange(STEPS), 20)) + 0.02 * dice.normal(size=STEPS)
    values[33] = np.nan
    return values


def main() -> None:
    warnings.simplefilter("ignore")
    arrays = {}
    for number, (name, schedule) in enumerate(CASES):
        optimizer = optimizer_of(name)
        scheduler = make(optimizer, schedule)
        rows = []
        for _ in range(STEPS):
            rows.append([*(g["lr"] for g in optimizer.param_groups), *momenta(optimizer)])
            scheduler.step()
        arrays[f"lr{number}"] = np.array(rows)
    told = figures()
    for number, options in enumerate(PLATEAU):
        optimizer = optimizer_of("SGD")
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rows = []
        for value in told:
            scheduler.step(value if options.get("mode", "min") == "min" else -value)
            rows.append([g["lr"] for g in optimizer.param_groups])
        arrays[f"plateau{number}"] = np.array(rows)
    table = {"torch": torch.__version__, "cases": CASES, "plateau": PLATEAU}
    path = Path(__file__).with_name("schedules.npz")
    np.savez_compressed(path, table=np.array(json.dumps(table)), told=told, **arrays)
    print(f"{path.name}: {len(CASES) + len(PLATEAU)} runs, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
