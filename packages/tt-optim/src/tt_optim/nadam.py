"""NAdam: Adam with Nesterov's look ahead."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_optim.averages import moments
from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import BETAS, FLAG, NONNEGATIVE
from tt_optim.segments import Clock

__all__ = ["NAdam"]


class NAdam(Optimizer):
    """Nesterov-accelerated Adam.

        g ← ∇f(θ) + weight_decay·θ
        μₜ = β₁·(1 − ½·0.96^(t·momentum_decay)),  Πₜ = μ₁·…·μₜ
        m ← β₁·m + (1 − β₁)·g
        v ← β₂·v + (1 − β₂)·g²
        m̂ = μₜ₊₁·m / (1 − Πₜ₊₁) + (1 − μₜ)·g / (1 − Πₜ),  v̂ = v / (1 − β₂ᵗ)
        θ ← θ − lr·m̂ / (√v̂ + eps)

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: keeps the division finite, ≥ 0.
        weight_decay: the penalty, ≥ 0.
        momentum_decay: how fast μ approaches β₁, ≥ 0.
        decoupled_weight_decay: take lr·weight_decay·θ off first, as `AdamW`, instead of adding to g.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Dozat 2016, "Incorporating Nesterov Momentum into Adam".
    """

    ranges = {
        "lr": NONNEGATIVE,
        "betas": BETAS,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "momentum_decay": NONNEGATIVE,
        "decoupled_weight_decay": FLAG,
    }
    state_names = ("exp_avg", "exp_avg_sq")
    clock_names = ("step", "mu_product")
    scratch_count = 3

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **execution: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def tick(self, clock: Clock, group: Group) -> Clock:
        # Πₜ is kept in float32, as PyTorch keeps it, so that it survives a state dict to the bit.
        step = clock[0] + 1
        return step, float(np.float32(clock[1]) * np.float32(momentum(step, group)))

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        grad, mean, square = moments(self, tile, group)
        (_, work, other), (step, product) = tile.scratch, clock
        lr, (_, beta2) = float(group["lr"]), group["betas"]
        now, ahead = momentum(step, group), momentum(step + 1, group)
        np.multiply(mean, lr * ahead / (1 - product * ahead), other)
        np.multiply(grad, lr * (1 - now) / (1 - product), work)
        other += work
        np.divide(square, 1 - beta2**step, work)
        np.sqrt(work, work)
        work += float(group["eps"])
        other /= work
        np.subtract(tile.values, other, tile.values)


def momentum(step: int, group: Group) -> float:
    """μ at a step: from about β₁/2 up to β₁."""
    return group["betas"][0] * (1 - 0.5 * 0.96 ** (step * group["momentum_decay"]))
