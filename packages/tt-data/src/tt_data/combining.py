"""Datasets made of datasets: a part of one, several in a row, a random split.

What comes in whole batches goes on in whole batches.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tt_data.dataset import Dataset, IterableDataset, fetch_many
from tt_data.whole_batch import join, rows, samples_of
from tt_tensor import Generator, randperm
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError

__all__ = ["ChainDataset", "ConcatDataset", "StackDataset", "Subset", "random_split"]


class Subset(Dataset):
    """subset[i] = dataset[indices[i]]; of a list of i, dataset[[indices[i], …]], where the dataset takes one."""

    def __init__(self, dataset: Any, indices: Sequence[Any]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[at] for at in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: Sequence[int]) -> Any:
        return fetch_many(self.dataset, [self.indices[index] for index in indices])

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """The samples of several datasets, one after the other; also what `first + second` gives.

    Raises ArgumentError for no dataset, DTypeError for an IterableDataset among them.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset: takes at least one dataset")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise DTypeError("ConcatDataset: an IterableDataset has no indices; use ChainDataset")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        at, inside = self._place(index)
        return self.datasets[at][inside]

    def __getitems__(self, indices: Sequence[int]) -> Any:
        places = [self._place(index) for index in indices]
        members = sorted({at for at, _ in places})
        groups = {at: [inside for member, inside in places if member == at] for at in members}
        found = [fetch_many(self.datasets[at], group) for at, group in groups.items()]
        if len(found) == 1:
            return found[0]
        # Where each sample stands when the groups are laid end to end.
        starts = dict(zip(members, itertools.accumulate(map(len, groups.values()), initial=0), strict=False))
        order = []
        for at, _ in places:
            order.append(starts[at])
            starts[at] += 1
        if any(isinstance(batch, list) for batch in found):
            flat: list[Any] = []
            for batch in found:
                flat += batch if isinstance(batch, list) else samples_of(batch, rows(batch) or 0)
            return [flat[at] for at in order]
        return join(found, np.array(order, np.intp))

    def _place(self, index: int) -> tuple[int, int]:
        """Which dataset, and the index in it."""
        count = len(self)
        if not -count <= index < count:
            raise IndexingError(f"ConcatDataset: index {index} is out of range for {count} samples")
        index %= count
        at = bisect_right(self.cumulative_sizes, index)
        return at, index - (self.cumulative_sizes[at - 1] if at else 0)


class StackDataset(Dataset):
    """sample[i] = (a[i], b[i], …), for datasets of one length; by name, a dictionary {"a": a[i], "b": b[i], …}.

    What each gives in whole batches goes on in whole batches.

    Raises ArgumentError for no dataset, for lengths that differ, or where some are named and some are not.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ArgumentError("StackDataset: takes datasets, all of them by name or none")
        self.datasets: Any = kwargs or args
        lengths = [len(dataset) for dataset in self._parts()]
        if len(set(lengths)) != 1:
            raise ArgumentError(f"StackDataset: all datasets have one length, not {lengths}")
        self._length = lengths[0]

    def _parts(self) -> list[Any]:
        return list(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)

    def _together(self, parts: list[Any]) -> Any:
        return (
            dict(zip(self.datasets, parts, strict=True)) if isinstance(self.datasets, dict) else tuple(parts)
        )

    def __getitem__(self, index: Any) -> Any:
        return self._together([dataset[index] for dataset in self._parts()])

    def __getitems__(self, indices: Sequence[int]) -> Any:
        found = [fetch_many(dataset, indices) for dataset in self._parts()]
        if not any(isinstance(batch, list) for batch in found):
            return self._together(found)
        count = len(indices)
        columns = [batch if isinstance(batch, list) else samples_of(batch, count) for batch in found]
        return [self._together(list(parts)) for parts in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


class ChainDataset(IterableDataset):
    """Several streams, one after the other; also what `first + second` gives for IterableDatasets."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(map(len, self.datasets))


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """The dataset in parts without overlap, drawn at random.

    Args:
        lengths: the number of samples of each part, or fractions that add up to 1: each part then has
            ⌊fraction · n⌋ samples, and one of what remains goes to each part from the first on.
        generator: what draws; by default the generator that `manual_seed` seeds.

    Raises ArgumentError where the lengths do not add up, or one is negative.
    """
    count = len(dataset)
    try:
        sizes = _sizes(lengths, count)
    except (TypeError, ValueError, OverflowError):  # no sequence, or not of finite numbers
        sizes = [-1]
    if sum(sizes) != count or min(sizes, default=0) < 0:
        raise ArgumentError(
            f"random_split: lengths {lengths!r} for a dataset of {count} samples; it is a list that adds up to the "
            "number of samples, or of fractions that add up to 1"
        )
    order = randperm(count, generator=generator).tolist()
    ends = list(itertools.accumulate(sizes))
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def _sizes(lengths: Sequence[float], count: int) -> list[int]:
    fractions = math.isclose(sum(lengths), 1) and all(0 <= length <= 1 for length in lengths)
    if not fractions:
        return [int(length) if int(length) == length else -1 for length in lengths]
    sizes = [math.floor(count * fraction) for fraction in lengths]
    for at in range(count - sum(sizes)):
        sizes[at % len(sizes)] += 1
    return sizes
