"""Dataset: samples by their index, one at a time or a whole batch at once.

    sample = dataset[7]                           what every dataset has
    batch = dataset.__getitems__([7, 1, 4])       what a fast one has beside it

`__getitems__` may return either of two things, and the type tells which:

    a list                       the samples, one for each index, to be put together by `collate_fn` (PyTorch's meaning)
    a tuple, dict, array, Tensor a whole batch: axis 0 of every array in it counts the samples

A whole batch is taken as it is, so its memory must be its own: no view of the data that a training step could write to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from tt_tensor import Tensor, as_tensor
from tt_tensor.errors import ArgumentError, IndexingError, ShapeError
from tt_tensor.tensor import wrap

if TYPE_CHECKING:
    from tt_data.combining import ConcatDataset
    from tt_data.transformed import TransformedDataset

__all__ = ["Dataset", "IterableDataset", "TensorDataset", "fetch_many"]


Sample = TypeVar("Sample", covariant=True)


class Dataset(Generic[Sample]):
    """Samples by index: subclass it and write `__getitem__(index)` and `__len__()`.

    Optional: `__getitems__(indices)`, for many samples in one call; see the top of this file for what it returns.
    """

    def __getitem__(self, index: Any) -> Sample:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(index); write one")

    def __add__(self, other: Any) -> ConcatDataset:
        from tt_data.combining import ConcatDataset

        return ConcatDataset([self, other])

    def with_transform(
        self,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> TransformedDataset:
        """This dataset with its inputs and targets transformed, a whole batch at a time; see TransformedDataset."""
        from tt_data.transformed import TransformedDataset

        return TransformedDataset(self, transform, target_transform)


class IterableDataset(Generic[Sample]):
    """Samples that come in a stream: subclass it and write `__iter__()`; `__len__()` if the number is known.

    In a DataLoader with workers each worker iterates a copy of its own, so the copies must share the work among them:
    `get_worker_info()` tells which one it is. Without that each sample comes once from every worker, as in PyTorch.

    A stream that has `state_dict()` and `load_state_dict(state)` is resumed by them; else its first samples are drawn
    again and dropped.
    """

    def __iter__(self) -> Iterator[Sample]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__(); write one")

    def __add__(self, other: Any) -> Any:
        from tt_data.combining import ChainDataset

        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """sample[i] = (a[i], b[i], …), for arrays or Tensors a, b, … of the same length.

    Whole batches are gathered in one step an array, in the memory order that the array has. The arrays are not copied.

    Raises ShapeError where lengths differ or there is nothing to index, ArgumentError without any array.
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise ArgumentError("TensorDataset: takes at least one tensor")
        self.tensors: tuple[Tensor, ...] = tuple(as_tensor(t).detach() for t in tensors)
        shapes = [t.shape for t in self.tensors]
        if not all(shape and shape[0] == shapes[0][0] for shape in shapes):
            raise ShapeError(
                f"TensorDataset: axis 0 of all tensors counts the samples, so it must be the same; shapes are {shapes}"
            )

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        try:
            # A copy, as in a batch: writing into a sample leaves the data alone.
            return tuple([wrap(np.array(t.array[index])) for t in self.tensors])
        except IndexError as error:
            raise _out_of_range(index, len(self)) from error

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        rows = np.asarray(indices, np.intp)
        try:
            return tuple([wrap(t.array[rows]) for t in self.tensors])
        except IndexError as error:
            raise _out_of_range(indices, len(self)) from error

    def __len__(self) -> int:
        return len(self.tensors[0])


def _out_of_range(index: Any, length: int) -> IndexingError:
    return IndexingError(f"TensorDataset: index {index} is out of range for {length} samples")


def fetch_many(dataset: Any, indices: Sequence[Any]) -> Any:
    """The samples of `indices` as `__getitems__` gives them, or a list of `dataset[i]` where it has none.

    Raises ShapeError where `__getitems__` gave a list of another length.
    """
    many = getattr(dataset, "__getitems__", None)
    if many is None:
        return [dataset[index] for index in indices]
    found = many(indices)
    if isinstance(found, list) and len(found) != len(indices):
        raise ShapeError(
            f"{type(dataset).__name__}.__getitems__: was asked for {len(indices)} samples and returned a list of "
            f"{len(found)}; a list is one sample for each index, a whole batch is a tuple, a dict, an array or a Tensor"
        )
    return found
