"""What an optimizer remembers, as others see it: the `state` mapping and the state dict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_optim.layout import Layout, working
from tt_optim.ranges import number
from tt_optim.segments import START, Clock
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError, TTError
from tt_tensor.tensor import as_array, wrap

if TYPE_CHECKING:
    from tt_optim.optimizer import Optimizer

__all__ = ["State", "restore", "save"]

Member = tuple[Clock, dict[str, np.ndarray]]

TORCH_ONLY = ("foreach", "fused", "capturable", "differentiable")
"""Options of PyTorch's that choose how a step is executed, not what it computes: passed over when loading."""


class State(Mapping[Tensor, dict[str, Tensor]]):
    """Parameter → {name: Tensor}. The arrays are views: writing into one writes into the optimizer's state."""

    def __init__(self, optimizer: Optimizer, layouts: list[Layout]) -> None:
        self.optimizer = optimizer
        self.places = {id(p): (layout, at) for layout in layouts for at, p in enumerate(layout.params)}
        self.params = [p for layout in layouts for p in layout.params]

    def __getitem__(self, parameter: Tensor) -> dict[str, Tensor]:
        if id(parameter) not in self.places:
            raise KeyError(f"{type(self.optimizer).__name__} does not optimize this tensor")
        return entry(self.optimizer, *self.places[id(parameter)])

    def __contains__(self, parameter: object) -> bool:
        return id(parameter) in self.places and bool(entry(self.optimizer, *self.places[id(parameter)]))

    def __iter__(self) -> Iterator[Tensor]:
        return (p for p in self.params if p in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"State of {len(self)} parameters: {', '.join(self.optimizer.state_names) or 'nothing'}"


def entry(optimizer: Optimizer, layout: Layout, at: int) -> dict[str, Tensor]:
    """The state of one parameter; {} if it has none yet."""
    clock = layout.clock_of(at)
    if clock[0] == 0 and not optimizer.keeps_from_start:
        return {}
    values = dict(zip(("step", "mu_product"), clock, strict=True))
    found = {name: wrap(np.array(values[name], np.float32)) for name in optimizer.clock_names}
    arrays = layout.state_of(at)
    if optimizer.keeps_from_start and not arrays:
        shape = layout.params[at].shape
        arrays = {
            name: np.full(shape, value, layout.params[at].dtype)
            for name, value in optimizer.initial_state.items()
        }
    found.update((name, wrap(array)) for name, array in arrays.items())
    return found


def save(optimizer: Optimizer, layouts: list[Layout]) -> dict[str, Any]:
    """The state dict: copies, with the index of a parameter over all groups for the parameter itself."""
    state: dict[int, dict[str, Tensor]] = {}
    groups = []
    first = 0
    for group, layout in zip(optimizer.param_groups, layouts, strict=True):
        count = len(layout.params)
        for at in range(count):
            if found := entry(optimizer, layout, at):
                state[first + at] = {name: wrap(tensor.array.copy()) for name, tensor in found.items()}
        saved = {name: value for name, value in group.items() if name != "params"}
        if "param_names" in saved:
            saved["param_names"] = list(saved["param_names"])
        groups.append({**saved, "params": list(range(first, first + count))})
        first += count
    return {"state": state, "param_groups": groups}


def restore(optimizer: Optimizer, layouts: list[Layout], state_dict: Mapping[str, Any]) -> None:
    """Read all of a state dict, then put it into place."""
    who = f"{type(optimizer).__name__}.load_state_dict"
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        raise ArgumentError(f'{who}: a state dict has the keys "state" and "param_groups"')
    saved, state = state_dict["param_groups"], state_dict["state"]
    if not isinstance(saved, list | tuple) or not isinstance(state, Mapping):
        raise ArgumentError(f'{who}: "param_groups" must be a list and "state" a mapping')
    if len(saved) != len(layouts):
        raise ArgumentError(
            f"{who}: {len(saved)} parameter groups were saved, but this optimizer has {len(layouts)}"
        )
    groups, members, known = [], [], set()
    for index, (old, layout) in enumerate(zip(saved, layouts, strict=True)):
        group = read_group(optimizer, f"{who}: group {index}", old, optimizer.param_groups[index])
        indices = old["params"]
        if len(indices) != len(layout.params):
            raise ArgumentError(
                f"{who}: group {index} was saved with {len(indices)} parameters, but here it has {len(layout.params)}"
            )
        loaded = []
        for at, key in enumerate(indices):
            where = f"{who}: group {index}, {layout.name(at)}"
            loaded.append(read_member(optimizer, where, group, layout.params[at], state.get(key)))
        known.update(indices)
        groups.append(group)
        members.append(loaded)
    if unknown := [key for key in state if key not in known]:
        raise ArgumentError(f"{who}: there is state for parameters {unknown}, which no group lists")
    for layout, loaded in zip(layouts, members, strict=True):
        layout.load(loaded)
    for group, new in zip(optimizer.param_groups, groups, strict=True):
        params, names = group["params"], group.get("param_names")
        group.clear()
        group.update(params=params, **new)
        if names is not None:
            group["param_names"] = names


def read_group(optimizer: Optimizer, where: str, old: Any, current: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a saved group, checked."""
    if not isinstance(old, Mapping) or not isinstance(old.get("params"), list | tuple):
        raise ArgumentError(f'{where} must be a dict with a list of indices under "params"')
    missing = [name for name in optimizer.defaults if name not in old]
    if missing:
        raise ArgumentError(
            f"{where} lacks {', '.join(missing)}: it was saved by another optimizer than {type(optimizer).__name__}"
        )
    left_out = ("params", "param_names", *(name for name in TORCH_ONLY if name not in current))
    group = {name: value for name, value in old.items() if name not in left_out}
    try:
        optimizer.check(group)
    except TTError as error:
        raise type(error)(f"{where}: {error}") from error
    return group


def read_member(optimizer: Optimizer, where: str, group: dict[str, Any], p: Tensor, old: Any) -> Member:
    """Clock and arrays of one parameter, checked against its shape."""
    if old is None or (isinstance(old, Mapping) and all(value is None for value in old.values())):
        return START, {}
    if not isinstance(old, Mapping):
        raise ArgumentError(f"{where}: its state must be a dict of arrays, not {type(old).__name__}")
    allowed = (*optimizer.clock_names, *optimizer.state_names)
    if unexpected := [name for name in old if name not in allowed]:
        raise ArgumentError(
            f"{where}: unexpected state {unexpected}; {type(optimizer).__name__} keeps {list(allowed)}"
        )
    needed = (*optimizer.clock_names, *optimizer.required_state(group))
    if missing := [name for name in needed if old.get(name) is None]:
        raise ArgumentError(f"{where}: its state lacks {missing}")
    step, mu_product = 1.0, 1.0
    if "step" in optimizer.clock_names:
        step = number(f"{where}: step", old["step"])
        if not (step >= 0 and step == math.floor(step) < 2**53):
            raise ArgumentError(f"{where}: step must be a whole number of at least 0, not {step}")
    if "mu_product" in optimizer.clock_names:
        mu_product = number(f"{where}: mu_product", old["mu_product"])
    arrays = {}
    for name in optimizer.state_names:
        if old.get(name) is None:
            continue
        array = as_array(old[name], f"{where}: {name}")
        if array.shape != p.shape:
            raise ShapeError(f"{where}: {name} has shape {array.shape}, but the parameter has {p.shape}")
        if array.dtype.kind != "f":
            raise DTypeError(f"{where}: {name} is {array.dtype}, not of a floating dtype")
        arrays[name] = array.astype(working(p.dtype))
    return (int(step), mu_product), arrays
