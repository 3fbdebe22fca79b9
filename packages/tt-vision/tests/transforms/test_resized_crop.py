"""RandomResizedCrop: windows of the area and the shape that were asked for, anywhere; each resized."""

import numpy as np
import pytest

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


def test_each_window_is_cropped_and_resized():
    x = np.random.default_rng(0).random((5, 3, 20, 30), np.float32)
    transform = T.RandomResizedCrop((8, 12))
    (windows,) = transform.draw(x.shape, np.random.default_rng(1))
    got = transform.apply(x, windows)
    for image, found, (top, left, height, width) in zip(x, got, windows, strict=True):
        part = image[:, top : top + height, left : left + width]
        np.testing.assert_array_equal(found, F.resize(part, (8, 12)))
        np.testing.assert_array_equal(found, F.resized_crop(image, top, left, height, width, (8, 12)))


def test_area_ratio_and_place():
    n, rows, columns = 20_000, 200, 300
    (windows,) = T.RandomResizedCrop(4, scale=(0.1, 0.3)).draw(
        (n, 3, rows, columns), np.random.default_rng(0)
    )
    top, left, height, width = windows.T.astype(float)
    assert top.min() == left.min() == 0
    assert (top + height).max() == rows and (left + width).max() == columns
    area, ratio = height * width / (rows * columns), np.log(width / height)
    # Uniform, with a fifth of a percent for what is rounded.
    assert abs(area.mean() - 0.2) < 5 * 0.2 / np.sqrt(12 * n) + 0.002
    assert abs(ratio.mean()) < 5 * np.log(16 / 9) / np.sqrt(12 * n) + 0.002
    assert np.log(0.75) - 0.03 < ratio.min() and ratio.max() < np.log(4 / 3) + 0.03


@pytest.mark.parametrize(
    ("size", "window"), [((4, 100), (0, 47, 4, 5)), ((100, 4), (47, 0, 5, 4)), ((10, 12), (0, 0, 10, 12))]
)
def test_where_no_window_fits_it_is_the_largest_in_the_middle(size, window):
    """torchvision's: as wide or as high as `ratio` lets it be."""
    (windows,) = T.RandomResizedCrop(3, scale=(0, 0)).draw((1, 1, *size), np.random.default_rng(0))
    assert tuple(windows[0]) == window


WRONG = [
    (lambda: T.RandomResizedCrop(0), ArgumentError, "from 1, not 0"),
    (lambda: T.RandomResizedCrop(4, scale=(0.1, 2)), ArgumentError, "scale"),
    (lambda: T.RandomResizedCrop(4, ratio=(0, 1)), ArgumentError, "ratio"),
    (lambda: T.RandomResizedCrop(4, interpolation="bicubic"), ArgumentError, "not 'bicubic'"),
    (lambda: T.RandomResizedCrop(4)(np.zeros((3, 0, 4), np.uint8)), ShapeError, "no pixels"),
    (lambda: T.RandomGrayscale(2), ArgumentError, "p is from 0 to 1"),
    (lambda: T.RandomGrayscale()(np.zeros((3, 4, 4), np.int64)), DTypeError, "not int64"),
    (lambda: T.RandomGrayscale()(np.zeros((2, 4, 4), np.uint8)), ShapeError, "not 2"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
