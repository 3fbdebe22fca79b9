"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from tt_optim.lr_scheduler.plateau import ReduceLROnPlateau
from tt_optim.lr_scheduler.scheduler import LRScheduler, optimizer_of
from tt_optim.optimizer import Optimizer
from tt_optim.ranges import COUNT
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Combined(LRScheduler):
    """What the two share: parts of one optimizer, and a state dict that holds theirs."""

    _schedulers: list[LRScheduler]

    def _take(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
        who = type(self).__name__
        if not isinstance(schedulers, list | tuple) or not schedulers:
            raise ArgumentError(f"{who}: takes a list of at least one schedule")
        for index, part in enumerate(schedulers):
            if not isinstance(part, LRScheduler):
                raise DTypeError(f"{who}: schedule {index} is no LRScheduler but {type(part).__name__}")
            if isinstance(part, ReduceLROnPlateau):
                raise ArgumentError(
                    f"{who}: schedule {index} is a ReduceLROnPlateau, which needs a figure at each step"
                )
            if part.optimizer is not optimizer:
                raise ArgumentError(f"{who}: schedule {index} belongs to another optimizer")
        self._schedulers = list(schedulers)
        self.optimizer = optimizer

    def _reset(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]

    def _rewind(self) -> None:
        self.last_epoch -= 1
        for part in self._schedulers:
            part._rewind()

    def _restart(self) -> None:
        self._reset()
        self._start()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_schedulers": [part.state_dict() for part in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        state = self._checked(state_dict, self.state_dict())
        parts = state.pop("_schedulers")
        for part, saved in zip(self._schedulers, parts, strict=True):
            part._checked(saved, part.state_dict())
        for part, saved in zip(self._schedulers, parts, strict=True):
            part.load_state_dict(saved)
        self.__dict__.update(state)


class SequentialLR(_Combined):
    """schedulers[0] until milestones[0], then schedulers[1], which begins at its own 0, and so on.

    Args:
        optimizer: whose groups are set; the one of all parts.
        schedulers: the parts, in order.
        milestones: the steps at which the next one takes over, ascending; one fewer than parts.
        last_epoch: see `LRScheduler`.

    Raises ArgumentError for parts of another optimizer, a ReduceLROnPlateau, or a wrong number of milestones.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self._take(optimizer_of(self, optimizer), schedulers)
        if not isinstance(milestones, list | tuple) or len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                f"SequentialLR: {len(schedulers)} schedules need {len(schedulers) - 1} milestones, not {milestones!r}"
            )
        self._milestones = [COUNT(0)(f"SequentialLR: milestones[{k}]", at) for k, at in enumerate(milestones)]
        if sorted(self._milestones) != self._milestones:
            raise ArgumentError(f"SequentialLR: milestones must ascend, not {milestones!r}")
        self.last_epoch = COUNT(-1)("SequentialLR: last_epoch", last_epoch)
        # Each part set its first learning rate when it was made. Take that back; only the first one begins.
        self._reset()
        for part in self._schedulers:
            part._rewind()
        self._start()

    def _start(self) -> None:
        self.last_epoch += 1
        part = self._schedulers[bisect_right(self._milestones, self.last_epoch)]
        part._start()
        self._last_lr = part.get_last_lr()

    def step(self) -> None:
        """One step further."""
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        part = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            part._restart()
        else:
            part.step()
        self._last_lr = part.get_last_lr()


class ChainedScheduler(_Combined):
    """All of `schedulers` at each step, one on top of the other.

    Args:
        schedulers: the parts; those that multiply the current learning rate can be combined.
        optimizer: the one of all parts; by default the first one's.

    Raises ArgumentError for parts of another optimizer or a ReduceLROnPlateau.
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if optimizer is None and isinstance(schedulers, list | tuple) and schedulers:
            optimizer = getattr(schedulers[0], "optimizer", None)
        self._take(optimizer, schedulers)  # type: ignore[arg-type]
        self.last_epoch = 0
        self._last_lr = self._current()

    def _start(self) -> None:
        self.last_epoch += 1
        for part in self._schedulers:
            part._start()
        self._last_lr = self._current()

    def step(self) -> None:
        """One step further."""
        self.last_epoch += 1
        for part in self._schedulers:
            part.step()
        self._last_lr = self._current()
