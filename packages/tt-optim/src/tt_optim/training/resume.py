"""All that a run is, as one state: collected for a checkpoint, and put back, all of it or nothing.

    config      what the numbers depend on, to be compared (configuration.py)
    bits        how this machine rounds (bits.py)
    model       parameters and persistent buffers by name, tied ones once; what model.load_state_dict takes
    buffers     the buffers that are not persistent
    modes       the modules in eval mode, the parameters that are frozen
    optimizer, scheduler, ema, callbacks
                their state dicts
    sums        those of the loss and of the metrics in mid-epoch
    data        where the loader stands (feed.py)
    random      every random state (random_states.py)
    place       step, epoch, samples, best score, lines of the history, seconds

Putting it back, the data come first: replaying them is what may fail, and it draws random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn import Module
from tt_optim.training import random_states
from tt_optim.training.bits import warn_of_other_bits
from tt_optim.training.configuration import ConfigurationError, refuse
from tt_tensor import Tensor
from tt_tensor.errors import TTError

if TYPE_CHECKING:
    from tt_optim.training.feed import Feed
    from tt_optim.training.trainer import Trainer

__all__ = ["ResumeError", "capture", "held_by", "load_weights", "restore", "step_of"]

FORMAT = 1


class ResumeError(TTError, RuntimeError):
    """A run cannot go on from this checkpoint."""


def held_by(trainer: Trainer, feed: Feed, val: Any) -> dict[str, Any]:
    """What is searched for random generators. A loader with its own state answers for what is deep inside of it."""
    found = {"model": trainer.model, "loss_fn": trainer.loss_fn}
    for name, source in (("train", feed.source), ("val", val)):
        if callable(getattr(source, "load_state_dict", None)):
            found[f"{name}.generator"] = getattr(source, "generator", None)
            found[f"{name}.sampler.generator"] = getattr(getattr(source, "sampler", None), "generator", None)
        elif not hasattr(source, "__next__"):
            found[name] = source
    return found


def capture(trainer: Trainer, feed: Feed, val: Any, place: Mapping[str, Any], bits: str) -> dict[str, Any]:
    """The state of everything, between two steps; `bits` are those of the machine."""
    model = trainer.model
    persistent, volatile = _tensors(model)
    modules = model.named_modules()
    return {
        "format": FORMAT,
        "config": trainer.config,
        "bits": bits,
        "model": persistent,
        "buffers": volatile,
        "modes": {
            "eval": [path for path, module in modules if not module.training],
            "frozen": [name for name, p in model.named_parameters() if not p.requires_grad],
        },
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": None if trainer.scheduler is None else trainer.scheduler.state_dict(),
        "ema": None if trainer.ema is None else trainer.ema.state_dict(),
        "callbacks": trainer.callbacks.state_dict(),
        "sums": {metric.name: metric.state_dict() for metric in (trainer.mean_loss, *trainer.metrics)},
        "data": feed.state_dict(),
        "random": random_states.capture(**held_by(trainer, feed, val)),
        "place": dict(place),
    }


def restore(trainer: Trainer, feed: Feed, val: Any, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put a state back. Returns its place.

    Raises ResumeError for a state that no Trainer wrote, ConfigurationError where anything differs that the numbers
    depend on, ReplayError where the data cannot be found again; then the weights are as they were.
    """
    step_of(state)
    refuse(state["config"], trainer.config)
    warn_of_other_bits(state["bits"])
    held = held_by(trainer, feed, val)
    before = random_states.capture(**held)
    try:
        feed.load_state_dict(
            state["data"], state["place"]["epoch"], lambda states: random_states.restore(states, **held)
        )
        random_states.restore(state["random"], **held_by(trainer, feed, val))
    except Exception:
        random_states.restore(before, **held)
        raise
    trainer.callbacks.load_state_dict(state["callbacks"])
    model = trainer.model
    load_weights(model, state["model"] | state["buffers"])
    for path, module in model.named_modules():
        module.training = path not in state["modes"]["eval"]
    for name, p in model.named_parameters():
        p.grad = None
        p.requires_grad = name not in state["modes"]["frozen"]
    trainer.optimizer.load_state_dict(state["optimizer"])
    if trainer.scheduler is not None:
        trainer.scheduler.load_state_dict(state["scheduler"])
    if trainer.ema is not None:
        trainer.ema.load_state_dict(state["ema"])
    for metric in (trainer.mean_loss, *trainer.metrics):
        metric.load_state_dict(state["sums"][metric.name])
    place: Mapping[str, Any] = state["place"]
    return place


def step_of(state: Mapping[str, Any]) -> int:
    """The step at which a state was saved. Raises ResumeError for a state that no Trainer of this version wrote."""
    if state.get("format") != FORMAT:
        raise ResumeError(
            "fit: this is a checkpoint, but none of a Trainer of this version; it has "
            f"{', '.join(sorted(map(str, state)))}"
        )
    return int(state["place"]["step"])


def load_weights(model: Module, saved: Mapping[str, Any]) -> None:
    """Write saved values into parameters and buffers, tied ones once. A buffer takes over another shape.

    Raises ConfigurationError where names differ.
    """
    persistent, volatile = _tensors(model)
    own = persistent | volatile
    if set(own) != set(saved):
        missing, unexpected = sorted(set(own) - set(saved)), sorted(set(saved) - set(own))
        raise ConfigurationError(
            f"fit: the checkpoint lacks {missing} of the model and has {unexpected} beside it"
        )
    for name, tensor in own.items():
        array = saved[name].array if isinstance(saved[name], Tensor) else np.asarray(saved[name])
        if array.shape == tensor.shape and array.dtype == tensor.dtype:
            tensor.write(array)
        else:
            tensor.array = array.copy()


def _tensors(model: Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters and persistent buffers, each once under its first name, and the other buffers."""
    names = set(model.state_dict())
    found: dict[str, Tensor] = dict(model.named_parameters())
    found |= dict(model.named_buffers())
    persistent = {name: tensor for name, tensor in found.items() if name in names}
    return persistent, {name: tensor for name, tensor in found.items() if name not in names}
