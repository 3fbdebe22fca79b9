"""model_report: what a model weighs and what a step of it takes: parameters, memory for training, FLOPs.

    memory of a training step = parameters + gradients + what the optimizer keeps + activations kept for backward

Adam keeps two numbers for each parameter, so that with the gradient four are held: this is where memory goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_nn import Module
from tt_perf import words
from tt_perf.profiling.events import FORWARD, MODULE, Event
from tt_perf.profiling.flops import counted
from tt_perf.profiling.nesting import Node, nested
from tt_perf.profiling.rows import walk
from tt_tensor import Function, Tensor, as_tensor, memory, observing
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["LayerReport", "ModelReport", "model_report"]

COPIES = {
    "sgd": 0,
    "momentum": 1,
    "rmsprop": 1,
    "adagrad": 1,
    "lion": 1,
    "muon": 1,
    "adadelta": 2,
    "adam": 2,
    "adamw": 2,
    "nadam": 2,
}
"""Numbers that an optimizer keeps for each parameter."""


@dataclass(frozen=True)
class LayerReport:
    """One module, without its parts: those have rows of their own, and all rows add up."""

    path: str
    """Its dotted name; "" for the model itself."""
    kind: str
    parameters: int
    parameter_bytes: int
    output_shape: tuple[int, ...] | None
    """Of its last call; None where it was not called, or gave no tensor."""
    activation_bytes: int
    """What its Functions keep for their rules; memory that several keep counts for the first."""
    forward_flops: int
    backward_flops: int


@dataclass(frozen=True)
class ModelReport:
    """What `model_report` found; `print` it for a table."""

    layers: list[LayerReport]
    parameters: int
    trainable: int
    parameter_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    """One number for each that is trained."""
    optimizer: str
    optimizer_bytes: int
    activation_bytes: int
    forward_flops: int
    backward_flops: int
    counted: bool
    """False where a Function has no formula: then an element counts as one operation."""

    @property
    def flops(self) -> int:
        """Of a training step, the optimizer's left out."""
        return self.forward_flops + self.backward_flops

    @property
    def training_bytes(self) -> int:
        """Memory of a training step: parameters, buffers, gradients, optimizer, activations."""
        held = self.parameter_bytes + self.buffer_bytes + self.gradient_bytes
        return held + self.optimizer_bytes + self.activation_bytes

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, strings, lists and dicts."""
        found = {**vars(self), "flops": self.flops, "training_bytes": self.training_bytes}
        layers = [
            {**vars(row), "output_shape": None if row.output_shape is None else list(row.output_shape)}
            for row in self.layers
        ]
        return {**found, "layers": layers}

    def table(self) -> Any:
        """A rich table, a row a module."""
        from rich.table import Table

        table = Table()
        for name in ("layer", "output", "parameters", "activations", "FLOPs forward", "backward"):
            table.add_column(name, justify="left" if name in ("layer", "output") else "right", no_wrap=True)
        for row in self.layers:
            depth, name = (row.path.count(".") + 1, row.path.rpartition(".")[2]) if row.path else (0, "")
            table.add_row(
                "  " * depth + (f"{name}: {row.kind}" if name else row.kind),
                "" if row.output_shape is None else " × ".join(map(str, row.output_shape)),
                f"{row.parameters:,}" if row.parameters else "",
                words.in_bytes(row.activation_bytes) if row.activation_bytes else "",
                words.amount(row.forward_flops) if row.forward_flops else "",
                words.amount(row.backward_flops) if row.backward_flops else "",
            )
        table.add_section()
        table.add_row(
            "all",
            "",
            f"{self.parameters:,}",
            words.in_bytes(self.activation_bytes),
            words.amount(self.forward_flops),
            words.amount(self.backward_flops),
        )
        return table

    def __str__(self) -> str:
        from tt_perf.profiling.table import rendered

        parts = [
            ("parameters", self.parameter_bytes),
            ("buffers", self.buffer_bytes),
            ("gradients", self.gradient_bytes),
            (f"optimizer ({self.optimizer})", self.optimizer_bytes),
            ("activations", self.activation_bytes),
        ]
        shown = ", ".join(f"{name} {words.in_bytes(size)}" for name, size in parts if size)
        lines = [
            rendered(self.table()),
            f"memory of a training step: {words.in_bytes(self.training_bytes)}: {shown}",
        ]
        if not self.counted:
            lines.append("some Functions have no formula: one operation an element")
        return "\n".join(lines)


def model_report(model: Module, *inputs: Any, optimizer: Any = "adam") -> ModelReport:
    """Parameters, memory and FLOPs of `model`, by module, for these inputs: the model is called once.

    It is called as it is, in training or evaluation, and its buffers (running statistics) are put back. No gradient
    is computed: what backward takes follows from the formulas, and what it needs is what the Functions hold.

    Args:
        inputs: what to call the model with; Tensors, arrays, or anything it takes.
        optimizer: the name of one ("sgd", "momentum", "adam", …), how many numbers it keeps for each parameter, or an
            optimizer itself, whose state is measured.

    Raises DTypeError for what is no Module, ArgumentError for no inputs and for an optimizer that is not known.
    """
    if not isinstance(model, Module):
        raise DTypeError(f"model_report: expected a Module, got {type(model).__name__}")
    if not inputs:
        raise ArgumentError("model_report: give an input to call the model with; a batch of zeros will do")
    given = [as_tensor(x) if isinstance(x, np.ndarray) else x for x in inputs]
    seen = _observe(model, given)
    trainable = [p for p in model.parameters() if p.requires_grad]
    name, kept = _optimizer(optimizer, sum(p.nbytes for p in trainable))
    rows = _rows(model, seen, given)
    return ModelReport(
        layers=rows,
        parameters=sum(p.size for p in model.parameters()),
        trainable=sum(p.size for p in trainable),
        parameter_bytes=sum(p.nbytes for p in model.parameters()),
        buffer_bytes=sum(b.nbytes for b in model.buffers()),
        gradient_bytes=sum(p.nbytes for p in trainable),
        optimizer=name,
        optimizer_bytes=kept,
        activation_bytes=sum(row.activation_bytes for row in rows),
        forward_flops=sum(row.forward_flops for row in rows),
        backward_flops=sum(row.backward_flops for row in rows),
        counted=all(each.counted for each in seen.functions),
    )


@dataclass
class _Applied:
    """A Function that was applied, and what it takes."""

    function: Function
    needs_gradient: bool
    forward: int
    backward: int
    counted: bool


class _Forward:
    """An observer of one forward: the Functions, which it keeps, and the modules that called them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.functions: list[_Applied] = []
        self.outputs: dict[int, Any] = {}
        self.shapes: dict[int, tuple[int, ...]] = {}

    def applied(self, function: Function, inputs: tuple[Any, ...], output: Any, started: float) -> None:
        needs = tuple([self._wants(x) for x in inputs])
        work = counted(function, needs)
        # As the tape will have it: a Function with no input that wants a gradient is let go.
        recorded = any(needs) and output.dtype.kind == "f"
        if recorded:
            self.outputs[id(output)] = output
        self.functions.append(
            _Applied(function, recorded, work.forward, work.backward if recorded else 0, work.counted)
        )
        self.events.append(
            Event(FORWARD, started, observing.clock(), 0, len(self.functions) - 1, type(function))
        )

    def _wants(self, x: Any) -> bool:
        if not isinstance(x, Tensor) or x.array.dtype.kind != "f":
            return False
        return bool(x._requires_grad) or id(x.array) in self.outputs

    def sent_back(self, function: Function, grad: Any, gradients: tuple[Any, ...], started: float) -> None:
        pass

    def called(self, module: Any, started: float) -> None:
        self.events.append(Event(MODULE, started, observing.clock(), 0, id(module), module))

    def span(self, what: Any, started: float) -> None:
        pass


