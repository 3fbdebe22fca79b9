"""SGD: a step against the gradient, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tt_optim import sgd_step  # noqa: F401  (enters its kernels)
from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import FLAG, NONNEGATIVE, NUMBER
from tt_optim.segments import Clock
from tt_tensor.errors import ArgumentError
from tt_tensor.kernels import table

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent.

        g ← ∇f(θ) + weight_decay·θ
        b ← g at the first step, then momentum·b + (1 − dampening)·g
        θ ← θ − lr·b              with nesterov: θ ← θ − lr·(g + momentum·b)

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0.
        momentum: how much of the last direction stays, ≥ 0.
        dampening: how much of the gradient is held back from the direction.
        weight_decay: the L2 penalty, coupled: it goes through the momentum. ≥ 0.
        nesterov: look ahead along the direction; needs momentum > 0 and dampening 0.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Robbins and Monro 1951; Polyak 1964 (heavy ball); Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning", for Nesterov's momentum in this form.
    """

    ranges = {
        "lr": NONNEGATIVE,
        "momentum": NONNEGATIVE,
        "dampening": NUMBER,
        "weight_decay": NONNEGATIVE,
        "nesterov": FLAG,
    }
    state_names = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **execution: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ArgumentError(
                "SGD: nesterov needs momentum > 0 and dampening 0, "
                f"not momentum {group['momentum']} and dampening {group['dampening']}"
            )

    def required_state(self, group: Group) -> Iterable[str]:
        return ()

    def tick(self, clock: Clock, group: Group) -> Clock:
        # Without momentum there is no state, and the first step with it is still to come.
        return (clock[0] + 1, 1.0) if group["momentum"] else clock

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        momentum = float(group["momentum"])
        table.kernel("sgd")(
            tile.values,
            tile.grads,
            tile.state["momentum_buffer"] if momentum else None,
            tile.scratch,
            -1.0 if group["maximize"] else 1.0,
            float(group["weight_decay"]),
            momentum,
            1.0 if clock[0] == 1 else 1 - float(group["dampening"]),
            group["nesterov"],
            float(group["lr"]),
        )
