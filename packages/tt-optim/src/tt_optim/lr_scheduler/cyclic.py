"""Cycles: up and down again, for as long as the training goes, with the momentum going the other way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tt_optim.lr_scheduler.scheduler import LRScheduler, of_each_group, optimizer_of
from tt_optim.optimizer import Optimizer
from tt_optim.ranges import CHOICE, COUNT, FLAG, NONNEGATIVE, NUMBER, UNIT
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["CyclicLR"]


class CyclicLR(LRScheduler):
    """lr = base_lr + (max_lr − base_lr)·h·s, where h goes from 0 to 1 and back in each cycle.

    Meanwhile momentum (or β₁) is max_momentum − (max_momentum − base_momentum)·h·s. Set once a batch.

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        base_lr, max_lr: the ends, ≥ 0; one number, or one for each group.
        step_size_up: how many steps go up, ≥ 1.
        step_size_down: how many go down, ≥ 1; as many as up where it is left out.
        mode: s, the height: "triangular" 1, "triangular2" ½ of the last cycle's, "exp_range" gammaᵗ.
        scale_fn: s as a function, in the place of `mode`; it is not part of the state dict.
        scale_mode: what it is a function of: the "cycle", from 1, or the "iterations", which are steps, from 0.
        cycle_momentum: whether momentum moves too.
        base_momentum, max_momentum: its ends, in [0, 1]; one number, or one for each group.

    Raises ArgumentError for values out of range, and for momentum that the optimizer does not have.
    Source: Smith 2015, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        groups = optimizer_of(self, optimizer).param_groups
        self.step_size_up = COUNT(1)("CyclicLR: step_size_up", step_size_up)
        down = step_size_up if step_size_down is None else step_size_down
        self.step_size_down = COUNT(1)("CyclicLR: step_size_down", down)
        self.mode = CHOICE("triangular", "triangular2", "exp_range")("CyclicLR: mode", mode)
        self.gamma = NUMBER("CyclicLR: gamma", gamma)
        if scale_fn is not None and not callable(scale_fn):
            raise DTypeError(f"CyclicLR: scale_fn must be a function, not {type(scale_fn).__name__}")
        self.scale_fn = scale_fn
        self.scale_mode = CHOICE("cycle", "iterations")("CyclicLR: scale_mode", scale_mode)
        self.cycle_momentum = FLAG("CyclicLR: cycle_momentum", cycle_momentum)
        self.use_beta1 = "betas" in optimizer.defaults
        if self.cycle_momentum and not self.use_beta1 and "momentum" not in optimizer.defaults:
            raise ArgumentError(
                f"CyclicLR: {type(optimizer).__name__} has neither momentum nor betas; pass cycle_momentum=False"
            )
        ends = {"base_lr": base_lr, "max_lr": max_lr}
        ends |= {"base_momentum": base_momentum, "max_momentum": max_momentum} if cycle_momentum else {}
        found = {name: of_each_group(self, optimizer, name, value) for name, value in ends.items()}
        for name, values in found.items():
            for value in values:
                (NONNEGATIVE if name.endswith("lr") else UNIT)(f"CyclicLR: {name}", value)
        self.max_lrs = found["max_lr"]
        self.base_momentums, self.max_momentums = (
            found.get("base_momentum", []),
            found.get("max_momentum", []),
        )
        if last_epoch == -1:
            for group, lr in zip(groups, found["base_lr"], strict=True):
                group["initial_lr"] = lr
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self._check_groups(len(self.base_lrs))
        height = self._height()
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                momentum = high - (high - low) * height
                if self.use_beta1:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def _height(self) -> float:
        """h·s at this step."""
        cycle, place = divmod(self.last_epoch, self.step_size_up + self.step_size_down)
        if place <= self.step_size_up:
            height = place / self.step_size_up
        else:
            height = 1 - (place - self.step_size_up) / self.step_size_down
        if self.scale_fn is not None:
            return height * self.scale_fn(cycle + 1 if self.scale_mode == "cycle" else self.last_epoch)
        if self.mode == "exp_range":
            return height * self.gamma**self.last_epoch
        return height / 2**cycle if self.mode == "triangular2" else height

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        return {name: value for name, value in state.items() if name not in ("scale_fn", "scale_mode")}

    def of_pytorch(self, state: dict[str, Any]) -> dict[str, Any]:
        if "step_ratio" in state:
            total, up = state.pop("total_size"), state.pop("step_ratio")
            state["step_size_up"] = round(total * up)
            state["step_size_down"] = round(total) - state["step_size_up"]
            for name in ("scale_mode", "_scale_fn_ref", "_scale_fn_custom"):
                state.pop(name, None)
        return state
