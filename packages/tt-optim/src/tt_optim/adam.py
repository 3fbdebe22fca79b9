"""Adam: each number has its own pace, from the first two moments of its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tt_optim import adam_step  # noqa: F401  (enters its kernels)
from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import BETAS, FLAG, NONNEGATIVE
from tt_optim.segments import Clock
from tt_tensor.kernels import table

__all__ = ["Adam"]


class Adam(Optimizer):
    """Adaptive moment estimation.

        g ← ∇f(θ) + weight_decay·θ
        m ← β₁·m + (1 − β₁)·g
        v ← β₂·v + (1 − β₂)·g²            amsgrad: v̂ from max(v over all steps)
        m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
        θ ← θ − lr·m̂ / (√v̂ + eps)

    The first step is lr·sign(g) wherever |g| is well above eps. eps stands outside of the root.

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: keeps the division finite, ≥ 0.
        weight_decay: the L2 penalty, coupled: it goes through the moments (`AdamW` decouples it). ≥ 0.
        amsgrad: divide by the largest v so far, so that the pace never quickens.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.
        decoupled_weight_decay: what `AdamW` sets.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Kingma and Ba 2015, arXiv:1412.6980, Algorithm 1; amsgrad: Reddi et al. 2018.
    """

    ranges = {
        "lr": NONNEGATIVE,
        "betas": BETAS,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "amsgrad": FLAG,
        "decoupled_weight_decay": FLAG,
    }
    state_names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    clock_names = ("step",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **execution: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def required_state(self, group: Group) -> Iterable[str]:
        return self.state_names if group["amsgrad"] else self.state_names[:2]

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        state = tile.state
        table.kernel("adam")(
            tile.values,
            tile.grads,
            state["exp_avg"],
            state["exp_avg_sq"],
            state["max_exp_avg_sq"] if group["amsgrad"] else None,
            tile.scratch,
            *self._numbers(group, clock),
        )

    def update_pieces(
        self,
        values: np.ndarray,
        grads: Sequence[np.ndarray],
        state: Mapping[str, np.ndarray],
        group: Group,
        clock: Clock,
    ) -> bool:
        of_pieces = getattr(table.kernel("adam"), "of_pieces", None)
        if of_pieces is None or group["amsgrad"]:
            return False
        moments = state["exp_avg"], state["exp_avg_sq"]
        return bool(of_pieces(values, grads, *moments, *self._numbers(group, clock)))

    @staticmethod
    def _numbers(group: Group, clock: Clock) -> tuple[float, ...]:
        """sign, decay, shrink, β₁, β₂, pace, floor: see `adam_step`."""
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]
        decay, shrink = float(group["weight_decay"]), 1.0
        if group["decoupled_weight_decay"]:
            decay, shrink = 0.0, 1 - lr * decay
        # lr·m̂ / (√v̂ + eps) with c = √(1 − β₂ᵗ) taken out of the division: one pass less.
        c = math.sqrt(1 - beta2 ** clock[0])
        sign = -1.0 if group["maximize"] else 1.0
        pace = lr * c / (1 - beta1 ** clock[0])
        return sign, decay, shrink, beta1, beta2, pace, float(group["eps"]) * c
