"""What a Trainer refuses: arguments of a wrong kind, and those that do not go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from tt_nn import Module
from tt_optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tt_optim.optimizer import Optimizer
from tt_optim.ranges import CHOICE
from tt_optim.training.ema import EMA
from tt_optim.training.errors import CheckpointError
from tt_optim.training.feed import EndOfDataError
from tt_optim.training.metrics import Metric
from tt_optim.training.store import CheckpointStore
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = [
    "check_ema",
    "check_model",
    "check_once",
    "check_schedule",
    "load_from",
    "metrics_of",
    "mode_of",
    "several",
    "store_of",
]

RESERVED = ("loss", "kind", "step", "epoch", "lr", "seconds", "grad_norm")


def check_model(model: Any, optimizer: Any) -> None:
    """Raise unless it is a Module and an Optimizer that moves parameters of it, and of nothing else."""
    if not isinstance(model, Module):
        raise DTypeError(f"Trainer: model must be a Module, not {type(model).__name__}")
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(f"Trainer: optimizer must be an Optimizer, not {type(optimizer).__name__}")
    own = {id(p) for p in model.parameters()}
    for index, group in enumerate(optimizer.param_groups):
        for at, p in enumerate(group["params"]):
            if id(p) not in own:
                raise ArgumentError(
                    f"Trainer: parameter {at} of the optimizer's group {index}, of shape {p.shape}, is none of the "
                    "model's, so no checkpoint would hold it; make it part of the model"
                )


def check_schedule(scheduler: Any, optimizer: Optimizer, every: Any) -> None:
    """Raise unless the schedule is one of this optimizer, stepped every "step" or "epoch"."""
    CHOICE("step", "epoch")("Trainer: schedule_every", every)
    if scheduler is None:
        return
    if not isinstance(scheduler, LRScheduler):
        raise DTypeError(f"Trainer: scheduler must be an LRScheduler, not {type(scheduler).__name__}")
    if scheduler.optimizer is not optimizer:
        raise ArgumentError("Trainer: the scheduler belongs to another optimizer")
    if isinstance(scheduler, ReduceLROnPlateau) and every != "epoch":
        raise ArgumentError(
            "Trainer: ReduceLROnPlateau looks at a figure after each epoch; pass schedule_every='epoch'"
        )


def several(given: Any) -> list[Any]:
    """All that is in an iterable; a single thing, which is none, as a list of it."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]


def metrics_of(given: Any) -> list[Metric]:
    """Metrics, or a single one. Raise unless all are Metrics with names of their own."""
    names, metrics = list(RESERVED), several(given)
    for metric in metrics:
        if not isinstance(metric, Metric):
            raise DTypeError(
                f"Trainer: a metric is a Metric, such as Accuracy(), not {metric!r}; derive from Metric for others"
            )
        if metric.name in names or metric.name.startswith("val_"):
            raise ArgumentError(
                f"Trainer: the name {metric.name!r} of a metric is taken; pass another, name=..."
            )
        names.append(metric.name)
    return metrics


def check_ema(ema: Any, model: Module) -> EMA | None:
    """An EMA of this model: from a decay, or as it is."""
    if ema is None:
        return None
    found = ema if isinstance(ema, EMA) else EMA(model, ema)
    if found.model is not model:
        raise ArgumentError("Trainer: the EMA belongs to another model")
    return found


def mode_of(mode: Any, monitor: str, metrics: Sequence[Metric]) -> str:
    """Whether less or more of the monitored figure is better."""
    if mode is not None:
        return str(CHOICE("min", "max")("Trainer: mode", mode))
    name = monitor.removeprefix("val_")
    known: Mapping[str, str | None] = {"loss": "min"} | {metric.name: metric.mode for metric in metrics}
    if name not in known:
        raise ArgumentError(
            f"Trainer: there is no figure {monitor!r} to monitor; there are {', '.join(known)}"
        )
    found = known[name]
    if found is None:
        raise ArgumentError(f"Trainer: is less or more of {monitor!r} better? pass mode='min' or 'max'")
    return found


def store_of(checkpoints: Any, keep_best: bool, mode: Any) -> CheckpointStore | None:
    """A store in a folder, or the one given, whose idea of the best must be ours."""
    if checkpoints is None:
        return None
    if not isinstance(checkpoints, CheckpointStore):
        return CheckpointStore(checkpoints, keep_best=keep_best, mode=mode)
    if checkpoints.mode != mode and checkpoints.keep_best and keep_best:
        raise ArgumentError(
            f"Trainer: the CheckpointStore keeps the best by mode={checkpoints.mode!r}, but the monitored figure is "
            f"better by {mode!r}; make it CheckpointStore(..., mode={mode!r})"
        )
    return checkpoints


def check_once(train: Any, val: Any, epochs_left: float) -> None:
    """Raise EndOfDataError for an iterator that would be needed twice."""
    if hasattr(train, "__next__") and epochs_left > 1:
        raise EndOfDataError(
            f"fit: train is a one-shot iterator ({type(train).__name__}), good for one epoch; for more pass a list, "
            "an object with __iter__, or a function that makes a new iterator: fit(lambda: batches(), ...)"
        )
    if hasattr(val, "__next__"):
        raise EndOfDataError(
            f"fit: val is a one-shot iterator ({type(val).__name__}), but it is needed at each evaluation; pass "
            "list(val), or a function that makes a new one"
        )


def load_from(path: str | PathLike[str]) -> dict[str, Any]:
    """The state in a checkpoint that is in no store of ours."""
    if not Path(path).is_file():
        raise CheckpointError(f"load: {path} does not exist")
    return CheckpointStore(Path(path).parent).load(path)
