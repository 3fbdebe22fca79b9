"""Optimizer: reads `.grad` of its parameters and moves them. It never knows who wrote the gradient.

    class SignSGD(Optimizer):
        ranges = {"lr": NONNEGATIVE}

        def __init__(self, params, lr=1e-3):
            super().__init__(params, {"lr": lr})

        def update(self, tile, group, clock):
            tile.values -= group["lr"] * np.sign(tile.grads)

`update` is the whole of an optimizer: it sees 1-D stretches of parameters, gradients and state, and neither knows
nor cares whether a stretch is one parameter, a piece of one, or a thousand of them in a flat buffer. Stretches of a
large model are updated side by side, by several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tt_optim import state
from tt_optim.flat import TILE, Scratch, Tile
from tt_optim.layout import Layout
from tt_optim.param_groups import Group, Params, check_params, groups_of, parameters_of
from tt_optim.ranges import FLAG, Range
from tt_optim.segments import Clock
from tt_tensor import Tensor, memory, observing
from tt_tensor.errors import ArgumentError, DTypeError
from tt_tensor.tensor import wrap

__all__ = ["Optimizer", "check_execution"]


def check_execution(who: str, given: Mapping[str, Any]) -> None:
    """Pass over the arguments of PyTorch's that choose how a step runs, not what it computes.

    Raises DTypeError for any other name, ArgumentError for differentiable=True.
    """
    for name in given:
        if name not in state.TORCH_ONLY:
            raise DTypeError(f"{who}: there is no argument {name!r}")
    if given.get("differentiable"):
        raise ArgumentError(
            f"{who}: differentiable=True is not here: a step writes into the parameters, and no gradient goes through "
            "it; write θ − lr·g with tensor operations"
        )


class Optimizer:
    """The base of all optimizers, with PyTorch's interface.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts {"params": ..., option: value} with options of their own.
        defaults: the options of groups that do not say otherwise.

    Those that PyTorch has, too, take its foreach=, fused=, capturable= and differentiable=False, without effect: so its
    programs need no change. How a step runs here depends on the parameters' sizes only.

    Options live in `param_groups`, a list of dicts; a changed value (`group["lr"] = 0.1`) counts from the next
    step on. A parameter whose gradient is None sits the step out: neither its value nor its state changes.

    Raises DTypeError for what is no floating Tensor, ArgumentError for parameters that appear twice and for
    options out of range, InPlaceError for read-only memory.
    """

    ranges: ClassVar[Mapping[str, Range]] = {}
    """Option → what it may be; every optimizer adds `maximize` by itself if it has one."""

    state_names: ClassVar[tuple[str, ...]] = ()
    """The arrays an optimizer may keep for a parameter, in PyTorch's names."""

    clock_names: ClassVar[tuple[str, ...]] = ()
    """What of the clock belongs to the saved state: "step", "mu_product"."""

    keeps_from_start: ClassVar[bool] = False
    """Whether there is state before the first step (Adagrad)."""

    scratch_count: ClassVar[int] = 2
    """How many temporary arrays `update` needs."""

    tile: ClassVar[int | None] = TILE
    """How many numbers `update` sees at most; None: always one whole parameter, one after the other."""

    defaults: Group
    param_groups: list[Group]
    initial_state: dict[str, float]

    def __init__(self, params: Params, defaults: Group) -> None:
        self.initial_state = {}
        self.defaults = dict(defaults)
        self.check(self.defaults)
        self.param_groups = []
        self.scratch = Scratch(self.scratch_count)
        self._layouts: list[Layout] = []
        for group in groups_of(type(self).__name__, params):
            self.add_param_group(group)

    # --- what an optimizer is made of -----------------------------------------------------------------------

    def update(self, tile: Tile, group: Group, clock: Clock) -> None:
        """Move `tile.values` against `tile.grads`. `clock[0]` is the number of this step, from 1."""
        raise NotImplementedError(f"{type(self).__name__} has no update(): write its formula there")

    def update_pieces(
        self,
        values: np.ndarray,
        grads: Sequence[np.ndarray],
        state: Mapping[str, np.ndarray],
        group: Group,
        clock: Clock,
    ) -> bool:
        """The whole of a flat segment in one pass, its gradients in pieces, if there is a kernel for that.

        False, and nothing done, where there is none: then `update` is asked, tile by tile.
        """
        return False

    def tick(self, clock: Clock, group: Group) -> Clock:
        """The clock of the step that begins."""
        return clock[0] + 1, clock[1]

    def required_state(self, group: Group) -> Iterable[str]:
        """The arrays without which a saved state of this group is not complete."""
        return self.state_names

    def check(self, group: Group) -> None:
        """Bring the options of a group to their types. Raises ArgumentError, DTypeError naming the option."""
        who = type(self).__name__
        for name, allowed in self.ranges.items():
            if name in group:
                group[name] = allowed(f"{who}: {name}", group[name])
        if "maximize" in group:
            group["maximize"] = FLAG(f"{who}: maximize", group["maximize"])

    def check_params(self, params: list[Any], others: Iterable[Tensor] = ()) -> None:
        """Raise a typed error for parameters that this optimizer cannot move."""
        check_params(type(self).__name__, params, others)

    def gradient(self, tile: Tile, group: Group) -> np.ndarray:
        """g, −g to maximize, and + weight_decay · θ where that is coupled. Uses both scratch arrays."""
        grad = tile.grads
        if group["maximize"]:
            grad = np.negative(grad, tile.scratch[0])
        if weight_decay := group["weight_decay"]:
            decay = np.multiply(tile.values, float(weight_decay), tile.scratch[1])
            grad = np.add(grad, decay, tile.scratch[0])
        return grad

    # --- PyTorch's interface --------------------------------------------------------------------------------

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own, e.g. layers that are thawed later.

        Raises as the constructor does; then nothing was added.
        """
        who = type(self).__name__
        if not isinstance(param_group, Mapping):
            raise DTypeError(f"{who}: a parameter group must be a dict, not {type(param_group).__name__}")
        group = dict(param_group)
        group["params"], names = parameters_of(who, group)
        if names is not None:
            group["param_names"] = names
        if self.param_groups and ("param_names" in group) != ("param_names" in self.param_groups[0]):
            raise ArgumentError(f"{who}: name the parameters of all groups, or of none")
        self.check_params(group["params"], (p for other in self.param_groups for p in other["params"]))
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.check(group)
        layout = Layout(self, group)
        self.param_groups.append(group)
        self._layouts.append(layout)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient. Returns what `closure` returns, which is called first."""
        loss = None if closure is None else closure()
        if len(self.param_groups) != len(self._layouts):
            raise ArgumentError(f"{type(self).__name__}: use add_param_group() to change the list of groups")
        observer = observing.active
        if observer is not None:
            started = observing.clock()
        for group, layout in zip(self.param_groups, self._layouts, strict=True):
            layout.step(self, group)
        if observer is not None:
            observer.span(self, started)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients (or, with set_to_none=False, fill them with zeros where they are)."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                elif p.grad is not None:
                    array = p.grad.array
                    if array.flags.writeable:
                        array.fill(0)
                        memory.mark_written(array)
                    else:
                        p.grad = wrap(np.zeros_like(array))

    @property
    def state(self) -> state.State:
        """Parameter → {name: Tensor}, the arrays being views of the flat state."""
        return state.State(self, self._layouts)

    def state_dict(self) -> dict[str, Any]:
        """{"state": {index: {name: Tensor}}, "param_groups": [{option: value, "params": [index]}]}.

        PyTorch's structure; the index counts the parameters over all groups. A snapshot: copies.
        """
        return state.save(self, self._layouts)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where a `state_dict()` was taken, ours or PyTorch's. Copies; all of it or nothing.

        Raises ArgumentError for what is missing, unexpected or out of range, ShapeError and DTypeError for
        arrays that do not fit their parameter; each names the entry.
        """
        state.restore(self, self._layouts, state_dict)

    # --- copies ---------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in self.__dict__.items() if name not in ("_layouts", "scratch")}
        kept["_members"] = [
            [
                (layout.clock_of(at), {name: array.copy() for name, array in layout.state_of(at).items()})
                for at in range(len(layout.params))
            ]
            for layout in self._layouts
        ]
        return kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        members = kept.pop("_members")
        self.__dict__.update(kept)
        self.scratch = Scratch(self.scratch_count)
        self._layouts = [Layout(self, group) for group in self.param_groups]
        for layout, saved in zip(self._layouts, members, strict=True):
            layout.load(saved)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for index, group in enumerate(self.param_groups):
            count = sum(p.size for p in group["params"])
            lines.append(f"  group {index}: {len(group['params'])} tensors, {count:,} numbers")
            lines += [
                f"    {name}: {group[name]}"
                for name in sorted(group)
                if name not in ("params", "param_names")
            ]
        return "\n".join([*lines, ")"])
