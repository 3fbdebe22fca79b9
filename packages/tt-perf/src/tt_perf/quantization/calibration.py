"""Calibration: the range of each layer's input, found by running data through the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tt_nn import Module
from tt_perf.quantization.observers import Observer, observer
from tt_tensor import recorder
from tt_tensor.errors import ArgumentError

__all__ = ["calibrate", "watch"]


def calibrate(
    model: Module, layers: Mapping[str, Module], batches: Iterable[Any], kind: str = "minmax"
) -> dict[str, tuple[float, int]]:
    """(scale, zero point) of the inputs of `layers`, by name, over what `batches` let through the model.

    Args:
        layers: of the model, by name; those whose inputs are integers (an Embedding's ids) are left out.
        batches: each an input of the model, or a tuple of several.
        kind: of the observers, "minmax", "percentile" or "mse".

    Raises ArgumentError where there are no batches, a layer was never reached, or an activation is NaN or infinite.
    """
    found = watch(model, layers, batches, kind)
    idle = [name for name, seen in found.items() if seen is not None and not seen.count]
    if idle:
        raise ArgumentError(
            f"calibrate: nothing reached {', '.join(idle)} while the calibration's inputs went through the model"
        )
    return {name: seen.scale() for name, seen in found.items() if seen is not None}


def watch(
    model: Module, layers: Mapping[str, Module], batches: Iterable[Any], kind: str
) -> dict[str, Observer | None]:
    """An observer of each layer's inputs, in evaluation and unrecorded; None for a layer that was fed integers."""
    found: dict[str, Observer | None] = {name: observer(kind) for name in layers}
    # A layer may stand under several names: what goes into it counts for all of them.
    names: dict[int, list[str]] = {}
    for name, layer in layers.items():
        names.setdefault(id(layer), []).append(name)

    def note(module: Module, args: tuple[Any, ...], output: Any) -> None:
        for name in names[id(module)]:
            seen, x = found[name], args[0]
            dtype = x.dtype if hasattr(x, "dtype") else None
            if dtype is None or dtype.kind != "f":
                found[name] = None
            elif seen is not None:
                try:
                    seen.observe(x)
                except ArgumentError as error:
                    raise ArgumentError(f"calibrate: the input of {name}: {error}") from error

    modes = [(module, module.training) for module in model.modules()]
    handles = [layer.register_forward_hook(note) for layer in dict.fromkeys(layers.values())]
    count = 0
    try:
        model.eval()
        with recorder.paused():
            for batch in batches:
                model(*(batch if isinstance(batch, tuple) else (batch,)))
                count += 1
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    if not count:
        raise ArgumentError("calibrate: there are no batches; an iterator that was used up before gives none")
    return found
