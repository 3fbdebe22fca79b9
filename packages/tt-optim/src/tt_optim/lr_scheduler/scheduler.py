"""LRScheduler: sets the learning rate of each group, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tt_optim.optimizer import Optimizer
from tt_optim.ranges import COUNT, number
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["LRScheduler", "of_each_group", "optimizer_of"]


TORCH_ONLY = (
    "_step_count",
    "_is_initial",
    "_get_lr_called_within_step",
    "verbose",
    "default_min_lr",
    "mode_worse",
)
"""What PyTorch's schedules keep of how they were called: passed over when loading."""


class LRScheduler:
    """The base of all schedules, with PyTorch's interface.

    `last_epoch` counts the calls of `step()`, from 0 at the start; whether a call stands for an epoch or a batch
    is the caller's choice. A subclass writes `get_lr()`, the learning rate of each group at `last_epoch`:
    from `base_lrs`, or from the groups' current learning rates, so that schedules can be chained.

    Args:
        optimizer: whose groups it sets; their "initial_lr" is kept there.
        last_epoch: −1 to start; else the step to go on from, with "initial_lr" in the groups.

    Raises DTypeError where optimizer is no Optimizer, ArgumentError where "initial_lr" is missing.
    """

    optimizer: Optimizer
    base_lrs: list[float]
    last_epoch: int

    _starting: bool = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        who = type(self).__name__
        self.optimizer = optimizer_of(self, optimizer)
        last_epoch = COUNT(-1)(f"{who}: last_epoch", last_epoch)
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ArgumentError(
                    f'{who}: param_groups[{index}] has no "initial_lr", which last_epoch={last_epoch} goes on from; '
                    "load the optimizer's state dict first, or start with last_epoch=-1"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._start()

    def get_lr(self) -> list[float]:
        """The learning rate of each group at `last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr(): write its formula there")

    def closed_form(self) -> list[float]:
        """The same from `base_lrs` alone, where there is such a formula; used to enter in the middle."""
        return self.get_lr()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group, as set by the last step."""
        return self._last_lr

    def step(self) -> None:
        """One step further."""
        self._advance()

    def _start(self) -> None:
        """Set the first learning rate. Sequences of schedules start them a second time."""
        self._starting = True
        try:
            self.step()
        finally:
            self._starting = False

    def _advance(self) -> None:
        self.last_epoch += 1
        try:
            self._set(self.get_lr())
        except Exception:
            self.last_epoch -= 1
            raise

    def _restart(self) -> None:
        """Begin at 0 now, whatever came before."""
        self.last_epoch = 0
        self._set(self.closed_form())

    def _rewind(self) -> None:
        """Take back the step that the constructor made."""
        self.last_epoch -= 1

    def _check_groups(self, count: int) -> None:
        """Raise ArgumentError unless the optimizer has `count` groups."""
        if (found := len(self.optimizer.param_groups)) != count:
            raise ArgumentError(
                f"{type(self).__name__}: it has learning rates for {count} parameter groups, but by now the optimizer "
                f"has {found}; add all groups first, or make a new schedule after adding one"
            )

    def _set(self, values: Sequence[float]) -> None:
        self._check_groups(len(values))
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            group["lr"] = lr
        self._last_lr = list(values)

    def _current(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _scaled(self, factor: float) -> list[float]:
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule remembers, but for the optimizer: numbers, strings, lists."""
        return {
            name: list(value) if isinstance(value, list) else value
            for name, value in self.__dict__.items()
            if name not in ("optimizer", "_starting")
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken, ours or PyTorch's. The optimizer has a state dict of its own.

        Raises ArgumentError for a state of another kind of schedule, naming what is missing or unexpected.
        """
        self.__dict__.update(self._checked(state_dict, self.state_dict()))

    def of_pytorch(self, state: dict[str, Any]) -> dict[str, Any]:
        """A state that PyTorch saved, in the names of this schedule; one of ours stays as it is."""
        return state

    def _checked(self, state_dict: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
        who = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state_dict, Mapping):
            raise DTypeError(f"{who}: takes a dict, not {type(state_dict).__name__}")
        state_dict = self.of_pytorch(
            {name: value for name, value in state_dict.items() if name not in TORCH_ONLY or name in own}
        )
        missing = sorted(set(own) - set(state_dict))
        unexpected = sorted(set(map(str, state_dict)) - set(own))
        if missing or unexpected:
            raise ArgumentError(
                f"{who}: missing {missing}, unexpected {unexpected}; was another schedule saved?"
            )
        for name, value in own.items():
            if isinstance(value, list) and (
                not isinstance(state_dict[name], list) or len(state_dict[name]) != len(value)
            ):
                raise ArgumentError(f"{who}: {name} must be a list of {len(value)}, not {state_dict[name]!r}")
        return {name: list(value) if isinstance(value, list) else value for name, value in state_dict.items()}


def optimizer_of(schedule: Any, optimizer: Any) -> Optimizer:
    """`optimizer`, if it is one. Raises DTypeError."""
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(f"{type(schedule).__name__}: {type(optimizer).__name__} is no Optimizer")
    return optimizer


def of_each_group(schedule: Any, optimizer: Optimizer, name: str, value: Any) -> list[float]:
    """One number for all groups, or one for each. Raises ArgumentError for another count."""
    who, count = type(schedule).__name__, len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [number(f"{who}: {name}", value)] * count
    if len(value) != count:
        raise ArgumentError(f"{who}: {name} has {len(value)} values, but there are {count} parameter groups")
    return [number(f"{who}: {name}[{index}]", one) for index, one in enumerate(value)]
