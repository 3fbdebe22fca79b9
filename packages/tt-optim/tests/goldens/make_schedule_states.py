"""State dicts of PyTorch's schedules: `python make_schedule_states.py` with an interpreter that has PyTorch 2.13.

Writes schedule_states.json beside itself: each schedule, its arguments, its state after 5 steps, and the learning rates
and momenta of the 10 steps after those.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch
from torch.optim import lr_scheduler

BEFORE, AFTER = 5, 10
CASES = [
    ("StepLR", {"step_size": 3}),
    ("MultiStepLR", {"milestones": [2, 6, 6, 9], "gamma": 0.5}),
    ("ConstantLR", {"total_iters": 7}),
    ("LinearLR", {"total_iters": 9}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"total_iters": 12, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 10}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}),
    (
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3, "step_size_down": 4, "mode": "triangular2"},
    ),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 20, "three_phase": True}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 20, "anneal_strategy": "linear"}),
    ("ReduceLROnPlateau", {"patience": 1, "cooldown": 1, "factor": 0.5}),
]
FIGURES = [3.0, 2.0, 2.5, 2.4, 2.2, 2.1, 2.0, 1.9, 1.95, 1.9, 1.9, 2.0, 2.0, 2.1, 2.0]


def main() -> None:
    warnings.simplefilter("ignore")
    found = []
    for name, arguments in CASES:
        optimizer = torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=0.1, momentum=0.9)
        schedule = getattr(lr_scheduler, name)(optimizer, **arguments)
        entry = {"name": name, "arguments": arguments, "after": []}
        for step in range(BEFORE + AFTER):
            optimizer.step()
            schedule.step(*([FIGURES[step]] if name == "ReduceLROnPlateau" else []))
            group = optimizer.param_groups[0]
            if step == BEFORE - 1:
                entry["state"] = schedule.state_dict()
                entry["group"] = {key: value for key, value in group.items() if key != "params"}
                entry = json.loads(json.dumps(entry))  # a copy; a Counter's keys become text
            elif step >= BEFORE:
                entry["after"].append([group["lr"], group["momentum"]])
        found.append(entry)
    table = {"torch": torch.__version__, "figures": FIGURES[BEFORE:], "cases": found}
    Path(__file__).with_name("schedule_states.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
