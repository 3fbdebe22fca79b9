"""Resize: shares that add up, bytes that are the floats rounded, sizes as asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.transforms.resizing import weights

lengths = st.integers(1, 40)


@settings(max_examples=50)
@given(lengths, lengths, st.booleans())
def test_the_shares_of_a_new_pixel_add_up(old, new, antialias):
    matrix = weights(old, new, antialias)
    assert matrix.shape == (new, old) and matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    # Mirrored images give mirrored images.
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-12)
    if not antialias or new >= old:
        assert np.count_nonzero(matrix > 1e-12, axis=1).max() <= 2
    elif old > 2 * new:
        # No old pixel is skipped, and all have about the same say.
        assert matrix.sum(axis=0).min() > 0


@settings(max_examples=25)
@given(st.integers(0, 3), lengths, lengths, lengths, lengths, st.booleans())
def test_bytes_are_the_floats_rounded(n, h, w, new_h, new_w, antialias):
    x = np.random.default_rng(0).integers(0, 256, (n, 3, h, w), dtype=np.uint8)
    got = F.resize(x, (new_h, new_w), antialias=antialias)
    exact = F.resize(x.astype(np.float64), (new_h, new_w), antialias=antialias)
    assert got.dtype == np.uint8 and got.shape == exact.shape == (n, 3, new_h, new_w)
    assert np.all(np.abs(got - exact) < 0.5001)


@settings(max_examples=50)
@given(lengths, lengths)
def test_nearest_in_a_loop(old, new):
    x = np.arange(old * 2, dtype=np.int64).reshape(1, 1, old, 2)
    for mode, shift in (("nearest", 0), ("nearest-exact", 0.5)):
        got = F.resize(x, (new, 2), mode)
        assert got[0, 0, :, 0].tolist() == [2 * int((i + shift) * old / new + 1e-9) for i in range(new)]


def test_sizes():
    tall = np.zeros((1, 3, 40, 30), np.float32)
    assert T.Resize(15)(tall).shape == (1, 3, 20, 15)
    assert T.Resize(15, max_size=16)(tall).shape == (1, 3, 16, 12)
    assert T.Resize(None, max_size=20)(tall).shape == (1, 3, 20, 15)
    assert T.Resize((7, 9))(tall).shape == (1, 3, 7, 9)
    assert T.Resize(15)(tall.transpose(0, 1, 3, 2)).shape == (1, 3, 15, 20)
    assert T.Resize(30)(tall) is tall


def test_one_colour_stays():
    for dtype, value in ((np.uint8, 201), (np.float32, 0.3), (np.float16, 0.25)):
        got = F.resize(np.full((2, 1, 17, 5), value, dtype), (6, 11))
        assert got.dtype == dtype
        np.testing.assert_allclose(got, dtype(value), rtol=1e-6)


def test_the_shared_matrix_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        weights(8, 4, True)[0, 0] = 9


WRONG = [
    (lambda: T.Resize((1, 2, 3)), ArgumentError, "shorter side or"),
    (lambda: T.Resize(0), ArgumentError, "from 1"),
    (lambda: T.Resize(None), ArgumentError, "max_size must be"),
    (lambda: T.Resize((4, 4), max_size=8), ArgumentError, "max_size=8"),
    (lambda: T.Resize(9, max_size=8), ArgumentError, "max_size=8"),
    (lambda: T.Resize("3", max_size=8), ArgumentError, "from 1, not '3'"),
    (lambda: T.Resize(4, "bicubic"), ArgumentError, "'bilinear'.*not 'bicubic'"),
    (lambda: T.Resize(2)(np.zeros((1, 4, 4), np.int64)), DTypeError, "not int64"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "nearest-exact"])
@pytest.mark.parametrize(
    ("shape", "size", "max_size", "message"),
    [
        ((3, 32, 1), 7, 12, "max_size=12 leaves images of 32 × 1 no pixel across"),
        ((2, 3, 1, 40), None, 20, "leaves images of 1 × 40 no pixel across"),
        ((3, 0, 5), 7, None, "images of 0 × 5 have no pixels"),
        ((3, 5, 0), (7, 7), None, "images of 5 × 0 have no pixels"),
    ],
)
def test_images_of_which_nothing_would_be_left(shape, size, max_size, message, interpolation):
    with pytest.raises(ShapeError, match=message):
        F.resize(np.zeros(shape, np.uint8), size, interpolation, max_size)
