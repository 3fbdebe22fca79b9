"""Samples into a batch.

    default_collate([(x0, 3), (x1, 5)])  →  (Tensor of shape (2, …), Tensor [3, 5])

    numbers, arrays, Tensors   stacked along a new axis 0; float32 stays float32, Python floats become float32
    tuples, lists, dicts       the same with batches inside, also named tuples and other Mappings (as dicts)
    text, bytes                a list

Nothing else: a sample that holds something else needs a collate_fn of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tt_tensor import Tensor, as_tensor
from tt_tensor.dtypes import is_supported
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.tensor import wrap

__all__ = ["collate", "default_collate", "default_convert", "like"]

PYTHON = (bool, int, float)
"""Numbers without a dtype."""


def default_collate(batch: Sequence[Any]) -> Any:
    """A list of samples as one batch; see the top of the file.

    Raises ShapeError that names the sample where shapes, lengths or keys differ from those of the first sample,
    DTypeError for what is neither a number, text, an array nor made of them, ArgumentError for no samples at all.
    """
    return collate(batch)


def collate(batch: Sequence[Any], indices: Sequence[Any] | None = None) -> Any:
    """`default_collate`; errors also name the indices, where they are known."""
    if len(batch) == 0:
        raise ArgumentError("collate: there is no sample; a batch has at least one")
    return _Collation(indices).put(batch, "")


class _Collation:
    def __init__(self, indices: Sequence[Any] | None) -> None:
        self.indices = indices

    def put(self, batch: Sequence[Any], where: str) -> Any:
        """One batch of what stands at `where`, such as [0]['image'], in each sample."""
        first = batch[0]
        if isinstance(first, Tensor | np.ndarray):
            if first.ndim == 0 and any(type(sample) in PYTHON for sample in batch):
                return self.numbers(batch, where)
            return self.stacked(batch, where)
        if isinstance(first, str | bytes):
            return list(batch)
        if isinstance(first, bool | int | float | np.generic):
            return self.numbers(batch, where)
        if isinstance(first, Mapping):
            self.same(batch, where, Mapping, lambda sample: list(sample), "the keys")
            return {key: self.put([sample[key] for sample in batch], f"{where}[{key!r}]") for key in first}
        if isinstance(first, tuple | list):
            self.same(batch, where, tuple | list, len, "length")
            parts = [self.put(part, f"{where}[{at}]") for at, part in enumerate(zip(*batch, strict=True))]
            return like(first, parts)
        raise self.unknown(first, 0, where)

    def stacked(self, batch: Sequence[Any], where: str) -> Tensor:
        arrays = [sample.array if sample.__class__ is Tensor else np.asarray(sample) for sample in batch]
        try:
            whole = np.stack(arrays)
        except ValueError as error:
            self.same(arrays, where, np.ndarray, np.shape, "shape")
            raise ShapeError(f"collate{where}: {error}") from error
        if not is_supported(whole.dtype):
            raise self.unknown(batch[0], 0, where)
        return wrap(whole)

    def numbers(self, batch: Sequence[Any], where: str) -> Tensor:
        try:
            whole = as_tensor(list(batch), _dtype(batch))
        except (ValueError, TypeError, OverflowError) as error:
            for at, sample in enumerate(batch):
                if not isinstance(sample, int | float | np.generic | np.ndarray | Tensor) or np.ndim(sample):
                    raise self.unknown(sample, at, where) from error
            raise DTypeError(f"collate: the numbers{self.at(where)} are none of a dtype: {error}") from error
        if whole.ndim != 1:
            self.same(batch, where, object, np.shape, "shape")
        return whole

    def same(self, batch: Sequence[Any], where: str, kind: Any, measure: Any, what: str) -> None:
        """Raise for the first sample that is not like sample 0."""
        wanted = measure(batch[0])
        for at, sample in enumerate(batch):
            if not isinstance(sample, kind):
                raise self.unknown(sample, at, where)
            found = measure(sample)
            if found != wanted and not (isinstance(found, list) and set(found) == set(wanted)):
                raise ShapeError(
                    f"collate: {self.name(at)}{self.at(where)} has {what} {found}, but {self.name(0)} has {wanted}; "
                    "bring all samples to the same form, or put them together with a collate_fn of your own"
                )

    def unknown(self, sample: Any, at: int, where: str) -> DTypeError:
        kind = f"an array of {sample.dtype}" if isinstance(sample, np.ndarray) else type(sample).__name__
        return DTypeError(
            f"collate: {self.name(at)}{self.at(where)} is {kind}; a batch is made of numbers, arrays, Tensors, text, "
            "and tuples, lists and dicts of them, of the same kind in each sample; for anything else write a collate_fn"
        )

    def name(self, at: int) -> str:
        return f"sample {at}" if self.indices is None else f"sample {at} (index {self.indices[at]})"

    def at(self, where: str) -> str:
        return f" at {where}" if where else ""


def _dtype(batch: Sequence[Any]) -> Any:
    """Of numbers of which only some have a dtype: float32 beside a Python number stays float32. None: as they are."""
    strong = {sample.dtype for sample in batch if hasattr(sample, "dtype")}
    weak = {kind for kind in map(type, batch) if kind in PYTHON}
    if not strong or not weak:
        return None
    dtype = np.result_type(*strong, *(kind(0) for kind in weak))
    return dtype if dtype.kind == "f" else None


def like(model: Any, parts: Sequence[Any]) -> Any:
    """The parts as a named tuple, a tuple or a list, whichever `model` is."""
    if isinstance(model, tuple):
        return type(model)(*parts) if hasattr(model, "_fields") else tuple(parts)
    return list(parts)


def default_convert(data: Any) -> Any:
    """The same structure with Tensors for the arrays in it, which share their memory; all else stays as it is."""
    if isinstance(data, np.ndarray | np.generic):
        return as_tensor(data) if is_supported(data.dtype.newbyteorder("=")) else data
    if isinstance(data, Tensor | str | bytes):
        return data
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple | list):
        return like(data, [default_convert(part) for part in data])
    return data
