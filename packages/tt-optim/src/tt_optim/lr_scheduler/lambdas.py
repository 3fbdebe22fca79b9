"""Schedules from any function of the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tt_optim.lr_scheduler.scheduler import LRScheduler, optimizer_of
from tt_optim.optimizer import Optimizer
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["LambdaLR", "MultiplicativeLR"]


class LambdaLR(LRScheduler):
    """lr = base · f(t).

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        lr_lambda: f, or a list with one for each group.

    The functions are not part of the state dict; what a callable object remembers in its attributes is.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(optimizer_of(self, optimizer).param_groups)
        functions = list(lr_lambda) if isinstance(lr_lambda, list | tuple) else [lr_lambda] * count
        if len(functions) != count:
            raise ArgumentError(
                f"{type(self).__name__}: {len(functions)} functions, but there are {count} parameter groups"
            )
        for function in functions:
            if not callable(function):
                raise DTypeError(
                    f"{type(self).__name__}: lr_lambda must be a function of the step, not {type(function).__name__}"
                )
        self.lr_lambdas: list[Any] = functions
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [
            base * function(self.last_epoch)
            for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["lr_lambdas"] = [
            dict(getattr(function, "__dict__", {})) or None for function in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        state = self._checked(state_dict, self.state_dict())
        for function, remembered in zip(self.lr_lambdas, state.pop("lr_lambdas"), strict=True):
            if remembered:
                function.__dict__.update(remembered)
        self.__dict__.update(state)


class MultiplicativeLR(LambdaLR):
    """lr = base · f(1) · f(2) · … · f(t): each step multiplies what the last one left.

    Arguments, and what is remembered, as for `LambdaLR`.
    """

    def get_lr(self) -> list[float]:
        if self._starting:
            return self._current()
        self._check_groups(len(self.lr_lambdas))
        factors = [function(self.last_epoch) for function in self.lr_lambdas]
        return [lr * factor for lr, factor in zip(self._current(), factors, strict=True)]
