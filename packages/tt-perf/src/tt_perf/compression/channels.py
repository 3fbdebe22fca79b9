"""Channels: which numbers of a network belong to one channel, from the layer that makes it to the layers that read it.

In a row of layers

    conv1 (48 filters) → bn1 → relu1 → pool → conv2 (reads 48 channels)

channel c is filter c of conv1, entry c of everything in bn1, and input c of conv2. It can be cut out of all three, and
the rest of the network does not notice, but for what conv2 would have heard from it. Flatten spreads a channel over
H·W neighbours, which the linear layer behind it reads. Linear layers are the same, with neurons for channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tt_nn import (
    CELU,
    ELU,
    GELU,
    SELU,
    Dropout,
    Flatten,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    Identity,
    LeakyReLU,
    LogSigmoid,
    Mish,
    Module,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from tt_perf.compression.layers import (
    check_module,
    has_own_forward,
    is_channel_norm,
    is_convolution,
    is_linear,
    is_row,
    uses,
)

__all__ = ["ChannelGroup", "Channels", "channel_groups"]

ALONE = (
    *(
        CELU,
        Dropout,
        ELU,
        GELU,
        Hardsigmoid,
        Hardswish,
        Hardtanh,
        Identity,
        LeakyReLU,
        LogSigmoid,
        Mish,
        ReLU,
    ),
    *(ReLU6, SELU, Sigmoid, SiLU, Softplus, Tanh),
)
"""Layers that treat every number on its own."""
ALONE_BY_NAME = frozenset(
    (
        *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AvgPool1d"),
        *("AvgPool2d", "Dropout1d", "Dropout2d", "MaxPool1d", "MaxPool2d", "Upsample", "ZeroPad2d"),
    )
)
"""Those of tt-vision that treat every channel on its own and have no numbers for it."""


@dataclass
class ChannelGroup:
    """The channels that one layer makes, and who has numbers for them."""

    producer: str
    """Name of the layer that makes them: its outputs."""
    size: int
    """How many there are."""
    followers: list[str] = field(default_factory=list)
    """Norms and depthwise convolutions on the way, with numbers for each channel."""
    linear: bool = False
    """Whether a linear layer makes them: then they are the last axis, else axis 1."""
    consumers: list[tuple[str, int]] = field(default_factory=list)
    """(name, spread) of layers that read them: channel c is their inputs c·spread … (c + 1)·spread - 1."""


@dataclass
class Channels:
    """All groups of a model, and of each layer that makes none that could shrink, why."""

    groups: list[ChannelGroup]
    fixed: dict[str, str]


def channel_groups(model: Module) -> Channels:
    """The groups of channels that can be made smaller on their own, in the order in which the network computes.

    Known are Sequential (in any depth) of convolutions, linear layers, norms, activations, poolings, Flatten, and
    the residual blocks of tt-vision, inside of which conv1's channels are free. What a block adds up must keep its
    size, and so must what goes into a layer that is not known.

    Raises DTypeError for what is no Module.
    """
    check_module("channel_groups", model)
    walk = _Walk(model)
    walk.enter("", model)
    walk.close("they are the output of the network")
    return Channels([group for group in walk.groups if group.consumers], walk.fixed)


class _Walk:
    """Goes through the layers in order; `open` is the group whose reader is still to come."""

    def __init__(self, model: Module) -> None:
        self.groups: list[ChannelGroup] = []
        self.fixed: dict[str, str] = {}
        self.open: ChannelGroup | None = None
        self.flattened = False
        self.seen: set[int] = set()
        counts: dict[int, int] = {}
        for key, _ in uses(model):
            counts[key] = counts.get(key, 0) + 1
        self.tied = {key for key, count in counts.items() if count > 1}

    def enter(self, name: str, module: Any) -> None:
        kind = type(module).__name__
        if id(module) in self.seen and next(module.parameters(), None) is not None:
            self.close(f"{name}, a layer that is used twice, reads them")
            return
        self.seen.add(id(module))
        if is_row(module):
            for key, child in module._parts():
                if isinstance(child, Module):
                    self.enter(f"{name}.{key}" if name else key, child)
        elif has_own_forward(module):
            self.close(f"{name}, a {kind}, reads them, and what its forward does with channels is not known")
        elif isinstance(module, ALONE) or kind in ALONE_BY_NAME:
            pass
        elif isinstance(module, Flatten):
            if (module.start_dim, module.end_dim) != (1, -1):
                self.close(f"{name}, a Flatten of other axes, follows")
            self.flattened = True
        elif _is_block(module):
            self.close(f"{name} adds them to its own")
            self._block(name, module)
        elif self._tied(module):
            self.close(f"{name}, whose weight is shared with another layer, reads them")
        elif is_channel_norm(module):
            self.follow(name, module.num_features)
        elif _is_depthwise(module):
            self.follow(name, module.out_channels)
        elif is_convolution(module) or is_linear(module):
            self.layer(name, module)
        else:
            self.close(f"{name}, a {kind}, reads them, and what that does with channels is not known")

    def layer(self, name: str, module: Any) -> None:
        """A layer reads the open group and makes a new one."""
        linear = is_linear(module)
        inputs, outputs = (
            (module.in_features, module.out_features) if linear else (module.in_channels, module.out_channels)
        )
        grouped = not linear and module.groups != 1
        if self.open is not None:
            spread, rest = divmod(inputs, self.open.size) if self.open.size else (0, 1)
            # Channels of a convolution reach a linear layer through Flatten; neurons stay what they are.
            crossed = linear and self.flattened if not self.open.linear else linear and spread == 1
            if grouped or rest or (not crossed and (linear or self.open.linear or spread != 1)):
                why = "in groups" if grouped else f"as {inputs} inputs"
                self.close(f"{name} reads them {why}")
            else:
                self.open.consumers.append((name, spread))
                self.close("")
        self.flattened = False
        if grouped:
            self.fixed[name] = "it has groups"
            return
        self.open = ChannelGroup(name, outputs, linear=linear)
        self.groups.append(self.open)

    def follow(self, name: str, size: int) -> None:
        if self.open is None:
            return
        if size != self.open.size:
            self.close(f"{name} treats them as {size}")
        else:
            self.open.followers.append(name)

    def close(self, why: str) -> None:
        """Nobody else reads the open group; without a reader it stays as it is, and `why` is noted."""
        if self.open is not None and not self.open.consumers:
            self.fixed[self.open.producer] = why
        self.open = None

    def _block(self, name: str, block: Any) -> None:
        """relu(bn2(conv2(relu(bn1(conv1(x))))) + …): conv1's channels are read by conv2 alone."""
        inner = ChannelGroup(f"{name}.conv1", block.conv1.out_channels)
        inner.followers.append(f"{name}.bn1")
        inner.consumers.append((f"{name}.conv2", 1))
        self.groups.append(inner)
        self.fixed[f"{name}.conv2"] = "its output is added to the block's input"
        for part in block.modules():
            self.seen.add(id(part))

    def _tied(self, module: Module) -> bool:
        return any(id(parameter) in self.tied for parameter in module.parameters(recurse=False))


def _is_block(module: Any) -> bool:
    """A BasicBlock of tt-vision, or a class derived from it that left its forward alone?"""
    kind = type(module)
    named = next((base for base in kind.__mro__ if base.__name__ == "BasicBlock"), None)
    return (
        named is not None
        and kind.forward is named.__dict__.get("forward")
        and all(is_convolution(getattr(module, part, module)) for part in ("conv1", "conv2"))
        and module.conv1.groups == module.conv2.groups == 1
    )


def _is_depthwise(module: Any) -> bool:
    return is_convolution(module) and module.groups == module.in_channels == module.out_channels > 1
