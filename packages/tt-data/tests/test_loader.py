"""DataLoader: which samples come in which batch, and what it refuses; in this process, without workers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DatasetError,
    IterableDataset,
    RandomSampler,
    ShardedSampler,
    TensorDataset,
)
from tt_tensor import Generator, Tensor, default_generator, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


class Single(Dataset):
    """No batches: one sample at a time."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"x": np.full(2, index, np.float32), "name": f"n{index}"}


@given(st.integers(0, 40), st.integers(1, 9), st.booleans())
@settings(max_examples=40)
def test_batches_are_slices_of_the_data(n, size, drop_last):
    x, y = np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.arange(n)
    for dataset in (TensorDataset(x, y), list(zip(x, y, strict=True))):
        loader = DataLoader(dataset, size, drop_last=drop_last)
        batches = list(loader)
        assert len(batches) == len(loader) == (n // size if drop_last else -(-n // size))
        for at, (images, labels) in enumerate(batches):
            assert isinstance(images, Tensor) and isinstance(labels, Tensor)
            np.testing.assert_array_equal(images, x[at * size : at * size + size], strict=True)
            np.testing.assert_array_equal(labels, y[at * size : at * size + size], strict=True)


@given(st.integers(0, 40), st.integers(1, 9), st.booleans())
@settings(max_examples=40)
def test_a_stream_in_batches(n, size, drop_last):
    loader = DataLoader(Stream(n), size, drop_last=drop_last)
    batches = [batch.tolist() for batch in loader]
    wanted = [list(range(n))[at : at + size] for at in range(0, n, size)]
    assert batches == [batch for batch in wanted if len(batch) == size or not drop_last]
    assert len(loader) == len(batches)


@given(st.integers(0, 30), st.integers(1, 7), st.integers(0, 2**40))
@settings(max_examples=40)
def test_a_shuffled_epoch_has_every_sample_once(n, size, seed):
    loader = DataLoader(range(n), size, shuffle=True, generator=Generator(seed))
    first, second = ([index for batch in loader for index in batch.tolist()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(n))
    again = DataLoader(range(n), size, shuffle=True, generator=Generator(seed))
    assert [index for batch in again for index in batch.tolist()] == first


def test_epochs_differ_and_follow_from_the_default_seed():
    epochs = []
    for _ in range(2):
        manual_seed(3)
        loader = DataLoader(range(50), 10, shuffle=True)
        epochs.append([[b.tolist() for b in loader] for _ in range(2)])
    assert epochs[0] == epochs[1]
    assert epochs[0][0] != epochs[0][1]


def test_samplers():
    order = [4, 4, 1]
    assert [b.tolist() for b in DataLoader(range(5), 2, sampler=order)] == [[4, 4], [1]]
    batches = [[0, 3], [2]]
    assert [b.tolist() for b in DataLoader(range(5), batch_sampler=batches)] == batches
    sampler = BatchSampler(RandomSampler(range(9), generator=Generator(1)), 4, True)
    loader = DataLoader(range(9), batch_sampler=sampler)
    assert len(loader) == 2 and {len(b) for b in loader} == {4}


def test_a_sampler_with_a_generator_of_its_own_draws_from_that_alone():
    orders = []
    for seed in (1, 2):
        manual_seed(seed)
        loader = DataLoader(range(20), 5, sampler=RandomSampler(range(20), generator=Generator(8)))
        orders.append([[b.tolist() for b in loader] for _ in range(2)])
    assert orders[0] == orders[1] and orders[0][0] != orders[0][1]


def test_shards_are_told_the_epoch():
    for make in (
        lambda s: DataLoader(range(20), 3, sampler=s),
        lambda s: DataLoader(range(20), batch_sampler=BatchSampler(s, 3, False)),
    ):
        loader = make(ShardedSampler(range(20), 2, 1))
        first = [b.tolist() for b in loader]
        assert first == [b.tolist() for b in loader]
        loader.set_epoch(1)
        assert first != [b.tolist() for b in loader]


def test_samples_one_by_one():
    samples = list(DataLoader(Single(), batch_size=None))
    assert len(samples) == 5 and samples[3]["name"] == "n3"
    np.testing.assert_array_equal(samples[3]["x"], np.full(2, 3, np.float32), strict=True)
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    assert list(DataLoader(range(3), batch_size=None, collate_fn=lambda s: -s)) == [0, -1, -2]


def test_samples_with_text():
    (batch,) = DataLoader(Single(), 5)
    assert batch["name"] == ["n0", "n1", "n2", "n3", "n4"] and batch["x"].shape == (5, 2)


def test_a_collate_fn_gets_samples_however_they_come():
    x, y = np.arange(6, dtype=np.float32), np.arange(6)
    seen = []

    def collate(samples):
        seen.append(samples)
        return len(samples)

    for dataset in (TensorDataset(x, y), list(zip(x, y, strict=True))):
        assert list(DataLoader(dataset, 4, collate_fn=collate)) == [4, 2]
    whole, single = seen[0], seen[2]
    assert [(float(a), int(b)) for a, b in whole] == [(float(a), int(b)) for a, b in single]


def test_what_getitems_may_return():
    class Either(Dataset):
        def __init__(self, kind):
            self.kind = kind

        def __len__(self):
            return 6

        def __getitems__(self, indices):
            x = np.array(indices)
            return {
                "list": [(i, -i) for i in indices],
                "tuple": (x, -x),
                "short": (x[1:], -x),
                "array": x,
                "dict": {"a": x},
            }[self.kind]

    for kind in ("list", "tuple"):
        assert [(a.tolist(), b.tolist()) for a, b in DataLoader(Either(kind), 4)] == [
            ([0, 1, 2, 3], [0, -1, -2, -3]),
            ([4, 5], [-4, -5]),
        ]
    assert [b.tolist() for b in DataLoader(Either("array"), 4)] == [[0, 1, 2, 3], [4, 5]]
    assert [b["a"].tolist() for b in DataLoader(Either("dict"), 4)] == [[0, 1, 2, 3], [4, 5]]
    with pytest.raises(ShapeError, match="asked for 4 samples and gave a whole batch of 3"):
        next(iter(DataLoader(Either("short"), 4)))


def test_a_stop_iteration_does_not_pass_for_the_end_of_the_epoch():
    """One `next(...)` too many in a dataset, and the rest of the epoch would be missing without a word."""

    def one_too_many(samples):
        return next(iter([]))

    class Empty(Single):
        def __getitem__(self, index):
            return one_too_many(index)

    loaders = [
        DataLoader(Empty(), 2),
        *(DataLoader(d, collate_fn=one_too_many) for d in (range(5), Stream(5))),
    ]
    for loader in loaders:
        with pytest.raises(DatasetError, match="StopIteration") as caught:
            list(loader)
        assert "batch 0" in caught.value.__notes__[0]


@pytest.mark.parametrize("name", ["dataset", "batch_size", "sampler", "batch_sampler", "drop_last"])
def test_what_was_built_in_cannot_be_set_any_more(name):
    """It was taken without a word, and changed nothing."""
    loader = DataLoader(range(5), 2)
    with pytest.raises(ArgumentError, match=f"{name} cannot be changed"):
        setattr(loader, name, 3)
    assert len(loader) == 3


def test_an_error_names_the_index():
    class Bad(Single):
        def __getitem__(self, index):
            if index == 3:
                raise OSError("no such picture")
            return index

    iterator = iter(DataLoader(Bad(), 2))
    assert next(iterator).tolist() == [0, 1]
    with pytest.raises(OSError, match="no such picture") as caught:
        next(iterator)
    assert caught.value.__notes__ == ["DataLoader: this is index 3, sample 1 of batch 1"]
    assert next(iterator).tolist() == [4]  # it goes on with the next one, as PyTorch's does
    samples = [np.zeros(2), np.zeros(2), np.zeros(3)]
    with pytest.raises(ShapeError, match=r"sample 1 \(index 2\).*sample 0 \(index 0\)"):
        next(iter(DataLoader(samples, sampler=[0, 2], batch_size=2)))


def test_iterating_leaves_the_default_generator_where_it_was_but_for_one_draw():
    class Draws(Single):
        def __getitem__(self, index):
            return default_generator().rng.normal()

    manual_seed(1)
    default_generator().rng.integers(0, 1 << 63)
    wanted = default_generator().rng.normal()
    manual_seed(1)
    before = default_generator()
    assert len(list(DataLoader(Draws(), 2, shuffle=True))) == 3
    assert default_generator() is before and before.rng.normal() == wanted
    # A generator of its own: not even that.
    manual_seed(1)
    state = default_generator().get_state()
    assert len(list(DataLoader(Draws(), 2, shuffle=True, generator=Generator(0)))) == 3
    assert default_generator().get_state() == state


def test_two_passes_at_once():
    loader = DataLoader(range(6), 2, generator=Generator(0))
    pairs = [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)]
    assert pairs == [([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4, 5], [4, 5])]


def test_an_ended_pass_stays_at_its_end():
    for loader in (DataLoader(range(3), 2), DataLoader(Stream(3), 2)):
        iterator = iter(loader)
        assert len(list(iterator)) == 2
        assert next(iterator, None) is None and next(iterator, None) is None


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (ArgumentError, {"batch_size": 0}),
        (ArgumentError, {"batch_size": -3}),
        (DTypeError, {"batch_size": 2.0}),
        (DTypeError, {"batch_size": True}),
        (ArgumentError, {"num_workers": -1}),
        (ArgumentError, {"timeout": -1}),
        (ArgumentError, {"timeout": float("nan")}),
        (DTypeError, {"timeout": "1"}),
        (ArgumentError, {"prefetch_factor": 2}),
        (ArgumentError, {"prefetch_factor": 0, "num_workers": 1}),
        (ArgumentError, {"persistent_workers": True}),
        (ArgumentError, {"num_workers": 1, "multiprocessing_context": "spoon"}),
        (ArgumentError, {"shuffle": True, "sampler": [0]}),
        (ArgumentError, {"batch_sampler": [[0]], "batch_size": 3}),
        (ArgumentError, {"batch_sampler": [[0]], "drop_last": True}),
        (ArgumentError, {"batch_size": None, "drop_last": True}),
        (DTypeError, {"generator": 3}),
        (DTypeError, {"generator": np.random.default_rng(0)}),
    ],
)
def test_bad_arguments(error, arguments):
    with pytest.raises(error, match=r"DataLoader|BatchSampler"):
        DataLoader(range(5), **arguments)


def test_what_is_no_dataset():
    for bad in (iter([1]), 3, {1, 2}):
        with pytest.raises(DTypeError, match="no dataset"):
            DataLoader(bad)
    for arguments in ({"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}):
        with pytest.raises(ArgumentError, match="IterableDataset"):
            DataLoader(Stream(3), **arguments)


def test_nothing_grows():
    import gc
    import tracemalloc

    loader = DataLoader(TensorDataset(np.zeros((64, 8), np.float32)), 8, shuffle=True)
    for _ in range(3):
        list(loader)
    gc.collect()
    tracemalloc.start()
    for _ in range(3):
        list(loader)
    gc.collect()
    first = tracemalloc.get_traced_memory()[0]
    for _ in range(100):
        for _batch in loader:
            pass
    del _batch
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()
    assert grown < 20_000
