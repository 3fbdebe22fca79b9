"""ASGD: gradient descent, and beside it the average of where it went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tt_optim.flat import Tile
from tt_optim.optimizer import Optimizer, check_execution
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import NONNEGATIVE
from tt_optim.segments import Clock
from tt_tensor.tensor import wrap

__all__ = ["ASGD"]


class ASGD(Optimizer):
    """Averaged stochastic gradient descent, step t from 1.

        η = lr / (1 + lambd·lr·(t − 1))^alpha,  μ = 1 / max(1, t − 1 − t0)
        g ← ∇f(θ) + weight_decay·θ
        θ ← (1 − lambd·η)·θ − η·g
        ax ← ax + μ·(θ − ax)                 the average, from step t0 on; in `state[p]["ax"]`

    Args:
        params: what to optimize; see `Optimizer`.
        lr: the learning rate, ≥ 0; a changed one counts from the next step on (in PyTorch from the one after it).
        lambd: how much θ decays, ≥ 0.
        alpha: the power with which η falls, ≥ 0.
        t0: the step at which averaging begins, ≥ 0.
        weight_decay: the L2 penalty, coupled, ≥ 0.
        maximize: climb instead of descend.
        execution: PyTorch's foreach, fused, capturable, differentiable=False, without effect; see `Optimizer`.

    Raises ArgumentError for a value out of range, DTypeError for one of a wrong kind.

    Source: Polyak and Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging".
    """

    ranges = dict.fromkeys(("lr", "lambd", "alpha", "t0", "weight_decay"), NONNEGATIVE)
    state_names = ("ax",)
    clock_names = ("step",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **execution: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        check_execution(type(self).__name__, execution)
        super().__init__(params, defaults)

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        grad, (_, work) = tile.grads, tile.scratch
        if group["maximize"] or group["weight_decay"]:
            grad = self.gradient(tile, group)
        eta, mu = _rates(group, clock[0] - 1)
        values, mean = tile.values, tile.state["ax"]
        np.multiply(grad, eta, work)
        values *= 1 - group["lambd"] * eta
        values -= work
        if mu == 1:
            mean[...] = values
        else:
            np.subtract(values, mean, work)
            work *= mu
            mean += work

    def state_dict(self) -> dict[str, Any]:
        """As for every optimizer, with PyTorch's "eta" and "mu" of the step that comes."""
        saved = super().state_dict()
        for group in saved["param_groups"]:
            for at in group["params"]:
                if at in saved["state"]:
                    entry = saved["state"][at]
                    rates = _rates(group, int(entry["step"].item()))
                    for name, rate in zip(("eta", "mu"), rates, strict=True):
                        entry[name] = wrap(np.array(rate, np.float32))
        return saved

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As for every optimizer; "eta" and "mu" follow from the step, so they are passed over."""
        known = state_dict
        if isinstance(state_dict, Mapping) and isinstance(state_dict.get("state"), Mapping):
            state = {
                at: {name: value for name, value in entry.items() if name not in ("eta", "mu")}
                if isinstance(entry, Mapping)
                else entry
                for at, entry in state_dict["state"].items()
            }
            known = {**state_dict, "state": state}
        super().load_state_dict(known)


def _rates(group: Mapping[str, Any], steps: int) -> tuple[float, float]:
    """η and μ after so many steps."""
    lr = float(group["lr"])
    return lr / (1 + group["lambd"] * lr * steps) ** group["alpha"], 1 / max(1.0, steps - group["t0"])
