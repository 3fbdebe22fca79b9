"""Random erasing: one rectangle, as often, as large and as long as asked, anywhere."""

import numpy as np
import pytest

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor import Generator
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


def test_one_rectangle_and_nothing_else():
    x = np.random.default_rng(0).integers(1, 256, (200, 3, 12, 15), dtype=np.uint8)
    got = T.RandomErasing(1.0, generator=Generator(0))(x)
    for image, found in zip(x, got, strict=True):
        gone = (found == 0).all(axis=0)
        rows, columns = np.flatnonzero(gone.any(axis=1)), np.flatnonzero(gone.any(axis=0))
        assert gone.sum() == len(rows) * len(columns) > 0
        assert np.ptp(rows) + 1 == len(rows) and np.ptp(columns) + 1 == len(columns)
        np.testing.assert_array_equal(found[:, ~gone], image[:, ~gone])


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_the_share_that_is_erased(p):
    n = 20_000
    places, _ = T.RandomErasing(p).draw((n, 1, 32, 32), np.random.default_rng(0))
    assert abs(np.count_nonzero(places[:, 2]) - n * p) <= 5 * np.sqrt(n * p * (1 - p))


def test_area_ratio_and_place():
    n, size = 20_000, 200
    transform = T.RandomErasing(1.0, scale=(0.02, 0.33), ratio=(0.3, 3.3))
    places, _ = transform.draw((n, 3, size, size), np.random.default_rng(0))
    top, left, height, width = places.T.astype(float)
    assert top.min() == left.min() == 0
    assert (top + height).max() == size and (left + width).max() == size
    area, ratio = height * width / size**2, np.log(height / width)
    assert 0.0195 < area.min() < 0.021 and 0.325 < area.max() < 0.336
    # Uniform, with a fifth of a percent for what is rounded.
    assert abs(area.mean() - 0.175) < 5 * 0.31 / np.sqrt(12 * n) + 0.002
    assert abs(ratio.mean() - np.log(0.3 * 3.3) / 2) < 5 * np.log(11) / np.sqrt(12 * n) + 0.002
    assert np.log(0.3) - 0.05 < ratio.min() and ratio.max() < np.log(3.3) + 0.05
    # As much room above as below.
    share = top / np.maximum(size - height, 1)
    counts = np.histogram(share, 20, (0, 1))[0]
    assert np.sum((counts - n / 20) ** 2) / (n / 20) < 19 + 6 * np.sqrt(38)


def test_an_image_for_which_no_rectangle_fits_stays():
    x = np.ones((50, 1, 2, 40), np.float32)
    np.testing.assert_array_equal(T.RandomErasing(1.0, scale=(0.9, 1), ratio=(1, 1))(x), x)


def test_noise_is_normal():
    x = np.full((300, 3, 32, 32), 99, np.float32)
    got = T.RandomErasing(1.0, value="random", generator=Generator(0))(x)
    noise = got[got != 99]
    assert noise.size > 50_000
    assert abs(noise.mean()) < 5 / np.sqrt(noise.size) and abs(noise.std() - 1) < 5 / np.sqrt(2 * noise.size)
    # Each channel has its own.
    assert len(np.unique(noise)) > 0.9 * noise.size


def test_a_value_for_each_channel():
    x = np.zeros((20, 3, 8, 8), np.uint8)
    got = T.RandomErasing(1.0, value=(7, 8, 9))(x)
    for channel, value in enumerate((7, 8, 9)):
        assert set(np.unique(got[:, channel])) == {0, value}


def test_erase():
    x = np.random.default_rng(0).random((2, 3, 6, 7))
    wanted = x.copy()
    wanted[:, :, 1:4, 2:7] = 0.5
    np.testing.assert_array_equal(F.erase(x, 1, 2, 3, 5, 0.5), wanted)
    patch = np.arange(45.0).reshape(3, 3, 5)
    np.testing.assert_array_equal(F.erase(x[0], 1, 2, 3, 5, patch)[:, 1:4, 2:], patch)
    np.testing.assert_array_equal(F.erase(x, 6, 0, 0, 0), x)


WRONG = [
    (lambda: T.RandomErasing(2), ArgumentError, "p is from 0 to 1, not 2"),
    (lambda: T.RandomErasing(scale=(0.1, 1.5)), ArgumentError, "scale"),
    (lambda: T.RandomErasing(ratio=(0, 1)), ArgumentError, "ratio"),
    (lambda: T.RandomErasing(value="noise"), ArgumentError, "'random', not 'noise'"),
    (lambda: T.RandomErasing(1.0, value=(1, 2))(np.zeros((3, 8, 8), np.uint8)), ShapeError, "3 channels"),
    (lambda: T.RandomErasing(1.0, value=300)(np.zeros((3, 8, 8), np.uint8)), ArgumentError, "does not fit"),
    (lambda: T.RandomErasing(value="random")(np.zeros((3, 8, 8), np.uint8)), DTypeError, "behind ToTensor"),
    (lambda: F.erase(np.zeros((3, 8, 8)), 4, 4, 5, 1), ArgumentError, "not inside"),
    (
        lambda: F.erase(np.zeros((3, 8, 8)), 0, 0, 2, 2, np.ones((3, 3, 3))),
        ShapeError,
        r"\(3, 2, 2\), not of shape",
    ),
    (lambda: F.erase(np.zeros((3, 8, 8)), -1, 4, 5, 1), ArgumentError, "rectangle"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
