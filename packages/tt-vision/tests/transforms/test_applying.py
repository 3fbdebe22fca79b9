"""RandomApply and RandomChoice: as often as said, and what cannot be one batch is refused."""

import numpy as np
import pytest

import tt_vision.transforms as T
from tt_tensor import Generator
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

N = 2000


def images():
    return np.tile(np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2), (N, 1, 1, 1))


def share(y, wanted):
    return (y.reshape(N, 4) == wanted).all(1).mean()


def test_apply_as_often_as_said():
    x = images()
    y = T.RandomApply([T.RandomHorizontalFlip(1.0), T.RandomVerticalFlip(1.0)], 0.3, generator=Generator(0))(
        x
    )
    turned = share(y, [3, 2, 1, 0])
    assert abs(turned - 0.3) < 5 * np.sqrt(0.21 / N)
    assert share(y, [0, 1, 2, 3]) == pytest.approx(1 - turned)
    np.testing.assert_array_equal(T.RandomApply([T.RandomHorizontalFlip(1.0)], 0.0)(x), x)
    assert share(T.RandomApply([T.RandomHorizontalFlip(1.0)], 1.0)(x), [1, 0, 3, 2]) == 1


def test_what_it_calls_draws_from_its_generator():
    transform = T.RandomApply([T.RandomHorizontalFlip()], 1.0, generator=Generator(5))
    first, second = transform(images()), transform(images())
    transform.generator = Generator(5)
    np.testing.assert_array_equal(transform(images()), first)
    assert (first != second).any() and 0.4 < share(first, [1, 0, 3, 2]) < 0.6


def test_choice_by_weights():
    transforms = [T.RandomHorizontalFlip(1.0), T.RandomVerticalFlip(1.0)]
    y = T.RandomChoice(transforms, [3, 1], generator=Generator(0))(images())
    across = share(y, [1, 0, 3, 2])
    assert abs(across - 0.75) < 5 * np.sqrt(0.75 * 0.25 / N)
    assert share(y, [2, 3, 0, 1]) == pytest.approx(1 - across)
    even = T.RandomChoice(transforms, generator=Generator(0))(images())
    assert abs(share(even, [1, 0, 3, 2]) - 0.5) < 5 * np.sqrt(0.25 / N)
    assert share(T.RandomChoice(transforms, [0, 1])(images()), [2, 3, 0, 1]) == 1


def test_what_is_refused():
    x = images()
    with pytest.raises(ShapeError, match=r"made .* of images of"):
        T.RandomApply([T.CenterCrop(1)], 1.0)(x)
    with pytest.raises(DTypeError, match="float64 of float32"):
        T.RandomChoice([T.Lambda(lambda x: x.astype(np.float64))])(x)
    with pytest.raises(DTypeError, match="list of transforms"):
        T.RandomApply(T.CenterCrop(1))
    with pytest.raises(ArgumentError, match="p is from 0 to 1"):
        T.RandomApply([], 2)
    with pytest.raises(ArgumentError, match="at least one"):
        T.RandomChoice([])
    for p in ([1], [-1, 2], [0, 0], ["a", "b"]):
        with pytest.raises(ArgumentError, match="weight from 0 up for each of 2"):
            T.RandomChoice([T.CenterCrop(1), T.CenterCrop(2)], p)
