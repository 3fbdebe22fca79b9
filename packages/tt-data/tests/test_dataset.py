"""Datasets: samples by index and by batch, and datasets made of others, against plain lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from tt_data.dataset import fetch_many
from tt_tensor import Generator, Tensor
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError


class Squares(Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if not 0 <= index < self.n:
            raise IndexError(index)
        return index * index, str(index)


def arrays(n):
    return np.arange(n * 6, dtype=np.float32).reshape(n, 2, 3), np.arange(n) % 5


def test_a_sample_and_a_batch_of_tensors():
    x, y = arrays(7)
    dataset = TensorDataset(x, Tensor(y))
    assert len(dataset) == 7
    image, label = dataset[3]
    np.testing.assert_array_equal(image, x[3], strict=True)
    np.testing.assert_array_equal(label, y[3])
    images, labels = dataset.__getitems__([5, 0, 5])
    np.testing.assert_array_equal(images, x[[5, 0, 5]], strict=True)
    np.testing.assert_array_equal(labels, y[[5, 0, 5]], strict=True)
    assert isinstance(images, Tensor) and isinstance(label, Tensor)


@pytest.mark.parametrize(
    "take", [lambda d: d[2], lambda d: d.__getitems__([2]), lambda d: d.__getitems__([0, 1])]
)
def test_what_is_taken_has_memory_of_its_own(take):
    x, y = arrays(4)
    dataset = TensorDataset(x, y)
    for part in take(dataset):
        part.array[...] = 99
    np.testing.assert_array_equal(x, arrays(4)[0])
    np.testing.assert_array_equal(y, arrays(4)[1])


def test_the_data_themselves_are_not_copied():
    x, y = arrays(4)
    assert all(np.shares_memory(t.array, a) for t, a in zip(TensorDataset(x, y).tensors, (x, y), strict=True))


def test_a_batch_keeps_the_memory_order():
    x = np.zeros((9, 4, 5, 3), np.float32).transpose(0, 3, 1, 2)  # channels last
    (batch,) = TensorDataset(x).__getitems__([1, 2, 8])
    assert batch.array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_tensors_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"\(3, 2\), \(4,\)"):
        TensorDataset(np.zeros((3, 2)), np.zeros(4))
    with pytest.raises(ShapeError):
        TensorDataset(np.float32(1))
    with pytest.raises(ArgumentError):
        TensorDataset()
    for bad in (lambda d: d[3], lambda d: d.__getitems__([0, 3])):
        with pytest.raises(IndexingError, match="3 samples"):
            bad(TensorDataset(np.zeros(3)))


def test_a_dataset_without_its_methods():
    with pytest.raises(NotImplementedError, match="__getitem__"):
        Dataset()[0]
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(IterableDataset())


def test_datasets_are_generic_for_type_checkers():
    class Numbers(Dataset[int]):
        def __getitem__(self, index):
            return index

    class Words(IterableDataset[str]):
        def __iter__(self):
            return iter(["a"])

    assert Numbers()[3] == 3 and list(Words()) == ["a"]


def test_many_samples_of_what_has_no_batches():
    assert fetch_many(Squares(5), [2, 4]) == [(4, "2"), (16, "4")]
    assert fetch_many("abc", [2, 0]) == ["c", "a"]


def test_a_list_that_is_not_one_sample_for_each_index():
    class Short(Squares):
        def __getitems__(self, indices):
            return [self[indices[0]]]

    with pytest.raises(ShapeError, match="3 samples and returned a list of 1"):
        fetch_many(Short(5), [1, 2, 3])


def test_a_subset():
    x, y = arrays(10)
    subset = Subset(Subset(TensorDataset(x, y), [9, 1, 4, 6]), [3, 0])
    assert len(subset) == 2
    np.testing.assert_array_equal(subset[0][0], x[6])
    np.testing.assert_array_equal(subset.__getitems__([1, 0])[0], x[[9, 6]])
    assert Subset(Squares(5), [4, 2]).__getitems__([1, 0]) == [(4, "2"), (16, "4")]
    np.testing.assert_array_equal(subset[[1, 0]][0], x[[9, 6]])  # as PyTorch's


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.data())
@settings(max_examples=50)
def test_concatenation_is_that_of_lists(sizes, data):
    parts = [TensorDataset(np.arange(n) + 100 * at) for at, n in enumerate(sizes)]
    whole, wanted = ConcatDataset(parts), np.concatenate([p.tensors[0].array for p in parts])
    assert len(whole) == len(wanted)
    indices = (
        data.draw(st.lists(st.integers(-len(wanted), len(wanted) - 1), max_size=9)) if len(wanted) else []
    )
    for index in indices:
        assert int(whole[index][0]) == wanted[index]
    if indices:
        np.testing.assert_array_equal(whole.__getitems__(indices)[0], wanted[indices])
    for outside in (len(wanted), -len(wanted) - 1):
        with pytest.raises(IndexingError):
            whole[outside]


def test_concatenation_of_batches_and_lists():
    class Pairs(Squares):
        def __getitem__(self, index):
            return np.float32(index), index

    whole = TensorDataset(np.arange(3, dtype=np.float32) + 10, np.arange(3)) + Pairs(4)
    assert isinstance(whole, ConcatDataset)
    found = whole.__getitems__([5, 0, 3, 2])
    assert [(float(a), int(b)) for a, b in found] == [(2, 2), (10, 0), (0, 0), (12, 2)]


def test_concatenation_of_what_does_not_fit():
    for other in (np.zeros((2, 5)), None):
        second = TensorDataset(np.zeros((2, 4)), np.zeros(2)) if other is None else TensorDataset(other)
        with pytest.raises(ShapeError):
            (TensorDataset(np.zeros((2, 4))) + second).__getitems__([0, 3])
    with pytest.raises(ArgumentError):
        ConcatDataset([])
    with pytest.raises(DTypeError, match="ChainDataset"):
        ConcatDataset([IterableDataset()])


def test_a_chain_of_streams():
    class Count(IterableDataset):
        def __init__(self, n):
            self.n = n

        def __iter__(self):
            return iter(range(self.n))

        def __len__(self):
            return self.n

    chain = Count(2) + Count(3)
    assert isinstance(chain, ChainDataset)
    assert list(chain) == [0, 1, 0, 1, 2] and len(chain) == 5


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 2**40))
@settings(max_examples=50)
def test_a_random_split_shares_everything_out(sizes, seed):
    dataset = range(sum(sizes))
    parts = random_split(dataset, sizes, Generator(seed))
    assert [len(part) for part in parts] == sizes
    assert sorted(part[i] for part in parts for i in range(len(part))) == list(dataset)
    again = random_split(dataset, sizes, Generator(seed))
    assert [p.indices for p in parts] == [p.indices for p in again]


@given(st.integers(0, 1000), st.lists(st.integers(1, 100), min_size=1, max_size=6))
def test_a_split_by_fractions(n, weights):
    fractions = [weight / sum(weights) for weight in weights]
    sizes = [len(part) for part in random_split(range(n), fractions)]
    assert sum(sizes) == n
    assert all(abs(size - n * fraction) <= 1 for size, fraction in zip(sizes, fractions, strict=True))


@pytest.mark.parametrize(
    "lengths", [[3, 4], [-1, 11], [0.5, 0.6], [], [2.5, 7.5], [float("nan"), 1], [float("inf")], 0.8, ["a"]]
)
def test_lengths_that_do_not_add_up(lengths):
    with pytest.raises(ArgumentError, match="10 samples"):
        random_split(range(10), lengths)


class OneByOne(Dataset):
    """Samples one at a time."""

    def __init__(self, n):
        self.n = n

    def __getitem__(self, index):
        return index * index

    def __len__(self):
        return self.n


def test_datasets_side_by_side():
    x = np.arange(12.0).reshape(6, 2)
    whole = StackDataset(TensorDataset(x), OneByOne(6))
    assert len(whole) == 6
    (row,), square = whole[2]
    assert (row.tolist(), square) == ([4, 5], 4)
    (rows,), squares = next(iter(DataLoader(whole, 4)))
    assert (rows.tolist(), squares.tolist()) == (x[:4].tolist(), [0, 1, 4, 9])
    named = StackDataset(image=TensorDataset(x), label=TensorDataset(np.arange(6)))
    assert named[-1]["label"][0].item() == 5
    batch = named.__getitems__([3, 1])  # whole batches go on as such
    assert batch["image"][0].tolist() == x[[3, 1]].tolist()
    assert batch["label"][0].tolist() == [3, 1]
    assert [sorted(one) for one in StackDataset(a=OneByOne(2), b=OneByOne(2)).__getitems__([0, 1])] == [
        ["a", "b"]
    ] * 2


def test_datasets_that_cannot_stand_side_by_side():
    for args, kwargs in (((), {}), ((OneByOne(2),), {"b": OneByOne(2)})):
        with pytest.raises(ArgumentError, match="all of them by name or none"):
            StackDataset(*args, **kwargs)
    with pytest.raises(ArgumentError, match=r"one length, not \[2, 3\]"):
        StackDataset(OneByOne(2), OneByOne(3))
