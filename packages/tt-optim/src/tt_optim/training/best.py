"""Which weights were the best so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError
from tt_tensor.tensor import wrap

__all__ = ["Best", "one_number"]


def one_number(name: str, value: Any) -> float:
    """A figure that can be the best. Raises ArgumentError for one that is several numbers, as a matrix is."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"Trainer: {name!r} is no single number, so there is no best one of it"
        ) from error


class Best:
    """The best value of a figure, its step and, where nothing else keeps them, the weights that reached it.

    nan is never the best; of equals, the first is.
    """

    def __init__(self, monitor: str, mode: str, in_memory: bool) -> None:
        self.monitor, self.mode, self.in_memory = monitor, mode, in_memory
        self.score: float | None = None
        self.step: int | None = None
        self.last: float | None = None
        """The value at the last look, at `last_step`."""
        self.last_step = -1
        self.weights: dict[str, Tensor] | None = None

    def judge(
        self, results: Mapping[str, Any], step: int, weights: Callable[[], Mapping[str, Tensor]]
    ) -> bool:
        """Take note of a figure; True if it is the best so far. Raises ArgumentError where it is not there."""
        if self.monitor not in results:
            raise ArgumentError(
                f"Trainer: there is no figure {self.monitor!r} to monitor; there are {', '.join(results)}"
            )
        value = one_number(self.monitor, results[self.monitor])
        self.last, self.last_step = value, step
        if value != value:
            return False
        if self.score is not None and not (value < self.score if self.mode == "min" else value > self.score):
            return False
        self.score, self.step = value, step
        if self.in_memory:
            self.weights = {name: wrap(tensor.array.copy()) for name, tensor in weights().items()}
        return True

    def state_dict(self) -> dict[str, Any]:
        """The numbers; the weights are in a checkpoint of their own."""
        return {"score": self.score, "step": self.step, "last": self.last, "last_step": self.last_step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from saved numbers."""
        self.score, self.step = state["score"], state["step"]
        self.last, self.last_step = state["last"], state["last_step"]
