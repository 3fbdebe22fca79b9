"""Rprop: the sign of the gradient says where to, and a step of its own for each number how far."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import NONNEGATIVE, number
from tt_optim.segments import Clock
from tt_tensor.errors import ArgumentError

__all__ = ["Rprop"]


def _pair(name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ArgumentError(f"{name} must be two numbers, not {value!r}")
    return number(f"{name}[0]", value[0]), number(f"{name}[1]", value[1])


def _etas(name: str, value: Any) -> tuple[float, float]:
    low, high = _pair(name, value)
    if not 0 < low < 1 < high:
        raise ArgumentError(f"{name} must be (η⁻, η⁺) with 0 < η⁻ < 1 < η⁺, not {value!r}")
    return low, high


def _step_sizes(name: str, value: Any) -> tuple[float, float]:
    least, most = _pair(name, value)
    if not 0 <= least <= most:
        raise ArgumentError(f"{name} must be (least, most) with 0 ≤ least ≤ most, not {value!r}")
    return least, most


class Rprop(Optimizer):
    """Resilient backpropagation, for gradients of the whole data set.

        Δ ← η⁺·Δ where g has the sign that it had before, η⁻·Δ where it turned; within step_sizes; from lr
        g ← 0 where it turned
        θ ← θ − sign(g)·Δ

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the first step Δ of every number, ≥ 0.
        etas: (η⁻, η⁺), how steps shrink and grow, 0 < η⁻ < 1 < η⁺.
        step_sizes: the least and the largest step.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Riedmiller and Braun 1993, "A direct adaptive method for faster backpropagation learning: the RPROP
    algorithm"; the gradient that is set to 0 is Rprop⁻ of Igel and Hüsken 2000.
    """

    ranges = {"lr": NONNEGATIVE, "etas": _etas, "step_sizes": _step_sizes}
    state_names = ("prev", "step_size")
    clock_names = ("step",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
        **execution: Any,
    ) -> None:
        defaults = {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        grad, (turned, work) = tile.grads, tile.scratch
        before, size = tile.state["prev"], tile.state["step_size"]
        if clock[0] == 1:
            size.fill(group["lr"])
        (down, up), (least, most) = group["etas"], group["step_sizes"]
        sign = -1.0 if group["maximize"] else 1.0
        np.multiply(grad, before, turned)
        np.sign(turned, turned)
        turned *= sign
        np.multiply(
            size, np.where(turned > 0, up, np.where(turned < 0, down, 1.0)), size, casting="same_kind"
        )
        np.clip(size, least, most, out=size)
        np.multiply(grad, sign, before)
        before *= turned >= 0
        np.sign(before, work)
        work *= size
        np.subtract(tile.values, work, tile.values)
