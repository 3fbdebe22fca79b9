"""What a layer is, told by what it has: so the layers of any wheel are known here, and none of them is imported.

A linear layer has a weight (out, in), a convolution a weight (out, in / groups, …) and the numbers of its channels, a
norm one running value for each channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tt_nn import Module, ModuleDict, ModuleList, Parameter, Sequential
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = [
    "check_module",
    "hand_on_hooks",
    "has_own_forward",
    "is_channel_norm",
    "is_convolution",
    "is_linear",
    "is_row",
    "names",
    "replace_module",
    "share",
    "uses",
    "weights_of",
]


def check_module(what: str, model: Any) -> Module:
    """`model` if it is a Module; DTypeError otherwise."""
    if not isinstance(model, Module):
        raise DTypeError(f"{what}: takes a model, a Module, not {type(model).__name__}")
    return model


def is_linear(module: Module) -> bool:
    """A weight (out_features, in_features)?"""
    return _weight_axes(module) == 2 and hasattr(module, "in_features") and hasattr(module, "out_features")


def is_convolution(module: Module) -> bool:
    """A weight (out_channels, in_channels / groups, …)? A transposed one has it the other way round, so is none."""
    return (
        _weight_axes(module) >= 3
        and all(hasattr(module, name) for name in ("in_channels", "out_channels", "groups", "kernel_size"))
        and not hasattr(module, "output_padding")
    )


def has_own_forward(module: Module) -> bool:
    """Does it compute what its wheel's layer does not: a subclass from elsewhere, or one with another forward?"""
    forward = "forward"
    if forward in vars(module):
        return True
    for kind in type(module).__mro__:
        if forward in vars(kind):
            return kind.__module__.partition(".")[0] not in ("tt_nn", "tt_vision", "tt_text")
    return False


def hand_on_hooks(old: Module, new: Module) -> None:
    """What was hooked to a layer goes on with the one that takes its place; later changes of either stay its own."""
    if old._forward_hooks:
        object.__setattr__(new, "_forward_hooks", list(old._forward_hooks))


def is_row(module: Module) -> bool:
    """A Sequential that computes as one does, layer after layer?"""
    return isinstance(module, Sequential) and type(module).forward is Sequential.forward


def is_channel_norm(module: Module) -> bool:
    """A norm that treats each channel on its own, with weights and running values for it?"""
    return hasattr(module, "num_features") and "running_mean" in (module._buffers or {})


def weights_of(what: str, model: Module, layers: Sequence[str] | None = None) -> dict[str, Parameter]:
    """The weights of linear layers and convolutions by their names in the state dict, tied ones once.

    `layers` picks modules by name, of any kind that has a weight of two axes or more (an Embedding, say).

    Raises ArgumentError for a name that is none, and where there is no weight at all.
    """
    check_module(what, model)
    modules: dict[str, Any] = dict(model.named_modules())
    if layers is None:
        chosen = [name for name, module in modules.items() if is_linear(module) or is_convolution(module)]
    else:
        chosen = names(what, layers)
    found: dict[str, Parameter] = {}
    for name in chosen:
        if name not in modules or _weight_axes(modules[name]) < 2:
            have = [key for key, module in modules.items() if _weight_axes(module) >= 2]
            raise ArgumentError(
                f"{what}: no layer {name!r} with a weight of two axes or more; there are {', '.join(have)}"
            )
        weight = modules[name].weight
        if all(weight is not other for other in found.values()):
            found[f"{name}.weight" if name else "weight"] = weight
    if not found:
        raise ArgumentError(
            f"{what}: {type(model).__name__} has no linear layer or convolution; name layers= yourself"
        )
    for name, parameter in found.items():
        if not np.isfinite(parameter.array).all():
            raise ArgumentError(f"{what}: {name} holds nan or inf, which cannot be ranked")
    return found


def names(what: str, layers: Any) -> list[str]:
    """`layers` as a list of names; ArgumentError for a single one, which would come letter by letter."""
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise ArgumentError(f"{what}: layers is a row of names, not {layers!r}")
    return list(layers)


def share(what: str, name: str, value: Any, top: bool = True) -> float:
    """`value` as a float from 0 to 1 (below 1 unless `top`); ArgumentError otherwise."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1 or (value == 1 and not top):
        raise ArgumentError(
            f"{what}: {name} is a share from 0 to 1{'' if top else ', 1 excluded'}, not {value!r}"
        )
    return float(value)


def replace_module(model: Module, name: str, new: Module) -> None:
    """Put `new` in the place of the module of that dotted name, wherever it stands, in `model` itself.

    Raises ArgumentError for "" (the model cannot be replaced in itself) or a name that is none.
    """
    old = model.get_submodule(name)
    if old is model:
        raise ArgumentError("replace_module: the model itself cannot be replaced in itself")
    for parent in list(model.modules()):
        for key, child in list(parent._parts()):
            if child is not old:
                continue
            if isinstance(parent, ModuleDict):
                parent[key] = new
            elif isinstance(parent, Sequential | ModuleList) and key not in parent.__dict__:
                keys = [name for name, part in parent._parts() if isinstance(part, Module)]
                parent[keys.index(key)] = new
            else:
                setattr(parent, key, new)


def uses(model: Module) -> Iterator[tuple[int, str]]:
    """(id of a tensor, dotted name) for each way to a parameter: a tied one comes several times."""
    for name, parameter in model.named_parameters(remove_duplicate=False):
        yield id(parameter), name


def _weight_axes(module: Module) -> int:
    weight = module.__dict__.get("weight")
    return weight.ndim if isinstance(weight, Parameter) else 0
