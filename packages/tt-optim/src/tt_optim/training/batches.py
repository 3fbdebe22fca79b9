"""What a batch is: (inputs, targets), or {"inputs": ..., "targets": ...}, or whatever your `forward` takes.

    for x, y in loader:             a pair: outputs = model(x), loss = loss_fn(outputs, y)
    for (a, b), y in loader:        inputs that are a tuple: model(a, b)
    for {"ids": i}, y in loader:    inputs that are a dict: model(ids=i)
    for x in loader:                inputs alone, for predict()

For anything else the Trainer takes `forward(model, batch)`, which returns (outputs, targets).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from tt_nn import Module
from tt_tensor import Tensor
from tt_tensor.errors import DTypeError, TTError

__all__ = [
    "BatchError",
    "Forward",
    "apply",
    "arrays_of",
    "fingerprint",
    "forward_of",
    "forward_pair",
    "pair",
    "raw",
    "rows",
]

Forward: TypeAlias = Callable[[Module, Any], tuple[Any, Any]]
"""forward(model, batch) → (outputs, targets), both as the loss takes them."""


class BatchError(TTError, TypeError):
    """A batch, or what is to give batches, is not of a kind that the Trainer can take apart."""


def raw(value: Any) -> np.ndarray:
    """The array of a Tensor, or of anything array-like."""
    return value.array if isinstance(value, Tensor) else np.asarray(value)


def pair(batch: Any) -> tuple[Any, Any]:
    """(inputs, targets) of a batch. Raises BatchError for what is neither a pair nor a dict of the two."""
    if batch.__class__ is tuple or isinstance(batch, list | tuple):
        if len(batch) == 2:
            return batch[0], batch[1]
        raise BatchError(
            f"a batch is a pair (inputs, targets), but this one has {len(batch)} parts; group the inputs, "
            "((a, b), targets), or tell the Trainer how: forward=lambda model, batch: (outputs, targets)"
        )
    if isinstance(batch, Mapping):
        if set(batch) == {"inputs", "targets"}:
            return batch["inputs"], batch["targets"]
        raise BatchError(
            f"a batch that is a dict has the keys 'inputs' and 'targets', this one has {sorted(map(str, batch))}; "
            "tell the Trainer what to do with it: forward=lambda model, batch: (outputs, targets)"
        )
    raise BatchError(
        f"a batch is a pair (inputs, targets), not {type(batch).__name__}; for a single batch pass [(x, y)]"
    )


def inputs_of(batch: Any) -> Any:
    """The inputs of a batch with or without targets."""
    return batch if isinstance(batch, Tensor | np.ndarray) else pair(batch)[0]


def apply(model: Module, inputs: Any) -> Any:
    """model(inputs), a tuple or a dict of inputs taken apart."""
    if inputs.__class__ is tuple:
        return model(*inputs)
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(inputs)


def forward_pair(model: Module, batch: Any) -> tuple[Any, Any]:
    """What the Trainer does with a batch unless it was told otherwise."""
    inputs, targets = pair(batch)
    return apply(model, inputs), targets


def forward_of(own: Any) -> Forward:
    """A user's `forward`, whose result is looked at.

    Raises DTypeError for what cannot be called; the function raises BatchError for what is not (outputs, targets).
    """
    if not callable(own):
        raise DTypeError(f"Trainer: forward is a function of (model, batch), not {type(own).__name__}")

    def forward(model: Module, batch: Any) -> tuple[Any, Any]:
        found = own(model, batch)
        if not isinstance(found, tuple | list) or len(found) != 2:
            what = f"{len(found)} things" if isinstance(found, tuple | list) else type(found).__name__
            raise BatchError(
                f"Trainer: forward returns (outputs, targets), as the loss takes them, not {what}"
            )
        return found[0], found[1]

    return forward


def arrays_of(batch: Any) -> Iterator[np.ndarray]:
    """Every array in a batch, in its order, however deep."""
    if isinstance(batch, Tensor):
        yield batch.array
    elif isinstance(batch, np.ndarray):
        yield batch
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from arrays_of(value)
    elif isinstance(batch, list | tuple):
        for value in batch:
            yield from arrays_of(value)


def rows(batch: Any) -> int:
    """How many samples: the first axis of the first array (1 where there is none)."""
    if batch.__class__ is tuple and batch and batch[0].__class__ is Tensor:  # nearly always
        shape = batch[0].array.shape
    else:
        shape = next((array.shape for array in arrays_of(batch)), ())
    return shape[0] if shape else 1


def fingerprint(batch: Any) -> int:
    """A checksum of the numbers of a batch: does a replayed loader give the same ones?"""
    total = 0
    for array in arrays_of(batch):
        total = zlib.crc32(f"{array.dtype.str}{array.shape}".encode(), total)
        if array.size and array.dtype.kind != "O":
            total = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, total)
    return total


def check_source(what: str, source: Any) -> None:
    """Raise for what gives no batches: BatchError for a Tensor or an array, DTypeError for no iterable at all."""
    if isinstance(source, Tensor | np.ndarray):
        raise BatchError(
            f"{what}: takes an iterable of batches, not one {type(source).__name__}, which would come row by row; "
            "pass [(x, y)] for a single batch"
        )
    if isinstance(source, str | bytes | Mapping) or not (hasattr(source, "__iter__") or callable(source)):
        raise DTypeError(
            f"{what}: takes an iterable of batches, or a function that returns one, not {type(source).__name__}"
        )


def batches_of(source: Any) -> Iterator[Any]:
    """Iterate once over an iterable of batches, or over what a function of no arguments returns.

    Raises BatchError where that is no iterable.
    """
    found = source if hasattr(source, "__iter__") else source()
    if not hasattr(found, "__iter__"):
        raise BatchError(
            f"the function that makes the batches returned {type(found).__name__}, which is no iterable"
        )
    return iter(found)
