"""Batches of worker processes: the same ones as without workers, to the last bit."""

import random
from functools import partial

import numpy as np
import pytest

from tt_data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    TensorDataset,
    get_worker_info,
    transport,
)
from tt_tensor import Generator, Tensor, default_generator, manual_seed, normal

pytestmark = pytest.mark.usefixtures("no_orphans")

x = np.arange(22 * 6, dtype=np.float32).reshape(22, 2, 3)
y = np.arange(22)


class Augmented(Dataset):
    """Draws from every kind of generator, one sample at a time."""

    def __init__(self):
        self.own, self.numpys = Generator(1), np.random.default_rng(2)

    def __len__(self):
        return 22

    def __getitem__(self, index):
        return index, [
            default_generator().rng.normal(),
            self.own.rng.normal(),
            self.numpys.normal(),
            random.random(),
            np.random.normal(),  # noqa: NPY002
        ]


def flat(value):
    """Every array in a batch, as bytes with shape and dtype."""
    if isinstance(value, dict):
        return [part for key in value for part in flat(value[key])]
    if isinstance(value, tuple | list):
        return [part for each in value for part in flat(each)]
    if isinstance(value, Tensor):
        return [(value.shape, value.dtype.str, value.array.tobytes())]
    return [value]


def epochs(dataset, workers, count=2, **arguments):
    if workers == 0:
        arguments = {
            k: v for k, v in arguments.items() if k in ("batch_size", "shuffle", "drop_last", "collate_fn")
        }
    loader = DataLoader(dataset, num_workers=workers, generator=Generator(5), **arguments)
    return [[flat(batch) for batch in loader] for _ in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_whole_batches_with_augmentation(workers, fork):
    dataset = TensorDataset(x, y).with_transform(partial(normal, std=0.5))
    wanted = epochs(dataset, 0, batch_size=4, shuffle=True)
    assert len(wanted[0]) == 6 and wanted[0] != wanted[1]
    assert epochs(dataset, workers, batch_size=4, shuffle=True, **fork) == wanted


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_samples_with_augmentation_from_any_generator(workers, fork):
    dataset = Augmented()
    wanted = epochs(dataset, 0, batch_size=3, shuffle=True, drop_last=True)
    values = [part[2] for epoch in wanted for batch in epoch for part in batch[1:]]
    assert len(set(values)) == len(values)
    assert epochs(dataset, workers, batch_size=3, shuffle=True, drop_last=True, **fork) == wanted


def test_persistent_workers(fork):
    dataset = Augmented()
    wanted = epochs(dataset, 0, 3, batch_size=5)
    assert epochs(dataset, 2, 3, batch_size=5, persistent_workers=True, prefetch_factor=1, **fork) == wanted


def test_workers_that_persist_are_the_same_processes(fork):
    loader = DataLoader(Pids(), 2, num_workers=2, persistent_workers=True, **fork)
    first = {pid for batch in loader for pid in batch.tolist()}
    iterator = iter(loader)
    next(iterator)
    del iterator  # left in the middle
    assert {pid for batch in loader for pid in batch.tolist()} == first and len(first) == 2
    other = DataLoader(Pids(), 2, num_workers=2, **fork)
    assert not {pid for batch in other for pid in batch.tolist()} & {pid for b in other for pid in b.tolist()}


class Pids(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        import os

        return os.getpid()


def test_several_passes_at_once(fork):
    loader = DataLoader(range(9), 2, num_workers=2, persistent_workers=True, **fork)
    pairs = [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)]
    assert pairs == [([at, at + 1][: 9 - at],) * 2 for at in range(0, 9, 2)]


def test_what_a_process_can_be_sent_by_any_method():
    """Also by spawn, which sends the dataset; everything in it is of a module that can be imported."""
    dataset = TensorDataset(x, y).with_transform(partial(normal, std=0.5, generator=Generator(4)))
    wanted = epochs(dataset, 0, 1, batch_size=8)
    assert epochs(dataset, 1, 1, batch_size=8, multiprocessing_context="spawn") == wanted


def test_a_sampler_with_its_own_generator(fork):
    def run(workers):
        sampler = RandomSampler(range(22), generator=Generator(3))
        loader = DataLoader(range(22), 4, sampler=sampler, num_workers=workers, **(fork if workers else {}))
        return [[b.tolist() for b in loader] for _ in range(2)]

    assert run(2) == run(0)


def test_the_default_generator_is_left_alone(fork):
    manual_seed(2)
    states = []
    for workers in (0, 2):
        manual_seed(2)
        list(DataLoader(Augmented(), 4, shuffle=True, num_workers=workers, **(fork if workers else {})))
        states.append(default_generator().get_state())
    assert states[0] == states[1]


def test_structures_and_large_arrays_arrive_whole(fork):
    class Rich(Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return {
                "large": np.full((300, 500), index, np.float64),
                "empty": np.zeros((0, 4), np.int16),
                "scalar": np.float32(index),
                "text": "ä" * 3000,
                "flags": (True, [index, 2.5]),
            }

    assert epochs(Rich(), 2, 1, batch_size=2, **fork) == epochs(Rich(), 0, 1, batch_size=2)


def test_a_batch_can_be_written_to_and_keeps_its_memory_order(fork):
    images = np.zeros((8, 5, 6, 3), np.float32).transpose(0, 3, 1, 2)
    for batch, _ in DataLoader(TensorDataset(images, np.arange(8)), 4, num_workers=1, **fork):
        assert batch.array.transpose(0, 2, 3, 1).flags.c_contiguous
        batch.array[...] = 1
        batch.write(np.float32(2))
    assert not images.any()


def test_where_everything_goes_through_the_pipe(fork, monkeypatch):
    """As it is where there are no files in memory: more than a pipe holds, in both directions."""
    monkeypatch.setattr(transport, "MEMORY_FILES", False)
    monkeypatch.setattr(transport, "IN_FLIGHT", 1)
    wide = TensorDataset(np.arange(90_000.0).reshape(90_000, 1)).with_transform(
        lambda v: np.repeat(v, 9, axis=1)
    )
    found = epochs(wide, 2, 1, batch_size=30_000, shuffle=True, prefetch_factor=3, **fork)
    assert found == epochs(wide, 0, 1, batch_size=30_000, shuffle=True)


def test_a_worker_knows_which_it_is(fork):
    class Told(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            info = get_worker_info()
            return info.id, info.num_workers, float(info.dataset is self), marked[0]

    marked = [0]

    def begin(worker):
        marked[0] = 100 + worker

    assert get_worker_info() is None
    batches = list(DataLoader(Told(), 1, num_workers=3, worker_init_fn=begin, **fork))
    assert [[int(v) for v in b] for b in batches] == [[w, 3, 1, 100 + w] for w in (0, 1, 2, 0, 1, 2)]
    assert marked == [0]


def test_fewer_batches_than_workers_and_none(fork):
    assert [b.tolist() for b in DataLoader(range(3), 2, num_workers=4, **fork)] == [[0, 1], [2]]
    assert list(DataLoader([], 2, num_workers=2, **fork)) == []
    assert list(DataLoader(range(3), 4, num_workers=2, drop_last=True, **fork)) == []
    assert [int(v) for v in DataLoader([4, 5, 6], None, num_workers=2, **fork)] == [4, 5, 6]


def test_prefetching_is_bounded(fork):
    drawn = []

    def indices():
        for index in range(100):
            drawn.append(index)
            yield index

    class Once:
        def __iter__(self):
            return indices()

    iterator = iter(DataLoader(range(100), 1, sampler=Once(), num_workers=2, prefetch_factor=3, **fork))
    assert len(drawn) <= 7
    next(iterator)
    assert len(drawn) <= 8


# --- streams ------------------------------------------------------------------------------------------------


class Stream(IterableDataset):
    """0 … n - 1 with noise; workers share the numbers out."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        for number in range(first, self.n, step):
            yield number, default_generator().rng.normal()


def test_a_stream_from_one_worker_is_the_same(fork):
    assert epochs(Stream(11), 1, batch_size=3, **fork) == epochs(Stream(11), 0, batch_size=3)


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_share_a_stream_and_take_turns(workers, fork):
    loader = DataLoader(Stream(11), 2, num_workers=workers, **fork)
    found = [batch[0].tolist() for batch in loader]
    shares = [list(range(w, 11, workers)) for w in range(workers)]
    wanted = []
    while any(shares):
        for share in shares:
            if share:
                wanted.append(share[:2])
                del share[:2]
    assert found == wanted
    assert [batch[0] for batch in DataLoader(Stream(5), None, num_workers=2, **fork)] == [0, 1, 2, 3, 4]


def test_a_stream_with_persistent_workers(fork):
    loader = DataLoader(Stream(7), 2, num_workers=2, persistent_workers=True, generator=Generator(1), **fork)
    first, second = ([batch[0].tolist() for batch in loader] for _ in range(2))
    assert first == second == [[0, 2], [1, 3], [4, 6], [5]]
