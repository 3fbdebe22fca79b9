"""Callback: what is to happen on the way, beside the training itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_tensor.errors import ArgumentError, DTypeError

if TYPE_CHECKING:
    from tt_optim.training.trainer import Trainer

__all__ = ["EVENTS", "Callback", "Callbacks"]

EVENTS = (
    "on_fit_start",
    "on_epoch_start",
    "on_before_step",
    "on_step_end",
    "on_evaluate_end",
    "on_epoch_end",
    "on_checkpoint",
    "on_exception",
    "on_fit_end",
)


class Callback:
    """The base of all callbacks: write the methods of the events that you want.

    Each gets the trainer, whose attributes say where training stands: `step`, `epoch`, `loss`, `results`, `lr`,
    `model`, `optimizer`, `history`. `trainer.stop("why")` ends the run after the current step.

    What a callback must remember over a resume it gives in `state_dict` and takes back in `load_state_dict`.
    """

    def on_fit_start(self, trainer: Trainer) -> None:
        """Before the first step of `fit`, after a resume."""

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Before the first batch of an epoch; not where a resume enters one in the middle."""

    def on_before_step(self, trainer: Trainer) -> None:
        """The gradients are summed, divided and clipped; the optimizer has not moved yet."""

    def on_step_end(self, trainer: Trainer) -> None:
        """The optimizer has moved, schedule and average followed; `trainer.step` counts this step."""

    def on_evaluate_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        """An evaluation during `fit` is done: results {"val_loss": ..., "val_accuracy": ...}."""

    def on_epoch_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        """An epoch and its evaluation are done; `trainer.epoch` counts it. results: those of both."""

    def on_checkpoint(self, trainer: Trainer, path: Path) -> None:
        """A checkpoint is written, whole and on the disk, at `path`."""

    def on_exception(self, trainer: Trainer, error: BaseException) -> None:
        """`fit` ends with `error`, an interrupt among them; it is raised on afterwards."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """`fit` ends in order. Comes after the last checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """What to remember over a resume: numbers, strings, lists, dicts, arrays."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""


class Callbacks:
    """Several callbacks as one, in their order.

    An object of another class is one, too, if it has a method of some event, and both `state_dict` and
    `load_state_dict`: so a wheel that does not depend on this one can bring callbacks.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        for callback in callbacks:
            if not isinstance(callback, Callback) and not _like_one(callback):
                raise DTypeError(
                    f"Trainer: a callback is a Callback, not {callback!r}; derive from Callback and write "
                    "the methods of the events that you want"
                )
        self.all = list(callbacks)
        # Only who listens is called: an event that nobody wants is a look at an empty list.
        self._listeners = {
            event: [getattr(one, event) for one in self.all if _listens(one, event)] for event in EVENTS
        }

    def emit(self, event: str, *args: Any) -> None:
        """Call the method of that name of all who wrote it."""
        for method in self._listeners[event]:
            method(*args)

    def state_dict(self) -> dict[str, Any]:
        """The states of those that remember something, by class (and number, of several of one class)."""
        return {name: one.state_dict() for name, one in self._named() if one.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Give each its state back. Raises ArgumentError where those that remember are not those of then."""
        named = dict(self._named())
        own = {name for name, one in named.items() if one.state_dict()}
        if own != set(state_dict):
            gone, new = sorted(set(state_dict) - own), sorted(own - set(state_dict))
            raise ArgumentError(
                f"the callbacks differ: the checkpoint has states of {gone or 'none'} that are missing here, "
                f"and none for {new or 'none'}"
            )
        for name, state in state_dict.items():
            named[name].load_state_dict(state)

    def _named(self) -> list[tuple[str, Callback]]:
        found: list[tuple[str, Callback]] = []
        counts: dict[str, int] = {}
        for one in self.all:
            kind = type(one).__name__
            counts[kind] = counts.get(kind, 0) + 1
            found.append((kind if counts[kind] == 1 else f"{kind}#{counts[kind]}", one))
        return found


def _listens(callback: Callback, event: str) -> bool:
    method = getattr(callback, event, None)
    return method is not None and getattr(method, "__func__", method) is not getattr(Callback, event)


def _like_one(found: Any) -> bool:
    """No class: an object with some event's method, and with what a resume needs."""

    def has(name: str) -> bool:
        return callable(getattr(found, name, None))

    return (
        not isinstance(found, type) and has("state_dict") and has("load_state_dict") and any(map(has, EVENTS))
    )
