"""What holds for every random transform: a batch is its images one by one, given the same draws, and nothing leaks."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_vision.transforms as T
from tt_tensor import Generator, Tensor, default_generator, manual_seed
from tt_tensor.errors import DTypeError

RANDOM = [
    T.RandomCrop(6, padding=2),
    T.RandomCrop((3, 11), padding=(1, 2, 3, 4), pad_if_needed=True, padding_mode="edge"),
    T.RandomCrop((16, 4), pad_if_needed=True, fill=9),
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(0.3),
    T.ColorJitter(0.4, 0.4, 0.4, 0.1),
    T.ColorJitter(brightness=(0.5, 2), hue=0.5),
    T.RandomErasing(0.8),
    T.RandomErasing(0.8, value=7),
    T.RandomResizedCrop(6),
    T.RandomResizedCrop((4, 9), scale=(0.5, 1), ratio=(1, 3), interpolation="nearest"),
    T.RandomGrayscale(0.5),
    T.GaussianBlur(5),
    T.GaussianBlur((1, 3), (0.5, 4.0)),
    T.RandomApply([T.GaussianBlur(3, 1.0), T.RandomHorizontalFlip(1.0)], 0.6),
    T.RandomChoice(
        [T.RandomHorizontalFlip(1.0), T.RandomVerticalFlip(1.0), T.GaussianBlur(3, 1.0)], [2, 1, 1]
    ),
    T.RandomRotation(30),
    T.RandomRotation((-180, 180), "bilinear", fill=5, center=(1, 2)),
    T.RandomAffine(20, (0.2, 0.1), (0.7, 1.4), (-9, 9, 0, 5), "bilinear"),
    T.RandomAffine(0, translate=(0.5, 0.5)),
]
FLOATS_ONLY = [T.RandomErasing(0.8, value="random")]
every = pytest.mark.parametrize("transform", RANDOM, ids=repr)


def batch(n, channels, h, w, dtype, last=False, seed=0):
    rng = np.random.default_rng(seed)
    shape = (n, h, w, channels) if last else (n, channels, h, w)
    images = (
        rng.integers(0, 256, shape, dtype=np.uint8) if dtype == np.uint8 else rng.random(shape).astype(dtype)
    )
    return images.transpose(0, 3, 1, 2) if last else images


def one_by_one(transform, images, draws):
    return np.concatenate(
        [transform.apply(images[i : i + 1], *(part[i : i + 1] for part in draws)) for i in range(len(images))]
    )


@pytest.mark.parametrize("transform", RANDOM + FLOATS_ONLY, ids=repr)
@settings(max_examples=12)
@given(
    n=st.sampled_from([1, 2, 3, 7, 127]),
    channels=st.sampled_from([1, 3]),
    size=st.tuples(st.integers(5, 13), st.integers(5, 13)),
    dtype=st.sampled_from([np.uint8, np.float32, np.float64, np.float16]),
    last=st.booleans(),
)
def test_a_batch_is_its_images_one_by_one(transform, n, channels, size, dtype, last):
    if dtype == np.uint8 and transform in FLOATS_ONLY:
        dtype = np.float32
    images = batch(n, channels, *size, dtype, last)
    before = images.copy()
    draws = transform.draw(images.shape, np.random.default_rng(1))
    assert all(len(part) == n for part in draws)
    got = transform.apply(images, *draws)
    np.testing.assert_array_equal(images, before)
    assert got.dtype == dtype and got.shape[:2] == (n, channels)
    np.testing.assert_array_equal(got, one_by_one(transform, images, draws))
    # The memory order of the images says nothing about them.
    other = np.ascontiguousarray(images) if last else batch_last(images)
    np.testing.assert_array_equal(got, transform.apply(other, *draws))


def batch_last(images):
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


@every
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_what_comes_back_is_of_the_kind_that_went_in(transform, dtype):
    for last in (False, True):
        images = batch(4, 3, 10, 12, dtype, last)
        got = transform(images)
        assert type(got) is np.ndarray and got.dtype == dtype and got.ndim == 4
        assert not np.shares_memory(got, images)
        moved = got.transpose(0, 2, 3, 1) if last else got
        assert moved.flags.c_contiguous
        wrapped = transform(Tensor(images))
        assert type(wrapped) is Tensor and wrapped.dtype == dtype and wrapped.shape == got.shape
        assert transform(images[0]).shape == got.shape[1:]
        assert transform(Tensor(images[0])).shape == got.shape[1:]


@every
def test_no_images_and_images_with_gaps(transform):
    images = batch(6, 3, 20, 24, np.float32)
    assert transform(images[:0]).shape == (0, *transform(images).shape[1:])
    gaps = images[::2, :, ::2, ::-2]
    draws = transform.draw(gaps.shape, np.random.default_rng(3))
    np.testing.assert_array_equal(
        transform.apply(gaps, *draws), transform.apply(np.ascontiguousarray(gaps), *draws)
    )


@every
def test_seeds_repeat_and_a_generator_of_its_own_is_used(transform):
    images = batch(64, 3, 10, 12, np.uint8)
    manual_seed(3)
    first, second = transform(images), transform(images)
    manual_seed(3)
    np.testing.assert_array_equal(transform(images), first)
    assert (first != second).any()
    apart = pickle.loads(pickle.dumps(transform))  # as it goes to a worker process
    assert repr(apart) == repr(transform)
    for seeded in (Generator, np.random.default_rng):
        apart.generator = seeded(3)
        before = default_generator().get_state()
        np.testing.assert_array_equal(apart(images), first)
        assert default_generator().get_state() == before


class Counting(np.random.Generator):
    """Counts the calls that draw."""

    calls = 0

    def random(self, *args, **kwargs):
        self.calls += 1
        return super().random(*args, **kwargs)

    def integers(self, *args, **kwargs):
        self.calls += 1
        return super().integers(*args, **kwargs)

    def uniform(self, *args, **kwargs):
        self.calls += 1
        return super().uniform(*args, **kwargs)


@every
def test_a_batch_is_one_call_of_the_generator(transform):
    rng = Counting(np.random.PCG64(0))
    transform.draw((100, 3, 10, 12), rng)
    assert rng.calls == 1


@every
def test_each_image_has_draws_of_its_own(transform):
    same = np.repeat(batch(1, 3, 10, 12, np.uint8), 100, axis=0)
    assert len({image.tobytes() for image in transform(same)}) >= 2
    jitters = [t for t in RANDOM if isinstance(t, T.ColorJitter | T.RandomRotation)]
    if transform in jitters:
        assert len({image.tobytes() for image in transform(same)}) > 30


def test_a_generator_that_is_none():
    for make in (
        lambda generator: T.RandomCrop(3, generator=generator),
        lambda generator: T.RandomHorizontalFlip(generator=generator),
        lambda generator: T.ColorJitter(0.1, generator=generator),
        lambda generator: T.RandomErasing(generator=generator),
        lambda generator: T.RandomRotation(5, generator=generator),
        lambda generator: T.RandomAffine(5, generator=generator),
    ):
        with pytest.raises(DTypeError, match="use Generator"):
            make(7)
