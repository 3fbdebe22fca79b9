"""What a run is: everything that its numbers depend on beside the data, as lines that can be compared.

A checkpoint keeps it; a resume with another model, optimizer or setting is refused, naming what differs.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tt_nn import Module
from tt_optim.lr_scheduler import LRScheduler
from tt_optim.optimizer import Optimizer
from tt_tensor import Tensor
from tt_tensor.errors import TTError

if TYPE_CHECKING:
    from tt_optim.training.trainer import Trainer

__all__ = ["ConfigurationError", "describe", "refuse"]


class ConfigurationError(TTError, ValueError):
    """A checkpoint is of a run with another model, optimizer or settings; the message lists what differs."""


def refuse(then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise ConfigurationError where the two differ."""
    lines = []
    # The model first, then its parameters, the optimizer and so on, as they were described.
    kinds = list(dict.fromkeys(_kind(name) for name in (*now, *then)))
    for name in sorted({*now, *then}, key=lambda name: (kinds.index(_kind(name)), name)):
        before, after = then.get(name, "nothing"), now.get(name, "nothing")
        if before != after:
            lines.append(f"{name}: {before} then, {after} now")
    if lines:
        shown = lines[:20] + ([f"and {len(lines) - 20} more"] if len(lines) > 20 else [])
        raise ConfigurationError(
            "fit: the checkpoint is of another run. "
            + "; ".join(shown)
            + ". Build everything as it was, or take "
            "over the weights alone: model.load_state_dict(store.load()['model'])"
        )


def _kind(name: str) -> str:
    return name.partition(" ")[0].partition(".")[0]


def describe(trainer: Trainer) -> dict[str, str]:
    """A line for each thing that the numbers depend on, as it is before the first step."""
    found = describe_model(trainer.model) | describe_optimizer(trainer.optimizer)
    if trainer.scheduler is not None:
        found |= describe_schedule(trainer.scheduler) | {"schedule_every": trainer.schedule_every}
    found["loss"] = describe_loss(trainer.loss_fn)
    found["metrics"] = ", ".join(map(repr, trainer.metrics)) or "none"
    for name in ("accumulate", "clip_norm", "clip_value", "ema", "monitor", "seed"):
        found[name] = repr(getattr(trainer, name))
    if trainer.shards > 1:  # not a line of all runs: those before there were shards go on, too
        found["shards"] = repr(trainer.shards)
    return found | {"mode": trainer.best.mode}


def describe_model(model: Module) -> dict[str, str]:
    """Each module with its settings, each parameter with dtype, shape, whether it is trained, what it is tied to."""
    found = {
        f"model.{path}" if path else "model": f"{type(module).__name__}({module.extra_repr()})"
        for path, module in model.named_modules()
    }
    first: dict[int, str] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        if id(p) in first:
            found[f"parameter {name}"] = f"tied to {first[id(p)]}"
        else:
            first[id(p)] = name
            trained = "" if p.requires_grad else ", frozen"
            found[f"parameter {name}"] = f"{p.dtype} {p.shape}{trained}"
    return found


def describe_optimizer(optimizer: Optimizer) -> dict[str, str]:
    """Its class, and of each group the options and how many parameters of which shapes."""
    found = {"optimizer": type(optimizer).__name__}
    for index, group in enumerate(optimizer.param_groups):
        where = f"optimizer group {index}"
        found[where] = ", ".join(f"{p.dtype} {p.shape}" for p in group["params"])
        for name, value in group.items():
            if name not in ("params", "param_names"):
                found[f"{where} {name}"] = repr(value)
    return found


def describe_schedule(scheduler: LRScheduler) -> dict[str, str]:
    """Its class and all its numbers, as they are before the first step."""
    found = {"scheduler": type(scheduler).__name__}
    for name, value in scheduler.state_dict().items():
        found[f"scheduler {name.lstrip('_')}"] = repr(value)
    return found


def describe_loss(loss_fn: Any) -> str:
    """Class and settings of a loss, or the name of a function."""
    if isinstance(loss_fn, functools.partial):
        settings = [repr(value) for value in loss_fn.args]
        settings += [f"{name}={value!r}" for name, value in sorted(loss_fn.keywords.items())]
        return f"{describe_loss(loss_fn.func)} with {', '.join(settings)}"
    if not isinstance(loss_fn, Module):
        return getattr(loss_fn, "__qualname__", type(loss_fn).__qualname__)
    settings = [
        f"{name}={value.tolist() if isinstance(value, Tensor) else value!r}"
        for name, value in sorted(vars(loss_fn).items())
        if isinstance(value, str | int | float | Tensor) and not name.startswith("_")
    ]
    return f"{type(loss_fn).__name__}({', '.join(settings)})"
