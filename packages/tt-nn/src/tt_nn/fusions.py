"""Layers that run together: a table that Sequential looks into, filled by the wheels that have such layers.

    fusions[BatchNorm2d] = fused

For a layer of that type at place `at`, fused(layers, at) says how many layers could run as one, itself included, and
how: (count, forward), where forward(x) gives the result and how many layers it ran, or x and 0 where it ran none. None:
the layer runs alone. Sequential asks only where nobody could tell: a tape records, or rules gradients out
(`inference_mode`), or the code around it says so (`one_way`), so that nobody sends one back by hand through one of
them, and none has a hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tt_tensor import recorder

__all__ = ["Fused", "forward", "fusions", "one_way"]

Fused = tuple[int, Callable[[Any], tuple[Any, int]]]

fusions: dict[type, Callable[[list[Any], int], Fused | None]] = {}
"""The type of the first layer → what runs with it. Look-ups are by type, so a subclass is on its own."""


_one_way: ContextVar[bool] = ContextVar("tt_nn_one_way", default=False)


@contextmanager
def one_way() -> Iterator[None]:
    """A block in which nobody sends gradients back by hand: code that only predicts, in this thread and task.

    Other than in `inference_mode`, what a model itself records inside works as ever.
    """
    token = _one_way.set(True)
    try:
        yield
    finally:
        _one_way.reset(token)


def run_of(layers: list[Any], at: int) -> Callable[[Any], tuple[Any, int]] | None:
    """How the layers from `at` on run together; None where they do not, or where somebody looks at each."""
    if not (recorder.recording() or _one_way.get()) and recorder.by_hand():
        return None
    found = fusions[type(layers[at])](layers, at)
    if found is None:
        return None
    count, forward = found
    together = layers[at : at + count]
    return None if any(layer._forward_hooks or "forward" in layer.__dict__ for layer in together) else forward


def forward(layers: list[Any], x: Any) -> Any:
    """x through the layers one after the other, or several at once."""
    at = 0
    while at < len(layers):
        layer = layers[at]
        together = run_of(layers, at) if type(layer) in fusions else None
        if together is None:
            x = layer.__call__(x)
            at += 1
            continue
        x, count = together(x)
        if not count:
            x = layer.__call__(x)
            at += 1
            continue
        for layer in layers[at : at + count]:
            layer.__dict__.pop("_applied", None)  # as a layer does whose Function a tape recorded
        at += count
    return x
