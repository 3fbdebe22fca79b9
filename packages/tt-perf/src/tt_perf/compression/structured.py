"""Structured pruning: whole channels and neurons are cut out, and the network is really smaller and faster.

    small = prune_channels(model, 0.5)              # half of the channels of every layer but the last
    trainer = Trainer(small, ...)                   # then fine-tune it

A channel goes from the layer that makes it, from the norm behind it and from the layers that read it; see `channels`.
The outputs are those of the old network in which nobody reads the removed channels.

Sources: Li et al., "Pruning Filters for Efficient ConvNets", 2017, arXiv:1608.08710 (by norm); Liu et al., "Learning
Efficient Convolutional Networks through Network Slimming", 2017, arXiv:1708.06519 (by the scale of batch norm);
Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference", 2017, arXiv:1611.06440 (one
ranking for all layers, each layer's scores brought to one scale).
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tt_nn import Module, Parameter
from tt_perf.compression.channels import ChannelGroup, channel_groups
from tt_perf.compression.layers import check_module, is_channel_norm, is_convolution, is_linear, share
from tt_perf.compression.reconstruction import fit_readers
from tt_perf.compression.scores import scores_of
from tt_tensor import Tensor
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError

__all__ = ["choose_channels", "keep_channels", "load_pruned", "prune_channels"]

Score = Callable[[Module, ChannelGroup], Any]


def prune_channels(
    model: Module,
    amount: float | Mapping[str, float] = 0.5,
    *,
    widths: Mapping[str, int] | None = None,
    criterion: str | Score = "norm",
    scope: str = "layer",
    multiple_of: int = 1,
    at_least: int = 1,
    data: Any = None,
    reconstruct: bool = False,
) -> Module:
    """A copy of `model` without the channels that count least; `model` stays as it is.

    Args:
        amount: the share of channels that goes, of every layer that can spare some, or {name of a layer: share}.
        widths: instead, {name of a layer: how many channels stay}; `choose_widths` finds them for a speed.
        criterion: what a channel counts:
            "norm": ‖its filter‖₂;
            "batch_norm": |weight| of the batch norm behind it;
            "outgoing": ‖the weights that read it‖₂;
            "contribution": E[x²] ‖the weights that read it‖₂², with x its values on `data`;
            or a function of (model, group) that gives a number for each channel.
        scope: "layer" takes the share from each; "global" from all together, their scores divided by their mean.
        multiple_of: so many channels stay that this divides their number, rounded up.
        at_least: how many stay in each layer.
        data: inputs for "contribution" and for `reconstruct`, as the model takes them; some hundreds will do.
        reconstruct: whether the weights that read what is left are fitted to make up for what is gone; see
            `reconstruction`. Much of the accuracy is there then before any fine-tuning.

    Raises ArgumentError where nothing can be removed (it says of each layer why), for a layer that is named and
    cannot shrink, and for settings that are none.
    """
    kept = choose_channels(
        model,
        amount,
        widths=widths,
        criterion=criterion,
        scope=scope,
        multiple_of=multiple_of,
        at_least=at_least,
        data=data,
    )
    if reconstruct and data is None:
        raise ArgumentError("prune_channels: reconstruct looks at data=, inputs as the model takes them")
    return keep_channels(model, kept, data if reconstruct else None)


def choose_channels(
    model: Module,
    amount: float | Mapping[str, float] = 0.5,
    *,
    widths: Mapping[str, int] | None = None,
    criterion: str | Score = "norm",
    scope: str = "layer",
    multiple_of: int = 1,
    at_least: int = 1,
    data: Any = None,
) -> dict[str, npt.NDArray[np.int64]]:
    """{name of a layer: the channels that stay, rising}, for `keep_channels`. Arguments as for `prune_channels`."""
    what = "prune_channels"
    check_module(what, model)
    multiple_of = whole_number(what, "multiple_of", multiple_of, 1)
    at_least = whole_number(what, "at_least", at_least, 1)
    if scope not in ("layer", "global"):
        raise ArgumentError(f"{what}: scope is 'layer' or 'global', not {scope!r}")
    groups = chosen_groups(model, widths if widths is not None else amount)
    if not isinstance(amount, Mapping):
        amount = share(what, "amount", amount, top=False)
    scores = scores_of(model, groups, criterion, data)
    if widths is not None:
        counts = {group.producer: _width(group, widths[group.producer]) for group in groups}
    elif scope == "global":
        if isinstance(amount, Mapping):
            raise ArgumentError(f"{what}: scope 'global' takes one share for all layers, not one for each")
        counts = _global_counts(groups, scores, amount)
    else:
        shares = amount if isinstance(amount, Mapping) else dict.fromkeys(scores, amount)
        counts = {
            group.producer: group.size
            - round(
                group.size * share(what, f"amount of {group.producer}", shares[group.producer], top=False)
            )
            for group in groups
        }
    kept: dict[str, npt.NDArray[np.int64]] = {}
    for group in groups:
        count = counts[group.producer]
        if widths is None:
            count = min(group.size, math.ceil(max(count, at_least) / multiple_of) * multiple_of)
        best = np.argsort(-scores[group.producer], kind="stable")[:count]
        kept[group.producer] = np.sort(best)
    return kept


def keep_channels(model: Module, kept: Mapping[str, Any], data: Any = None) -> Module:
    """A copy of `model` that has, of the layers named, only the channels given; `model` stays as it is.

    Args:
        kept: {name of a layer: indices of its channels that stay}.
        data: inputs, to fit the weights that read what is left; see `reconstruction`. None leaves them as they are.

    Raises ArgumentError for a layer that cannot shrink, for no channels, or for ones that it has not.
    """
    groups = {group.producer: group for group in chosen_groups(model, kept)}
    small = copy.deepcopy(model)
    small.zero_grad()
    modules: dict[str, Any] = dict(small.named_modules())
    for name, index in kept.items():
        group = groups[name]
        rows = np.asarray(index)
        if rows.ndim != 1 or not rows.size or rows.dtype.kind not in "iu":
            raise ArgumentError(f"keep_channels: {name} keeps a row of channels, one at least, not {index!r}")
        if rows.min() < 0 or rows.max() >= group.size or len(np.unique(rows)) != len(rows):
            raise ArgumentError(
                f"keep_channels: {name} has channels 0 to {group.size - 1}, each to be named once, not {index!r}"
            )
        _cut(modules[name], 0, rows)
        for follower in group.followers:
            _cut(modules[follower], 0, rows)
        for consumer, spread in group.consumers:
            inputs = (rows[:, None] * spread + np.arange(spread)).reshape(-1)
            _cut(modules[consumer], 1, inputs)
    if data is not None:
        fit_readers(model, small, [group for name, group in groups.items() if name in kept], kept, data)
    return small


def load_pruned(model: Module, state: Mapping[str, Any]) -> Module:
    """Give `model` the shapes of a pruned state dict and then its numbers: `model` itself, which is returned.

        tt_nn.save(small, "small.safetensors")
        small = load_pruned(vgg11_bn(), tt_nn.load("small.safetensors"))

    Raises StateDictError where names differ, ArgumentError where a tensor has another number of axes.
    """
    check_module("load_pruned", model)
    wanted = {
        name: np.shape(value.array if isinstance(value, Tensor) else value) for name, value in state.items()
    }
    for path, module in model.named_modules():
        for name, tensor in [*module._own_parameters(), *module._own_buffers()]:
            shape = wanted.get(f"{path}.{name}" if path else name, tensor.shape)
            if len(shape) != tensor.ndim:
                raise ArgumentError(
                    f"load_pruned: {path}.{name} has shape {tensor.shape} here, and {shape} in the state: no pruning "
                    "makes that of it"
                )
            if shape != tensor.shape:
                _put(module, name, np.zeros(shape, tensor.dtype))
        _settle(module)
    model.load_state_dict(state)
    return model


def chosen_groups(model: Module, named: Any) -> list[ChannelGroup]:
    """The groups named (all, where it is no mapping). ArgumentError for a layer without one, or none at all."""
    found = channel_groups(check_module("prune_channels", model))
    groups = {group.producer: group for group in found.groups}
    if isinstance(named, Mapping):
        for name in named:
            if name not in groups:
                why = found.fixed.get(name, "no layer that makes channels has this name")
                raise ArgumentError(
                    f"prune_channels: the channels of {name!r} cannot be removed: {why}; there are "
                    f"{', '.join(groups) or 'none that can'}"
                )
        return [group for name, group in groups.items() if name in named]
    if not groups:
        reasons = "; ".join(f"{name}: {why}" for name, why in found.fixed.items())
        raise ArgumentError(
            f"prune_channels: no layer of this {type(model).__name__} can be made smaller "
            f"({reasons or 'it has none'}); known are rows of layers in Sequential, and tt-vision's residual blocks"
        )
    return list(groups.values())


def _width(group: ChannelGroup, width: Any) -> int:
    if whole_number("prune_channels", f"the width of {group.producer}", width, 1) > group.size:
        raise ArgumentError(
            f"prune_channels: {group.producer} has {group.size} channels, not {width} or more"
        )
    return int(width)


def _global_counts(groups: list[ChannelGroup], scores: dict[str, Any], amount: float) -> dict[str, int]:
    """How many stay where one ranking says who goes."""
    scaled = [scores[group.producer] / (np.mean(scores[group.producer]) or 1.0) for group in groups]
    every = np.concatenate(scaled)
    owner = np.repeat(np.arange(len(groups)), [group.size for group in groups])
    gone = np.argsort(every, kind="stable")[: round(len(every) * amount)]
    lost = np.bincount(owner[gone], minlength=len(groups))
    return {group.producer: group.size - int(n) for group, n in zip(groups, lost, strict=True)}


def _cut(module: Any, axis: int, index: npt.NDArray[np.int64]) -> None:
    """Leave only these outputs (axis 0) or inputs (axis 1) in a layer, and set the numbers that it knows of itself."""
    for name, tensor in [*module._own_parameters(), *module._own_buffers()]:
        if axis < tensor.ndim and (axis == 0 or name == "weight"):
            _put(module, name, tensor.array.take(index, axis))
    _settle(module)


def _put(module: Any, name: str, array: Any) -> None:
    old = getattr(module, name)
    if isinstance(old, Parameter):
        setattr(module, name, Parameter(array, old.requires_grad))
    else:
        setattr(module, name, Tensor(array))


def _settle(module: Any) -> None:
    """Let a layer's numbers of itself follow from its weights."""
    if is_linear(module):
        module.out_features, module.in_features = module.weight.shape
    elif is_convolution(module):
        if module.groups > 1 and module.groups == module.in_channels:  # depthwise
            module.groups = len(module.weight)
            module.window = dataclasses.replace(module.window, groups=module.groups)
        module.out_channels = module.weight.shape[0]
        module.in_channels = module.weight.shape[1] * module.groups
    elif is_channel_norm(module):
        sized = module.weight if module.weight is not None else module.running_mean
        if sized is not None:
            module.num_features = len(sized.array)