def _observe(model: Module, inputs: list[Any]) -> _Forward:
    """Call the model once, and put its buffers back."""
    seen = _Forward()
    kept = [(buffer, buffer.array.copy()) for buffer in model.buffers()]
    before = observing.install(seen)

    def note(module: Module, args: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            seen.shapes[id(module)] = output.shape

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    try:
        model(*inputs)
    finally:
        observing.install(before)
        for hook in hooks:
            hook.remove()
        for buffer, values in kept:
            buffer.write(values)
    return seen


def _rows(model: Module, seen: _Forward, inputs: list[Any]) -> list[LayerReport]:
    """A row for each module: what its own Functions take, and those outside of any module for the model itself."""
    forward: dict[int, int] = {}
    backward: dict[int, int] = {}
    kept: dict[int, int] = {}
    # What is there anyhow: the parameters, the buffers, the batch.
    known = {
        id(_owner(x.array)) for x in [*model.parameters(), *model.buffers(), *inputs] if isinstance(x, Tensor)
    }
    for node in walk(nested(seen.events)):
        if node.event.sort != FORWARD:
            continue
        key, each = _module_of(node, model), seen.functions[node.event.key]
        forward[key] = forward.get(key, 0) + each.forward
        backward[key] = backward.get(key, 0) + each.backward
        if not each.needs_gradient:
            continue
        for array in _arrays(each.function):
            owner = _owner(array)
            if id(owner) not in known:
                known.add(id(owner))
                kept[key] = kept.get(key, 0) + owner.nbytes
    rows: list[LayerReport] = []
    counted_once: set[int] = set()
    for path, module in model.named_modules():
        own = [p for _, p in module._own_parameters() if id(p) not in counted_once]
        counted_once.update(id(p) for p in own)
        key = id(module)
        rows.append(
            LayerReport(
                path=path,
                kind=type(module).__name__,
                parameters=sum(p.size for p in own),
                parameter_bytes=sum(p.nbytes for p in own),
                output_shape=seen.shapes.get(key),
                activation_bytes=kept.get(key, 0),
                forward_flops=forward.get(key, 0),
                backward_flops=backward.get(key, 0),
            )
        )
    return rows


def _module_of(node: Node, model: Module) -> int:
    """The innermost module that a Function was applied in."""
    ours = {id(module) for module in model.modules()} if node.parent is not None else set()
    while node.parent is not None:
        node = node.parent
        if node.event.sort == MODULE and node.event.key in ours:
            return node.event.key
    return id(model)


def _arrays(function: Function) -> Iterator[Any]:
    """The arrays that a Function keeps, in lists and tuples too."""
    stack = list(reversed(list(vars(function).values())))
    while stack:
        value = stack.pop()
        if isinstance(value, Tensor):
            yield value.array
        elif isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple | list):
            stack += reversed(value)


def _owner(array: Any) -> Any:
    return next(memory.owners(array))


def _optimizer(given: Any, trained: int) -> tuple[str, int]:
    """Its name, and the bytes that it keeps for parameters of `trained` bytes."""
    if isinstance(given, str):
        name = given.lower()
        if name not in COPIES:
            raise ArgumentError(f"model_report: no optimizer {given!r} is known; there are {sorted(COPIES)}")
        return name, COPIES[name] * trained
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return f"{given} numbers a parameter", given * trained
    state = getattr(given, "state", None)
    if state is None or not hasattr(state, "values"):
        raise ArgumentError(
            f"model_report: optimizer is a name, a number of numbers a parameter, or an optimizer, not {given!r}"
        )
    # A step counter of no axes is not worth a row.
    arrays: list[Any] = [x for kept in state.values() for x in kept.values() if getattr(x, "ndim", None)]
    return type(given).__name__, sum(x.nbytes for x in arrays)
