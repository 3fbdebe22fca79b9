"""Adamax: Adam with the largest gradient of late in place of the mean square."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_optim.averages import fade_mean
from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import BETAS, NONNEGATIVE
from tt_optim.segments import Clock

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """Adam in the infinity norm: Adam's v is a mean of |g|ᵖ for p = 2, this is what it becomes for p = ∞.

        g ← ∇f(θ) + weight_decay·θ
        m ← β₁·m + (1 − β₁)·g
        u ← max(β₂·u, |g| + eps)
        θ ← θ − lr / (1 − β₁ᵗ)·m / u

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: keeps the division finite, ≥ 0.
        weight_decay: the L2 penalty, coupled, ≥ 0.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Kingma and Ba 2014, arXiv:1412.6980, section 7.1.
    """

    ranges = {"lr": NONNEGATIVE, "betas": BETAS, "eps": NONNEGATIVE, "weight_decay": NONNEGATIVE}
    state_names = ("exp_avg", "exp_inf")
    clock_names = ("step",)

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **execution: Any,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        grad, (_, work) = tile.grads, tile.scratch
        if group["maximize"] or group["weight_decay"]:
            grad = self.gradient(tile, group)
        (beta1, beta2), mean, largest = group["betas"], tile.state["exp_avg"], tile.state["exp_inf"]
        fade_mean(mean, grad, beta1, work)
        np.abs(grad, work)
        work += float(group["eps"])
        largest *= beta2
        np.maximum(largest, work, out=largest)
        np.divide(mean, largest, work)
        work *= float(group["lr"]) / (1 - beta1 ** clock[0])
        np.subtract(tile.values, work, tile.values)
