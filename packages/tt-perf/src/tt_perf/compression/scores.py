"""Scores: what a channel counts, by several criteria. The higher, the longer it stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tt_nn import Module
from tt_perf.compression.channels import ChannelGroup
from tt_perf.compression.layers import is_channel_norm
from tt_perf.compression.modes import evaluating
from tt_tensor import as_tensor
from tt_tensor.errors import ArgumentError

__all__ = ["CRITERIA", "scores_of"]

Row = npt.NDArray[np.float64]


def scores_of(
    model: Module, groups: list[ChannelGroup], criterion: str | Callable[..., Any], data: Any
) -> dict[str, Row]:
    """{producer: a number for each of its channels}.

    Raises ArgumentError for a criterion that is none, has nothing to look at, or gives other than a finite number a
    channel.
    """
    if not callable(criterion) and criterion not in CRITERIA:
        raise ArgumentError(f"prune_channels: criterion {criterion!r} is not one of {', '.join(CRITERIA)}")
    modules: dict[str, Any] = dict(model.named_modules())
    if criterion == "contribution":
        moments = _moments(model, modules, groups, data)
        found = {group.producer: moments[group.producer] * _outgoing(modules, group) ** 2 for group in groups}
    elif callable(criterion):
        found = {group.producer: np.asarray(criterion(model, group), np.float64) for group in groups}
    else:
        found = {group.producer: CRITERIA[criterion](modules, group) for group in groups}
    for group in groups:
        row = found[group.producer]
        if row.shape != (group.size,) or not np.isfinite(row).all():
            wrong = "" if np.isfinite(row).all() else " with nan or inf"
            raise ArgumentError(
                f"prune_channels: the criterion gives {group.producer}, of {group.size} channels, scores of shape "
                f"{row.shape}{wrong}; it needs one finite number for each"
            )
    return found


def _norm(modules: dict[str, Any], group: ChannelGroup) -> Row:
    """‖filter‖₂"""
    weight = modules[group.producer].weight.array.astype(np.float64)
    return np.sqrt((weight.reshape(group.size, -1) ** 2).sum(axis=1))


def _batch_norm(modules: dict[str, Any], group: ChannelGroup) -> Row:
    """|weight| of the norm behind the layer"""
    for name in group.followers:
        norm = modules[name]
        if is_channel_norm(norm) and norm.weight is not None:
            return np.abs(norm.weight.array.astype(np.float64))
    raise ArgumentError(
        f"prune_channels: no batch norm with a weight follows {group.producer}; use criterion='norm', or name other "
        "layers"
    )


def _outgoing(modules: dict[str, Any], group: ChannelGroup) -> Row:
    """‖weights that read the channel‖₂"""
    total = np.zeros(group.size)
    for name, spread in group.consumers:
        weight = modules[name].weight.array.astype(np.float64)
        squares = (weight.reshape(len(weight), weight.shape[1], -1) ** 2).sum(axis=(0, 2))
        total += squares.reshape(group.size, spread).sum(axis=1)
    return np.sqrt(total)


CRITERIA: dict[str, Callable[[dict[str, Any], ChannelGroup], Row]] = {
    "norm": _norm,
    "batch_norm": _batch_norm,
    "outgoing": _outgoing,
    "contribution": _outgoing,  # times what `_moments` finds
}


def _moments(model: Module, modules: dict[str, Any], groups: list[ChannelGroup], data: Any) -> dict[str, Row]:
    """{producer: E[x²] of each channel, where its reader gets it}."""
    if data is None:
        raise ArgumentError(
            "prune_channels: criterion 'contribution' looks at data=, inputs as the model takes them"
        )
    found: dict[str, Row] = {}
    hooks = []

    def listen(group: ChannelGroup, spread: int) -> Callable[..., None]:
        def note(module: Module, args: tuple[Any, ...], output: Any) -> None:
            x = as_tensor(args[0]).array.astype(np.float64)
            squares = (x * x).mean(axis=(0, *range(2, x.ndim)))
            found[group.producer] = squares.reshape(group.size, spread).mean(axis=1)

        return note

    try:
        for group in groups:
            name, spread = group.consumers[0]
            hooks.append(modules[name].register_forward_hook(listen(group, spread)))
        with evaluating(model):
            model(as_tensor(data))
    finally:
        for hook in hooks:
            hook.remove()
    return found
