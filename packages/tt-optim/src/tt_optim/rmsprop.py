"""RMSprop: the gradient, divided by its recent root mean square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tt_optim.averages import fade_mean, fade_square
from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import FLAG, NONNEGATIVE
from tt_optim.segments import Clock

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Root mean square propagation.

        g ← ∇f(θ) + weight_decay·θ
        v ← α·v + (1 − α)·g²
        centered: ḡ ← α·ḡ + (1 − α)·g, and v − ḡ² (the variance) takes the place of v below
        θ ← θ − lr·g / (√v + eps)      with momentum: b ← momentum·b + g/(√v + eps); θ ← θ − lr·b

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        alpha: how much of the mean square stays, ≥ 0.
        eps: keeps the division finite, ≥ 0; outside of the root.
        weight_decay: the L2 penalty, coupled, ≥ 0.
        momentum: how much of the last direction stays, ≥ 0.
        centered: divide by the standard deviation instead.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Tieleman and Hinton 2012, Coursera lecture 6.5; centered: Graves 2013, arXiv:1308.0850.
    """

    ranges = {
        "lr": NONNEGATIVE,
        "alpha": NONNEGATIVE,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "momentum": NONNEGATIVE,
        "centered": FLAG,
    }
    state_names = ("square_avg", "momentum_buffer", "grad_avg")
    clock_names = ("step",)
    scratch_count = 3

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **execution: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def required_state(self, group: Group) -> Iterable[str]:
        wanted = {"square_avg": True, "momentum_buffer": group["momentum"] > 0, "grad_avg": group["centered"]}
        return [name for name in self.state_names if wanted[name]]

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        grad, (_, work, other) = tile.grads, tile.scratch
        if group["maximize"] or group["weight_decay"]:
            grad = self.gradient(tile, group)
        alpha, square = float(group["alpha"]), tile.state["square_avg"]
        fade_square(square, grad, alpha, work)
        if group["centered"]:
            mean = tile.state["grad_avg"]
            fade_mean(mean, grad, alpha, work)
            np.multiply(mean, mean, work)
            np.subtract(square, work, work)
            # Rounding must not take a variance below 0.
            np.sqrt(np.maximum(work, 0, out=work), work)
        else:
            np.sqrt(square, work)
        work += float(group["eps"])
        np.divide(grad, work, other)
        if momentum := float(group["momentum"]):
            buffer = tile.state["momentum_buffer"]
            buffer *= momentum
            buffer += other
            np.multiply(buffer, float(group["lr"]), other)
        else:
            other *= float(group["lr"])
        np.subtract(tile.values, other, tile.values)
