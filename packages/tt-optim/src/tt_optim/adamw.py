"""AdamW: Adam, with a weight decay that does not go through the moments."""

from __future__ import annotations

from typing import Any

from tt_optim.adam import Adam
from tt_optim.param_groups import Group, Params

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam with decoupled weight decay.

        θ ← θ − lr·weight_decay·θ
        then Adam's step on ∇f(θ) without the penalty

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: keeps the division finite, ≥ 0.
        weight_decay: the share of each number that a step at lr = 1 takes away, ≥ 0.
        amsgrad: divide by the largest v so far, so that the pace never quickens.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", arXiv:1711.05101.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **execution: Any,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
            **execution,
        )

    def check(self, group: Group) -> None:
        super().check(group)
        # Also for a state that was saved by a version, or a library, without this option.
        group["decoupled_weight_decay"] = True
