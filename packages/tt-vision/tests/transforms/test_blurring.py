"""GaussianBlur by its definition, its limits, and what is refused."""

import numpy as np
import pytest

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor.errors import ArgumentError, ShapeError


def by_loops(x, sizes, sigma):
    half = [size // 2 for size in sizes]
    wide = np.pad(x, ((0, 0), (0, 0), (half[0],) * 2, (half[1],) * 2), "reflect").astype(np.float64)
    down, across = (np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2)) for size in sizes)
    kernel = np.outer(down, across) / (down.sum() * across.sum())
    y = np.empty(x.shape)
    for n, c, i, j in np.ndindex(x.shape):
        y[n, c, i, j] = (wide[n, c, i : i + sizes[0], j : j + sizes[1]] * kernel).sum()
    return y


@pytest.mark.parametrize("sizes", [(3, 3), (5, 3), (1, 7)])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0])
def test_definition(sizes, sigma):
    x = np.random.default_rng(0).random((2, 3, 8, 9))
    np.testing.assert_allclose(F.gaussian_blur(x, sizes, sigma), by_loops(x, sizes, sigma), 1e-12)
    whole = (x * 255).astype(np.uint8)
    np.testing.assert_array_equal(
        F.gaussian_blur(whole, sizes, sigma), np.rint(by_loops(whole, sizes, sigma))
    )


def test_each_image_has_a_sigma_of_its_own():
    x = np.random.default_rng(0).random((2, 1, 8, 8))
    both = F.gaussian_blur(x, 5, np.array([0.5, 2.0]))
    np.testing.assert_allclose(both[1], F.gaussian_blur(x[1], 5, 2.0), 1e-12)
    np.testing.assert_allclose(F.gaussian_blur(x, 5), F.gaussian_blur(x, 5, 0.15 * 5 + 0.35), 1e-12)
    (drawn,) = T.GaussianBlur(3, (0.5, 0.7)).draw((1000, 1, 4, 4), np.random.default_rng(0))
    assert 0.5 <= drawn.min() < 0.51 and 0.69 < drawn.max() <= 0.7


def test_an_even_picture_stays_so():
    assert (F.gaussian_blur(np.full((1, 3, 6, 6), 77, np.uint8), 5) == 77).all()


def test_what_is_refused():
    x = np.zeros((1, 3, 4, 4), np.float32)
    with pytest.raises(ArgumentError, match="kernel_size is odd"):
        T.GaussianBlur(4)
    with pytest.raises(ArgumentError, match="sigma must be above 0"):
        F.gaussian_blur(x, 3, 0.0)
    with pytest.raises(ArgumentError, match="sigma is"):
        T.GaussianBlur(3, (2.0, 1.0))
    with pytest.raises(ShapeError, match="pixels are needed"):
        F.gaussian_blur(x, 9)
