"""Samplers: every index as often as it should come, in an order that follows from the seed alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_data import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    ShardedSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from tt_tensor import Generator, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError

sizes = st.integers(0, 40)
seeds = st.integers(0, 2**64 - 1)


@given(sizes)
def test_sequential(n):
    sampler = SequentialSampler(range(n))
    assert list(sampler) == list(range(n)) and len(sampler) == n


@given(sizes, seeds)
@settings(max_examples=50)
def test_a_random_order_has_each_index_once(n, seed):
    sampler = RandomSampler(range(n), generator=Generator(seed))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(n)) and len(sampler) == n
    assert first == list(RandomSampler(range(n), generator=Generator(seed)))
    assert all(type(index) is int for index in first)


def test_another_epoch_is_another_order():
    sampler = RandomSampler(range(50), generator=Generator(0))
    assert list(sampler) != list(sampler)


def test_the_default_generator_draws():
    orders = []
    for _ in range(2):
        manual_seed(5)
        orders.append([list(RandomSampler(range(30))), list(SubsetRandomSampler(range(30)))])
    assert orders[0] == orders[1]


@given(st.integers(1, 10), st.integers(0, 35), seeds)
@settings(max_examples=50)
def test_more_samples_than_there_are(n, samples, seed):
    drawn = list(RandomSampler(range(n), num_samples=samples, generator=Generator(seed)))
    assert len(drawn) == samples
    for start in range(0, samples, n):
        block = drawn[start : start + n]
        assert len(set(block)) == len(block)


def test_all_orders_are_equally_likely():
    generator, counts = Generator(1), {}
    for _ in range(1800):
        order = tuple(RandomSampler(range(3), generator=generator))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert sum((count - 300) ** 2 / 300 for count in counts.values()) < 20.5  # χ², 5 degrees, p = 0.001


def test_with_replacement_each_draw_is_uniform():
    drawn = np.array(list(RandomSampler(range(7), True, 140_000, Generator(2))))
    counts = np.bincount(drawn, minlength=7)
    assert ((counts - 20_000) ** 2 / 20_000).sum() < 22.5  # χ², 6 degrees, p = 0.001
    # Neighbours are independent: all 49 pairs.
    pairs = np.bincount(drawn[:-1:2] * 7 + drawn[1::2], minlength=49)
    assert ((pairs - 70_000 / 49) ** 2 / (70_000 / 49)).sum() < 84.1  # 48 degrees


@given(st.lists(st.integers(0, 99), max_size=20), seeds)
@settings(max_examples=50)
def test_a_subset_in_random_order(indices, seed):
    sampler = SubsetRandomSampler(indices, Generator(seed))
    assert sorted(sampler) == sorted(indices) and len(sampler) == len(indices)


def test_weights_with_replacement():
    weights = np.array([1, 0, 3, 6.0])
    drawn = list(WeightedRandomSampler(weights, 100_000, generator=Generator(3)))
    counts = np.bincount(drawn, minlength=4)
    wanted = weights / weights.sum() * 100_000
    assert counts[1] == 0
    assert ((counts - wanted)[wanted > 0] ** 2 / wanted[wanted > 0]).sum() < 13.8  # 2 degrees


def test_weights_without_replacement_are_one_draw_after_the_other():
    weights, generator, counts = [1, 2, 5], Generator(4), {}
    for _ in range(2400):
        pair = tuple(WeightedRandomSampler(weights, 2, False, generator))
        counts[pair] = counts.get(pair, 0) + 1
    chi = 0.0
    for a in range(3):
        for b in set(range(3)) - {a}:
            wanted = 2400 * weights[a] / 8 * weights[b] / (8 - weights[a])
            chi += (counts.get((a, b), 0) - wanted) ** 2 / wanted
    assert chi < 20.5


@given(sizes, st.integers(1, 9), st.booleans())
def test_batches_are_slices(n, size, drop_last):
    sampler = BatchSampler(SequentialSampler(range(n)), size, drop_last)
    batches = list(sampler)
    wanted = [list(range(n))[at : at + size] for at in range(0, n, size)]
    assert batches == [batch for batch in wanted if len(batch) == size or not drop_last]
    assert len(sampler) == len(batches)


@given(st.integers(0, 30), st.integers(1, 6), st.booleans(), st.booleans(), st.integers(0, 5))
@settings(max_examples=60)
def test_shards_share_the_dataset_out(n, replicas, shuffle, drop_last, epoch):
    shards = []
    for rank in range(replicas):
        sampler = ShardedSampler(range(n), replicas, rank, shuffle, seed=7, drop_last=drop_last)
        sampler.set_epoch(epoch)
        shards.append(list(sampler))
        assert len(shards[-1]) == len(sampler)
    assert len({len(shard) for shard in shards}) == 1
    together = [index for place in zip(*shards, strict=True) for index in place]
    if drop_last:
        assert len(together) == n // replicas * replicas and len(set(together)) == len(together)
    else:
        assert len(together) == (math.ceil(n / replicas) * replicas if n else 0)
        assert set(together) == set(range(n))
        assert (
            max((together.count(index) for index in together), default=0)
            <= math.ceil(replicas / max(n, 1)) + 1
        )
    if not shuffle:
        assert together[: min(n, len(together))] == list(range(min(n, len(together))))


def test_shards_draw_another_order_each_epoch():
    sampler = ShardedSampler(range(100), 2, 0)
    first = list(sampler)
    assert first == list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(ShardedSampler(range(100), 2, 0, seed=1)) != first


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: RandomSampler([], num_samples=3), ArgumentError),
        (lambda: RandomSampler([1], num_samples=-1), ArgumentError),
        (lambda: RandomSampler([1], num_samples=1.5), DTypeError),
        (lambda: BatchSampler([1], 0, False), ArgumentError),
        (lambda: BatchSampler([1], True, False), DTypeError),
        (lambda: WeightedRandomSampler([-1.0, 1.0], 3), ArgumentError),
        (lambda: WeightedRandomSampler([0.0, 0.0], 3), ArgumentError),
        (lambda: WeightedRandomSampler([1.0, 0.0], 2, False), ArgumentError),
        (lambda: WeightedRandomSampler([[1.0]], 2), ArgumentError),
        (lambda: WeightedRandomSampler([1.0], -2), ArgumentError),
        (lambda: ShardedSampler([1], 2, 2), ArgumentError),
        (lambda: ShardedSampler([1], 0, 0), ArgumentError),
    ],
)
def test_bad_arguments(make, error):
    with pytest.raises(error):
        make()


def test_a_sampler_without_its_method():
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(Sampler())
