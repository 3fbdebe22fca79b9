"""RAdam: Adam that waits with its denominator until enough gradients are behind it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_optim.averages import moments
from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import BETAS, FLAG, NONNEGATIVE
from tt_optim.segments import Clock

__all__ = ["RAdam"]


class RAdam(Optimizer):
    """Rectified Adam: a warm-up that follows from how few gradients v̂ was averaged over.

        g ← ∇f(θ) + weight_decay·θ
        m ← β₁·m + (1 − β₁)·g,  m̂ = m / (1 − β₁ᵗ)
        v ← β₂·v + (1 − β₂)·g²,  v̂ = v / (1 − β₂ᵗ)
        ρ∞ = 2 / (1 − β₂) − 1,  ρ = ρ∞ − 2t·β₂ᵗ / (1 − β₂ᵗ)
        ρ > 5:  θ ← θ − lr·r·m̂ / √v̂,  r = √((ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ)),  eps added to √v
        else:   θ ← θ − lr·m̂

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: keeps the division finite, ≥ 0.
        weight_decay: the penalty, ≥ 0.
        decoupled_weight_decay: take lr·weight_decay·θ off first, as `AdamW`, instead of adding to g.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Liu et al. 2019, "On the Variance of the Adaptive Learning Rate and Beyond", arXiv:1908.03265.
    """

    ranges = {
        "lr": NONNEGATIVE,
        "betas": BETAS,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "decoupled_weight_decay": FLAG,
    }
    state_names = ("exp_avg", "exp_avg_sq")
    clock_names = ("step",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
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
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        _, mean, square = moments(self, tile, group)
        work, (beta1, beta2), step = tile.scratch[1], group["betas"], clock[0]
        rate = float(group["lr"]) / (1 - beta1**step)
        if (rectified := rectification(step, beta2)) is None:
            np.multiply(mean, rate, work)
        else:
            np.sqrt(square, work)
            work += float(group["eps"])
            np.divide(mean, work, work)
            work *= rate * rectified * math.sqrt(1 - beta2**step)
        np.subtract(tile.values, work, tile.values)


def rectification(step: int, beta2: float) -> float | None:
    """r, which grows to 1; None as long as the variance of 1 / √v̂ is not finite."""
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / (1 - beta2**step)
    if length <= 5:
        return None
    grown, whole = (length - 4) * (length - 2) / length, (longest - 4) * (longest - 2) / longest
    return math.sqrt(grown / whole)
