"""One cycle: up, down, and far down, with the momentum going the other way."""

from __future__ import annotations

import math
from typing import Any

from tt_optim.lr_scheduler.scheduler import LRScheduler, of_each_group, optimizer_of
from tt_optim.optimizer import Optimizer
from tt_optim.ranges import CHOICE, COUNT, FLAG, POSITIVE, UNIT
from tt_tensor.errors import ArgumentError

__all__ = ["OneCycleLR"]


class OneCycleLR(LRScheduler):
    """From max_lr/div_factor up to max_lr, then down to max_lr/(div_factor·final_div_factor).

    Meanwhile momentum (or β₁) goes from max_momentum down to base_momentum and back. Set once a batch, not once
    an epoch.

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        max_lr: the top, > 0; one number, or one for each group.
        total_steps: the length; or give epochs and steps_per_epoch, whose product it is.
        pct_start: the share of the steps that go up, in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether momentum moves too.
        base_momentum, max_momentum: its ends; one number, or one for each group.
        div_factor: max_lr / the first learning rate, > 0.
        final_div_factor: the first learning rate / the last one, > 0.
        three_phase: up, down as fast, then far down; else two phases.

    Raises ArgumentError for values out of range, for momentum that the optimizer does not have, and for a step
    beyond the last.
    Source: Smith and Topin 2018, "Super-Convergence", arXiv:1708.07120.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        groups = optimizer_of(self, optimizer).param_groups
        if total_steps is not None:
            self.total_steps = COUNT(1)("OneCycleLR: total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = COUNT(1)("OneCycleLR: epochs", epochs)
            self.total_steps *= COUNT(1)("OneCycleLR: steps_per_epoch", steps_per_epoch)
        else:
            raise ArgumentError("OneCycleLR: give total_steps, or both epochs and steps_per_epoch")
        self.anneal_strategy = CHOICE("cos", "linear")("OneCycleLR: anneal_strategy", anneal_strategy)
        rise = UNIT("OneCycleLR: pct_start", pct_start) * self.total_steps
        last = float(self.total_steps - 1)
        # (its last step, learning rate from, to, momentum from, to)
        up = (rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        self.phases: tuple[tuple[Any, ...], ...]
        if FLAG("OneCycleLR: three_phase", three_phase):
            down = (2 * rise - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")
            self.phases = (up, down, (last, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
        else:
            self.phases = (up, (last, "max_lr", "min_lr", "base_momentum", "max_momentum"))

        tops = [
            POSITIVE("OneCycleLR: max_lr", top) for top in of_each_group(self, optimizer, "max_lr", max_lr)
        ]
        low = POSITIVE("OneCycleLR: div_factor", div_factor)
        final = POSITIVE("OneCycleLR: final_div_factor", final_div_factor)
        self.cycle_momentum = FLAG("OneCycleLR: cycle_momentum", cycle_momentum)
        self.use_beta1 = "betas" in optimizer.defaults
        if self.cycle_momentum and not self.use_beta1 and "momentum" not in optimizer.defaults:
            raise ArgumentError(
                f"OneCycleLR: {type(optimizer).__name__} has neither momentum nor betas; pass cycle_momentum=False"
            )
        lows = of_each_group(self, optimizer, "base_momentum", base_momentum)
        highs = of_each_group(self, optimizer, "max_momentum", max_momentum)
        for name, values in (("base_momentum", lows), ("max_momentum", highs)):
            for value in values:
                UNIT(f"OneCycleLR: {name}", value)
        if last_epoch == -1:
            for index, group in enumerate(groups):
                group["initial_lr"] = tops[index] / low
                group["max_lr"] = tops[index]
                group["min_lr"] = group["initial_lr"] / final
                if self.cycle_momentum:
                    group["max_momentum"], group["base_momentum"] = highs[index], lows[index]
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        t = self.last_epoch
        if t > self.total_steps:
            raise ArgumentError(f"OneCycleLR: step {t} is beyond the cycle of {self.total_steps} steps")
        self._check_groups(len(self.base_lrs))
        start = 0.0
        for end, lr_from, lr_to, momentum_from, momentum_to in self.phases:  # noqa: B007 - the phase is used below
            if t <= end:
                break
            start = end
        else:
            start = self.phases[-2][0]
        # A phase of no steps (pct_start 1, one step in all) is over as soon as it begins.
        share = (t - start) / (end - start) if end != start else 1.0
        values = []
        for group in self.optimizer.param_groups:
            values.append(self._between(group[lr_from], group[lr_to], share))
            if self.cycle_momentum:
                momentum = self._between(group[momentum_from], group[momentum_to], share)
                if self.use_beta1:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        return values

    def _between(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return start + (end - start) * share
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

    def of_pytorch(self, state: dict[str, Any]) -> dict[str, Any]:
        if "_schedule_phases" in state:
            names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
            phases = state.pop("_schedule_phases")
            state["phases"] = tuple([tuple([phase.get(name) for name in names]) for phase in phases])
            state["anneal_strategy"] = state.pop("_anneal_func_type", self.anneal_strategy)
        return state
