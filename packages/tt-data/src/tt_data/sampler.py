"""Samplers: in which order, and how often, the samples of an epoch are drawn.

    for index in RandomSampler(dataset): ...
    for indices in BatchSampler(RandomSampler(dataset), batch_size=32, drop_last=False): ...

A sampler is any iterable of indices that has a length. Those that draw at random take a `generator`; without one they
draw from the generator that `manual_seed` seeds, and in a DataLoader from the seed of the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np

from tt_data.arguments import count as count_of
from tt_tensor import Generator, multinomial
from tt_tensor.errors import ArgumentError
from tt_tensor.generator import rng_of
from tt_tensor.tensor import as_array

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "ShardedSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

PIECE = 1 << 16
"""How many indices are drawn at a time where they are independent of each other."""


class Sampler:
    """Indices of an epoch: subclass it and write `__iter__()`, and `__len__()` if the number is known.

    A sampler that has `state_dict()` and `load_state_dict(state)` is resumed by them in mid-epoch: the DataLoader asks
    for its state after each batch of indices. Without them the order is drawn again and its first part dropped.
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__(); write one")


class SequentialSampler(Sampler):
    """0, 1, …, n - 1."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """0, …, n - 1 in random order; or, with replacement, each draw uniform from all of them.

    Args:
        data_source: what has the length n.
        replacement: whether an index may come again.
        num_samples: how many are drawn, n by default. Without replacement, more than n are several orders in a row.
        generator: what draws.

    Raises ArgumentError for a negative num_samples, or one above zero where there is nothing to draw.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, bool(replacement), generator
        self._num_samples = (
            None if num_samples is None else count_of("RandomSampler", "num_samples", num_samples)
        )
        if self._num_samples and not len(data_source):
            raise ArgumentError(f"RandomSampler: {num_samples} samples of none; the dataset is empty")

    @property
    def num_samples(self) -> int:
        """How many are drawn in an epoch."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        count, left, rng = (
            len(self.data_source),
            self.num_samples,
            rng_of(self.generator, type(self).__name__),
        )
        while left:
            if self.replacement:
                drawn = rng.integers(0, count, min(left, PIECE))
            else:
                drawn = rng.permutation(count)[:left]
            left -= len(drawn)
            yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[Any], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[Any]:
        for at in rng_of(self.generator, type(self).__name__).permutation(len(self.indices)).tolist():
            yield self.indices[at]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Indices in proportion to `weights`, which need not add up to 1.

    Args:
        weights: one for each index, not negative.
        num_samples: how many are drawn.
        replacement: whether an index may come again. Without, it is one drawn after the other from what is left.
        generator: what draws.

    Raises ArgumentError for weights that are negative, not finite, not one axis or too few, or a negative num_samples.
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        self.weights = as_array(weights, "WeightedRandomSampler", np.float64)
        self.num_samples = count_of("WeightedRandomSampler", "num_samples", num_samples)
        self.replacement, self.generator = bool(replacement), generator
        if self.weights.ndim != 1:
            raise ArgumentError(
                f"WeightedRandomSampler: weights are one number for each index, not of shape {self.weights.shape}"
            )
        # Whether the weights will do is told now, not in the middle of a training; nothing is drawn from `generator`.
        multinomial(
            self.weights, 1 if replacement else self.num_samples, bool(replacement), generator=Generator(0)
        )

    def __iter__(self) -> Iterator[int]:
        drawn = multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        return iter(drawn.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices of another sampler; the last one is shorter, or dropped.

    Raises ArgumentError for a batch_size below 1.
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        self.sampler, self.drop_last = sampler, bool(drop_last)
        self.batch_size = count_of("BatchSampler", "batch_size", batch_size, least=1)

    def __iter__(self) -> Iterator[list[Any]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


class ShardedSampler(Sampler):
    """The share of one of several processes that train together: PyTorch's DistributedSampler.

    All of them draw the same order, from `seed` and the number of the epoch, and process r takes the places
    r, r + R, r + 2R, … of it. The shares are disjoint and of equal length: where R does not divide n, some indices come
    twice, or with `drop_last` the last ones not at all.

    Args:
        dataset: what has the length n.
        num_replicas: R, how many processes there are.
        rank: r, which of them this is, from 0.
        shuffle: whether the order is random.
        seed: the same in all processes.
        drop_last: whether to leave out what cannot be shared evenly.

    Raises ArgumentError for a rank that is not below num_replicas.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int,
        rank: int,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.dataset, self.shuffle, self.seed, self.drop_last = dataset, bool(shuffle), seed, bool(drop_last)
        self.num_replicas = count_of("ShardedSampler", "num_replicas", num_replicas, least=1)
        self.rank, self.epoch = count_of("ShardedSampler", "rank", rank), 0
        if self.rank >= self.num_replicas:
            raise ArgumentError(
                f"ShardedSampler: rank {rank} of {num_replicas}; ranks are 0 to {num_replicas - 1}"
            )

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next, so that it gets an order of its own; all processes say the same."""
        self.epoch = count_of("ShardedSampler", "epoch", epoch)

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        order = np.arange(count)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(count)
        total = len(self) * self.num_replicas
        # The first ones come again, as often as it takes; np.resize does that, and cuts where there are too many.
        return iter(np.resize(order, total if count else 0)[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        count = len(self.dataset)
        return count // self.num_replicas if self.drop_last else -(-count // self.num_replicas)
