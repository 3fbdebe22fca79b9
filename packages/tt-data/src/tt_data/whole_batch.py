"""A whole batch: arrays whose axis 0 counts the samples, in tuples, lists and dicts; text stands in lists.

    rows((x, y))                        how many samples
    samples_of((x, y), 2)               [(x[0], y[0]), (x[1], y[1])]
    join([(x, y), (u, v)], order)       one of several, its samples in another order

Any list whose entries are no arrays counts as text: it has one entry for each sample. An empty list is structure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from tt_data.collate import like
from tt_tensor import Tensor
from tt_tensor.errors import ShapeError
from tt_tensor.tensor import wrap

__all__ = ["join", "rows", "samples_of"]


def rows(batch: Any) -> int | None:
    """How many samples: axis 0 of the first array. None where nothing counts them."""
    if isinstance(batch, Tensor | np.ndarray):
        return batch.shape[0] if batch.ndim else None
    if _is_column(batch):
        return len(batch)
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, tuple | list) else ()
    return next((count for count in map(rows, parts) if count is not None), None)


def samples_of(batch: Any, count: int) -> list[Any]:
    """A whole batch of `count` samples as a list of them: the inverse of `default_collate`."""
    return [_sample(batch, at) for at in range(count)]


def _sample(batch: Any, at: int) -> Any:
    if isinstance(batch, Mapping):
        return {key: _sample(part, at) for key, part in batch.items()}
    if isinstance(batch, tuple | list) and not _is_column(batch):
        return like(batch, [_sample(part, at) for part in batch])
    if isinstance(batch, Tensor):
        return wrap(np.asarray(batch.array[at]))
    return batch[at]


def join(batches: Sequence[Any], order: np.ndarray) -> Any:
    """Whole batches as one, in which sample i is sample order[i] of them laid end to end.

    Raises ShapeError where their structure or the shapes of their samples differ.
    """
    first = batches[0]
    kinds = [_kind(batch) for batch in batches]
    if any(kind != kinds[0] for kind in kinds):
        raise ShapeError(f"samples of different structure cannot be one batch: {', '.join(map(str, kinds))}")
    if isinstance(first, Mapping):
        return {key: join([batch[key] for batch in batches], order) for key in first}
    if _is_column(first):
        flat = [item for batch in batches for item in batch]
        return [flat[at] for at in order]
    if isinstance(first, tuple | list):
        return like(first, [join(parts, order) for parts in zip(*batches, strict=True)])
    arrays = [batch.array if isinstance(batch, Tensor) else np.asarray(batch) for batch in batches]
    shapes = [array.shape[1:] for array in arrays]
    if any(shape != shapes[0] for shape in shapes):
        raise ShapeError(f"samples of different shapes cannot be one batch: {', '.join(map(str, shapes))}")
    whole = np.concatenate(arrays)[order]
    return wrap(whole) if isinstance(first, Tensor) else whole


def _kind(batch: Any) -> str:
    if isinstance(batch, Mapping):
        return f"dict with {sorted(map(repr, batch))}"
    if _is_column(batch):
        return "list"
    if isinstance(batch, tuple | list):
        return f"{type(batch).__name__} of {len(batch)}"
    return "array"


def _is_column(batch: Any) -> TypeGuard[list[Any]]:
    """Whether it is a list with one entry, such as a text, for each sample; other lists are structure."""
    return (
        isinstance(batch, list)
        and bool(batch)
        and not any(isinstance(part, Tensor | np.ndarray | tuple | list | Mapping) for part in batch)
    )
