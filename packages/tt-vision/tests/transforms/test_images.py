"""What every transform does with its input: errors that say what is wrong, gradients that are not lost in silence."""

import numpy as np
import pytest

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor import Tensor, default_generator, recorder
from tt_tensor.errors import DTypeError, GradientError, ShapeError
from tt_vision.transforms.images import in_order, seen, stored

ALL = [
    T.CenterCrop(4),
    T.ColorJitter(0.1),
    T.Grayscale(),
    T.Normalize(0.5, 0.5),
    T.Pad(1),
    T.RandomCrop(4),
    T.RandomErasing(),
    T.RandomHorizontalFlip(),
    T.RandomRotation(5),
    T.Resize(4),
    T.ToDtype("float64"),
]
every = pytest.mark.parametrize("transform", ALL, ids=repr)


@every
def test_what_is_no_image(transform):
    with pytest.raises(DTypeError, match="not list"):
        transform([[1.0]])
    for shape in ((), (4,), (4, 4), (1, 1, 3, 4, 4)):
        with pytest.raises(ShapeError, match=r"\(C, H, W\)"):
            transform(np.zeros(shape, np.float32))


class Records:
    """A recorder that records."""

    def record(self, function, inputs, output):
        return False


@every
def test_a_gradient_is_not_lost_in_silence(transform):
    images = Tensor(np.zeros((2, 3, 6, 6), np.float32), requires_grad=True)
    before = recorder.install(Records())
    try:
        with pytest.raises(GradientError, match="detach"):
            transform(images)
        assert transform(images.detach()).shape[0] == 2
    finally:
        recorder.install(before)


def test_what_draws_nothing_is_the_same_each_time():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 9, 11), dtype=np.uint8)
    state = default_generator().get_state()
    steps = [T.Resize(8), T.CenterCrop(6), T.Grayscale(3), T.Pad(1), T.Normalize((0.5, 0.4, 0.3), 0.25)]
    results = []
    for _ in range(2):
        found = images
        for step in steps:
            found = step(found)
        results.append(found)
    np.testing.assert_array_equal(*results)
    assert default_generator().get_state() == state
    for index in range(5):
        one = images[index]
        for step in steps:
            one = step(one)
        np.testing.assert_allclose(one, results[0][index], rtol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (0, 3, 4, 5), (1, 1, 4, 5), (2, 3, 1, 1)])
def test_the_order_in_memory_is_found_without_a_copy(shape):
    first = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    last = in_order(first, True)
    for images in (first, last):
        memory, has_last = stored(images)
        assert memory.flags.c_contiguous
        np.testing.assert_array_equal(seen(memory, has_last), first)
        assert images.size == 0 or np.shares_memory(memory, images)
        again = in_order(images, has_last)
        assert images.size == 0 or np.shares_memory(again, images)


def test_a_repr_shows_what_is_not_the_default():
    assert repr(T.RandomCrop(32, padding=4)) == "RandomCrop(size=(32, 32), padding=(4, 4, 4, 4))"
    assert repr(T.RandomHorizontalFlip()) == "RandomHorizontalFlip()"
    assert repr(T.Normalize(0.5, 0.25)) == "Normalize(mean=(0.5,), std=(0.25,))"
    assert repr(T.Resize(8, antialias=False)) == "Resize(size=8, antialias=False)"
    assert repr(T.ToTensor()) == "ToTensor()"


def test_every_name_is_there():
    assert all(hasattr(T, name) for name in T.__all__) and all(hasattr(F, name) for name in F.__all__)
