"""Adadelta: steps measured in the units of the parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_optim.averages import fade_square
from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import NONNEGATIVE, UNIT
from tt_optim.segments import Clock

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Adagrad with a window, and with the size of past steps in place of a learning rate.

        g ← ∇f(θ) + weight_decay·θ
        v ← ρ·v + (1 − ρ)·g²
        Δ = √(u + eps) / √(v + eps) · g
        u ← ρ·u + (1 − ρ)·Δ²
        θ ← θ − lr·Δ

    Args:
        params: what to optimize; see `Optimizer`.
        lr: scales the step, ≥ 0; 1 is the paper's.
        rho: how much of the mean squares stays, in [0, 1].
        eps: inside of the roots, ≥ 0; it sets the size of the first steps.
        weight_decay: the L2 penalty, coupled, ≥ 0.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Zeiler 2012, arXiv:1212.5701.
    """

    ranges = {"lr": NONNEGATIVE, "rho": UNIT, "eps": NONNEGATIVE, "weight_decay": NONNEGATIVE}
    state_names = ("square_avg", "acc_delta")
    clock_names = ("step",)
    scratch_count = 3

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **execution: Any,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        grad, (_, work, delta) = tile.grads, tile.scratch
        if group["maximize"] or group["weight_decay"]:
            grad = self.gradient(tile, group)
        rho, eps = float(group["rho"]), float(group["eps"])
        square, steps = tile.state["square_avg"], tile.state["acc_delta"]
        fade_square(square, grad, rho, work)
        np.sqrt(np.add(square, eps, work), work)
        np.sqrt(np.add(steps, eps, delta), delta)
        delta /= work
        delta *= grad
        fade_square(steps, delta, rho, work)
        delta *= float(group["lr"])
        np.subtract(tile.values, delta, tile.values)
