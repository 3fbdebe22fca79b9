"""Transforms: functions of a whole batch, on datasets of every kind."""

from functools import partial

import numpy as np
import pytest

from tt_data import (
    Compose,
    DataLoader,
    Dataset,
    Lambda,
    PerSample,
    Subset,
    TensorDataset,
    Transform,
    TransformedDataset,
)
from tt_tensor import Generator, Tensor, manual_seed, normal
from tt_tensor.errors import DTypeError, ShapeError

x = np.arange(24, dtype=np.float32).reshape(6, 4)
y = np.arange(6)


class Singles(Dataset):
    """The same samples, without batches."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return x[index], int(y[index])


class Calls:
    """Doubles, and counts how often it is called."""

    def __init__(self):
        self.shapes = []

    def __call__(self, batch):
        self.shapes.append(batch.shape)
        return batch * 2


@pytest.mark.parametrize("dataset", [TensorDataset(x, y), Singles(), list(zip(x, y, strict=True))])
def test_one_call_for_a_batch(dataset):
    double = Calls()
    transformed = TransformedDataset(dataset, double, lambda labels: labels + 100)
    batches = list(DataLoader(transformed, 4))
    assert double.shapes == [(4, 4), (2, 4)]
    np.testing.assert_array_equal(np.concatenate([b[0] for b in batches]), x * 2, strict=True)
    assert [n for b in batches for n in b[1].tolist()] == (y + 100).tolist()
    assert len(transformed) == 6


@pytest.mark.parametrize("dataset", [TensorDataset(x, y), Singles()])
def test_a_sample_is_a_batch_of_one(dataset):
    transformed = TransformedDataset(dataset, partial(normal, std=0.5), lambda labels: -labels)
    manual_seed(4)
    image, label = transformed[3]
    manual_seed(4)
    images, labels = transformed.__getitems__([3])
    np.testing.assert_array_equal(image, images[0])
    assert image.shape == (4,) and np.asarray(image).dtype == np.float32
    assert int(label) == int(labels[0]) == -3


def test_a_single_sample_has_the_distribution_of_a_batch():
    dataset = TensorDataset(np.zeros((1, 2000), np.float32)).with_transform(partial(normal, std=2.0))
    manual_seed(1)
    alone = np.asarray(dataset[0][0])
    (together,) = dataset.__getitems__([0, 0, 0])
    for row in (alone, *np.asarray(together)):
        assert abs(row.mean()) < 5 * 2 / np.sqrt(2000) and abs(row.std() - 2) < 0.2
    assert not np.array_equal(together[0], together[1])


def test_inputs_of_different_shapes_are_batches_of_one():
    ragged = [(np.full(n, n, np.float32), n) for n in (3, 5, 4)]
    first_two = Calls()
    dataset = TransformedDataset(ragged, Compose([first_two, Lambda(lambda batch: batch[:, :2])]))
    (batch,) = DataLoader(dataset, 3)
    assert first_two.shapes == [(1, 3), (1, 5), (1, 4)]
    assert batch[0].tolist() == [[6, 6], [10, 10], [8, 8]] and batch[1].tolist() == [3, 5, 4]


def test_dicts_and_inputs_alone():
    dataset = TransformedDataset(
        [{"inputs": 1.0, "targets": 2, "id": "a"}], lambda v: v + 1, lambda v: v * 10
    )
    (batch,) = DataLoader(dataset)
    assert batch["inputs"].tolist() == [2] and batch["targets"].tolist() == [20] and batch["id"] == ["a"]
    assert dataset[0]["id"] == "a" and float(dataset[0]["inputs"]) == 2
    assert [b.tolist() for b in DataLoader(TransformedDataset([1.0, 2.0], lambda v: v + 1), 2)] == [[2, 3]]


def test_a_sample_may_hold_an_empty_list():
    """Such as a picture on which nothing was found."""
    samples = TransformedDataset([(np.ones((1, 2, 2)), []), (np.ones((1, 2, 2)), [])], np.negative)
    assert samples[0][1] == [] == next(iter(DataLoader(samples, 2)))[1]


def test_wrappers_pass_batches_on():
    double = Calls()
    dataset = Subset(TensorDataset(x, y).with_transform(double), [5, 1, 3]) + TensorDataset(x, y)
    batch = dataset.__getitems__([0, 3, 2])
    assert double.shapes == [(2, 4)]
    np.testing.assert_array_equal(batch[0], [x[5] * 2, x[0], x[3] * 2])


def test_composition_is_in_order():
    composed = Compose([lambda v: v + 1, Lambda(np.square)])
    np.testing.assert_array_equal(composed(np.array([1.0, 2.0])), [4, 9])
    assert repr(Compose([Lambda(np.square)])) == "Compose([Lambda(square)])"


def test_a_function_of_one_sample():
    np.testing.assert_array_equal(PerSample(np.cumsum)(x), np.cumsum(x, axis=1), strict=True)
    np.testing.assert_array_equal(PerSample(lambda v: Tensor(v))(Tensor(x)), x)
    assert PerSample(np.cumsum)(x[:0]).shape == (0, 4)


def test_a_transform_of_ones_own():
    class Scale(Transform):
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, batch):
            return batch * self.factor

    assert repr(Scale(3)) == "Scale(factor=3)"
    np.testing.assert_array_equal(TensorDataset(x).with_transform(Scale(3))[1][0], x[1] * 3)
    with pytest.raises(NotImplementedError, match="__call__"):
        Transform()(x)


def test_what_is_refused():
    with pytest.raises(ShapeError, match="PerSample"):
        TensorDataset(x).with_transform(lambda batch: batch[:1]).__getitems__([0, 1])
    with pytest.raises(DTypeError, match="no targets"):
        TensorDataset(x).with_transform(None, np.negative).__getitems__([0, 1])
    with pytest.raises(DTypeError, match="no targets"):
        TransformedDataset([1.0], None, np.negative)[0]
    with pytest.raises(DTypeError, match="'inputs'"):
        TransformedDataset([{"image": 1.0}], np.negative)[0]
    for make in (
        lambda: TransformedDataset(x, 3),
        lambda: Compose([3]),
        lambda: Lambda(3),
        lambda: PerSample(3),
    ):
        with pytest.raises(DTypeError, match="call"):
            make()
    with pytest.raises(DTypeError, match="takes a list of transforms, not one Lambda"):
        Compose(Lambda(np.negative))


def test_a_generator_of_a_transforms_own_is_seeded_for_each_batch():
    own = Generator(9)
    state = own.get_state()
    dataset = TensorDataset(np.zeros((6, 3), np.float32)).with_transform(partial(normal, generator=own))
    runs = [[b[0].tolist() for b in DataLoader(dataset, 2, generator=Generator(s))] for s in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][0] != runs[0][1]
    assert own.get_state() == state
