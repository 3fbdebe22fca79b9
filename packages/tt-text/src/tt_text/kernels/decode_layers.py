"""All layers of a transformer for a few new tokens, as one operation of the table.

    decode_layers(x, layers, memory, first, stop, mask) = decode_layer of each layer, one after the other

with x (N, T, C), layers as `Layers`; memory: for each layer keys and values (N', G, room, D) of a cache, N' ≥ N, of
which tokens first ≤ s < stop are seen: the last T are the new ones, whose places are written to, and each sees those up
to itself; mask (N, stop - first) or None. For T > 1 a kernel may give None: then layers are called one by one.

What Python looks at between two layers is not in a cache any more when the weights of a layer have come by; so one call
for all saves more than calls cost by themselves. `Plan` knows whether a model is still what it was at the last token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter, is_
from typing import Any

import numpy as np

from tt_nn import Module
from tt_tensor import Tensor, kernels
from tt_text.kernels.decode import decode_layer_loops, decode_layer_numpy
from tt_text.kernels.decode_row import decode_row, suits

__all__ = ["Layers", "Plan", "decode_layers_numpy", "is_row"]


class Layers:
    """What decode_layer takes of each layer.

    Who passes the same object again says that modules and arrays are the same, though not the numbers in them; so a
    kernel may keep in `prepared` what it made of it.

    Args:
        parts: for each layer (scale_1, shift_1, eps_1, qkv, qkv_bias), factor, (out, out_bias, …, down_bias).
    """

    __slots__ = ("parts", "prepared", "rows")

    def __init__(self, parts: Sequence[tuple[tuple[Any, ...], float, tuple[Any, ...]]]) -> None:
        self.parts = parts
        self.prepared: Any = None
        self.rows: Any = None
        """What decode_row.py keeps: its own, because kernels may take turns."""


_arrays: Callable[[Any], Any] = attrgetter("array")


class Plan:
    """`Layers` made of these modules, for as long as the modules are as they were. A copy of a model makes its own.

    Args:
        blocks: the model's, each of which is a layer.
        modules: all that they are made of, none of which has hooks.
        layers: the outcome.
    """

    def __init__(self, blocks: Iterable[Module], modules: Iterable[Module], layers: Layers) -> None:
        self.layers = layers
        self._blocks = list(blocks)
        self._modules = list(modules)
        self._classes = [module.__class__ for module in self._modules]
        self._now = [module.__dict__ for module in self._modules]
        self._then = [dict(found) for found in self._now]
        self._tensors = [one for found in self._now for one in found.values() if isinstance(one, Tensor)]
        self._held = [tensor.array for tensor in self._tensors]

    def holds(self, blocks: Iterable[Module]) -> bool:
        """Are these the blocks, and is every module what it was, on the same memory?"""
        now = list(blocks)
        try:
            return (
                len(now) == len(self._blocks)
                and all(map(is_, now, self._blocks))
                and self._now == self._then  # what is the same object is not compared further
                and [*map(type, self._modules)] == self._classes
                and all(map(is_, map(_arrays, self._tensors), self._held))
            )
        except Exception:  # what was put in the place of another compares in a way of its own
            return False

    def __deepcopy__(self, memo: Any) -> None:
        return None


def _one_by_one(kernel: Any, x: Any, layers: Layers, held: Any, first: int, stop: int, mask: Any) -> Any:
    n, t = len(x), x.shape[1]
    if t != 1:  # token after token
        mask = np.ones((n, stop - first), bool) if mask is None else mask
        stops = range(stop - t + 1, stop + 1)
        ones = [
            _one_by_one(kernel, x[:, i : i + 1], layers, held, first, s, mask[:, : s - first])
            for i, s in enumerate(stops)
        ]
        return np.concatenate(ones, axis=1) if ones else x
    for (front, factor, rest), (keys, values) in zip(layers.parts, held, strict=True):
        seen = keys[:n, :, first:stop], values[:n, :, first:stop]
        x = kernel(x, *front, *seen, mask, factor, *rest)
    return x


def is_row(x: Any) -> bool:
    """Is it one token, in float32?"""
    return x.shape[:2] == (1, 1) and x.dtype.char == "f"


def decode_layers_loops(x: Any, layers: Layers, held: Any, first: int, stop: int, mask: Any) -> Any:
    """Layer by layer, by the loops."""
    return _one_by_one(decode_layer_loops, x, layers, held, first, stop, mask)


def decode_layers_numpy(x: Any, layers: Layers, held: Any, first: int, stop: int, mask: Any) -> Any:
    """The same by whole arrays; for one new token of one text in few calls, see decode_row.py."""
    if mask is None and is_row(x) and len(held) == len(layers.parts) and suits(layers):
        y = decode_row(x, layers, held, first, stop)
        if y is not None:
            return y
    return _one_by_one(decode_layer_numpy, x, layers, held, first, stop, mask)


kernels.register("decode_layers", "loops", decode_layers_loops)
kernels.register("decode_layers", "numpy", decode_layers_numpy, default=True)
