"""Adagrad: what has moved much moves less."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import NONNEGATIVE
from tt_optim.segments import Clock

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Adaptive gradient.

        g ← ∇f(θ) + weight_decay·θ
        s ← s + g²                        from initial_accumulator_value
        θ ← θ − lr / (1 + (t − 1)·lr_decay) · g / (√s + eps)

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        lr_decay: how fast it falls with the steps, ≥ 0.
        weight_decay: the L2 penalty, coupled, ≥ 0.
        initial_accumulator_value: s before the first step, ≥ 0; one value for all groups.
        eps: keeps the division finite, ≥ 0.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Duchi, Hazan and Singer 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization", JMLR 12.
    """

    ranges = {
        "lr": NONNEGATIVE,
        "lr_decay": NONNEGATIVE,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "initial_accumulator_value": NONNEGATIVE,
    }
    state_names = ("sum",)
    clock_names = ("step",)
    keeps_from_start = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **execution: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        super().check(group)
        if group is self.defaults:
            self.initial_state["sum"] = group["initial_accumulator_value"]

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        grad, (_, work) = tile.grads, tile.scratch
        if group["maximize"] or group["weight_decay"]:
            grad = self.gradient(tile, group)
        total = tile.state["sum"]
        total += np.multiply(grad, grad, work)
        np.sqrt(total, work)
        work += float(group["eps"])
        np.divide(grad, work, work)
        work *= float(group["lr"]) / (1 + (clock[0] - 1) * float(group["lr_decay"]))
        np.subtract(tile.values, work, tile.values)
