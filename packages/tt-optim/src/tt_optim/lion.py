"""Lion: every number moves by the same amount; only the sign is learned."""

from __future__ import annotations

import numpy as np

from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import BETAS, NONNEGATIVE
from tt_optim.segments import Clock

__all__ = ["Lion"]


class Lion(Optimizer):
    """Evolved sign momentum.

        θ ← θ − lr·weight_decay·θ
        θ ← θ − lr·sign(β₁·m + (1 − β₁)·g)
        m ← β₂·m + (1 − β₂)·g

    Half of Adam's memory: one array for each parameter. Its steps are larger than Adam's in norm, so it wants
    a learning rate 3 to 10 times smaller and a weight decay as much larger.

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        betas: (β₁, β₂), each in [0, 1): for the direction, and for the average.
        weight_decay: decoupled, as in `AdamW`, ≥ 0.
        maximize: climb instead of descend.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675, Algorithm 2.
    """

    ranges = {"lr": NONNEGATIVE, "betas": BETAS, "weight_decay": NONNEGATIVE}
    state_names = ("exp_avg",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        )

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        values, grad, (other, work) = tile.values, tile.grads, tile.scratch
        lr, (beta1, beta2), mean = float(group["lr"]), group["betas"], tile.state["exp_avg"]
        sign = -1.0 if group["maximize"] else 1.0
        if group["weight_decay"]:
            values *= 1 - lr * float(group["weight_decay"])
        np.multiply(mean, beta1, work)
        work += np.multiply(grad, sign * (1 - beta1), other)
        np.sign(work, work)
        work *= lr
        values -= work
        mean *= beta2
        mean += np.multiply(grad, sign * (1 - beta2), other)
