"""What a model is made of: layers, output shapes, parameters, memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_nn.module import Module
from tt_tensor import Tensor, as_tensor, memory
from tt_tensor.errors import ArgumentError

__all__ = ["LayerRow", "Summary", "summary"]


@dataclass(frozen=True)
class LayerRow:
    """One module of a summary."""

    name: str
    """Its dotted name; "" for the model itself."""
    kind: str
    """Its class."""
    depth: int
    output_shape: tuple[int, ...] | None
    """Shape of what its last call returned; None if it was not called or returned no tensor."""
    parameters: int
    """Elements of its own parameters, without its children's; tied ones count where they come first."""
    trainable: int
    """Those of them that require a gradient."""


@dataclass(frozen=True)
class Summary:
    """What `summary` found; `print` shows it as a table."""

    layers: list[LayerRow]
    parameters: int
    """All parameters' elements, each tensor once."""
    trainable: int
    parameter_bytes: int
    buffer_bytes: int
    activation_bytes: int | None
    """Bytes of all layers' outputs for this input, memory that is shared counted once; None without an input."""

    def __str__(self) -> str:
        from rich.console import Console
        from rich.table import Table

        table = Table()
        table.add_column("layer")
        table.add_column("output shape")
        table.add_column("parameters", justify="right")
        for row in self.layers:
            name = row.name.rpartition(".")[2]
            label = f"{name}: {row.kind}" if name else row.kind
            shape = "" if row.output_shape is None else str(row.output_shape)
            table.add_row("  " * row.depth + label, shape, f"{row.parameters:,}" if row.parameters else "")
        console = Console(width=100, no_color=True, force_terminal=False, legacy_windows=False)
        with console.capture() as capture:
            console.print(table)
        frozen = self.parameters - self.trainable
        lines = [
            f"parameters: {self.parameters:,} ({self.trainable:,} trainable, {frozen:,} frozen), "
            f"{_bytes(self.parameter_bytes)}"
        ]
        if self.buffer_bytes:
            lines.append(f"buffers: {_bytes(self.buffer_bytes)}")
        if self.activation_bytes is not None:
            lines.append(f"activations: {_bytes(self.activation_bytes)}")
        return capture.get() + "\n".join(lines)

    __repr__ = __str__


def summary(model: Module, *inputs: Any, input_size: tuple[int, ...] | None = None) -> Summary:
    """Layers, output shapes, parameters and memory of `model`.

    Args:
        inputs: what to call the model with, to see the shapes that come out (in eval mode; the mode each
            module was in is restored). Without any, shapes and activations are left out.
        input_size: instead of inputs, the shape of one, batch first; zeros are fed, in the dtype of the
            parameters. A tuple of ints in the place of an input is taken for it.

    Activation memory is what the outputs of all layers hold; a view (Flatten, Identity) adds nothing.

        print(summary(model, input_size=(32, 784)))
    """
    only: Any = inputs[0] if len(inputs) == 1 else None
    if isinstance(only, tuple) and all(isinstance(size, int) for size in only):
        inputs, input_size = (), only
    if input_size is not None:
        if inputs:
            raise ArgumentError("summary: give inputs or input_size, not both")
        first = next((p for p in model.parameters() if p.dtype.kind == "f"), None)
        inputs = (np.zeros(input_size, np.float32 if first is None else first.dtype),)
    shapes: dict[int, tuple[int, ...]] = {}
    kept: dict[int, Any] = {}
    if inputs:
        tensors = [as_tensor(x) for x in inputs]
        given = {id(next(memory.owners(x.array))) for x in tensors}
        _run(model, tensors, shapes, kept)
        for key in given:
            kept.pop(key, None)
    rows: list[LayerRow] = []
    counted: set[int] = set()
    for name, module in model.named_modules():
        own = [p for _, p in module._own_parameters() if id(p) not in counted]
        counted.update(id(p) for p in own)
        rows.append(
            LayerRow(
                name=name,
                kind=type(module).__name__,
                depth=name.count(".") + 1 if name else 0,
                output_shape=shapes.get(id(module)),
                parameters=sum(p.size for p in own),
                trainable=sum(p.size for p in own if p.requires_grad),
            )
        )
    return Summary(
        layers=rows,
        parameters=sum(row.parameters for row in rows),
        trainable=sum(row.trainable for row in rows),
        parameter_bytes=sum(p.nbytes for p in model.parameters()),
        buffer_bytes=sum(b.nbytes for b in model.buffers()),
        activation_bytes=sum(array.nbytes for array in kept.values()) if inputs else None,
    )


def _run(
    model: Module, inputs: list[Tensor], shapes: dict[int, tuple[int, ...]], kept: dict[int, Any]
) -> None:
    """Call the model once and note every module's output; `kept` holds the arrays that own their memory."""

    def note(module: Module, args: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            shapes[id(module)] = output.shape
            owner = next(memory.owners(output.array))
            kept[id(owner)] = owner

    modes = [(module, module.training) for module in model.modules()]
    hooks = [module.register_forward_hook(note) for module, _ in modes]
    try:
        model.eval()
        model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.2f} GiB"
