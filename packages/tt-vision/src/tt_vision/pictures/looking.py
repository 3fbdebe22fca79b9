"""A look inside: what a layer gives while a network sees an image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tt_nn import Module
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.tensor import wrap

__all__ = ["class_probabilities", "evaluating", "looked_at", "submodule"]


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """`model` in evaluation; afterwards each of its modules is in the mode in which it was."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def submodule(model: Any, layer: Any, where: str) -> Module:
    """The module `layer` of `model`: it, or the one of that dotted name.

    Raises DTypeError for what is no Module, ArgumentError for a name that is not there.
    """
    if not isinstance(model, Module):
        raise DTypeError(f"{where}: the model is a Module, not {type(model).__name__}")
    if isinstance(layer, Module):
        return layer
    names = [name for name, _ in model.named_modules() if name]
    if layer not in names:
        raise ArgumentError(f"{where}: no layer {layer!r}; there are {', '.join(names) or 'none'}")
    return model.get_submodule(layer)


def looked_at(model: Module, images: Any, layer: Module, where: str) -> tuple[Any, Any]:
    """What `layer` gave last, and what `model` gives, for images (N, C, H, W), in evaluation, as arrays.

    Raises ArgumentError for a layer that did not run.
    """
    found: list[Any] = []
    handle = layer.register_forward_hook(lambda module, args, output: found.append(output))
    try:
        with evaluating(model):
            output = model(wrap(images))
    finally:
        handle.remove()
    if not found or not isinstance(found[-1], Tensor):
        raise ArgumentError(f"{where}: {type(layer).__name__} gave no Tensor while the model ran")
    return found[-1].array, output.array


def class_probabilities(logits: Any, where: str) -> Any:
    """softmax of logits (N, K), in float64. Raises ShapeError for other shapes."""
    if logits.ndim != 2 or not logits.size:
        raise ShapeError(f"{where}: the model gives {logits.shape}, not the scores (N, K) of K classes")
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
