"""Crops and paddings against NumPy's slices and np.pad; the places of random crops are uniform."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor import Generator
from tt_tensor.errors import ArgumentError, ShapeError


def images(n=3, channels=3, h=7, w=9, dtype=np.uint8):
    return np.random.default_rng(0).integers(1, 256, (n, channels, h, w)).astype(dtype)


def around(padding):
    """np.pad's widths of (left, top, right, bottom)."""
    left, top, right, bottom = padding
    return ((0, 0), (0, 0), (top, bottom), (left, right))


@settings(max_examples=25)
@given(
    st.tuples(*[st.integers(0, 6)] * 4),
    st.sampled_from(["constant", "edge", "reflect", "symmetric"]),
    st.sampled_from([np.uint8, np.int64, np.float32, np.float64]),
)
def test_pad_is_np_pad(padding, mode, dtype):
    x = images(dtype=dtype)
    wanted = np.pad(x, around(padding), mode)
    np.testing.assert_array_equal(F.pad(x, padding, padding_mode=mode), wanted)
    assert T.Pad(padding, padding_mode=mode)(x).dtype == dtype


@settings(max_examples=25)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    padding=st.tuples(*[st.integers(0, 6)] * 4),
    mode=st.sampled_from(["constant", "edge", "reflect", "symmetric"]),
    seed=st.integers(0, 99),
)
def test_a_random_crop_is_a_slice_of_the_padded_image(size, padding, mode, seed):
    x = images(5)
    transform = T.RandomCrop(size, padding, pad_if_needed=True, padding_mode=mode)
    left, top, right, bottom = padding
    if mode in ("reflect", "symmetric") and size[0] > top + 7 + bottom:
        return
    rows, columns = transform.draw(x.shape, np.random.default_rng(seed))
    lacks_h, lacks_w = max(size[0] - top - 7 - bottom, 0), max(size[1] - left - 9 - right, 0)
    outer = np.pad(x, around((left + lacks_w, top + lacks_h, right + lacks_w, bottom + lacks_h)), mode)
    got = transform.apply(x, rows, columns)
    for image, row, column, found in zip(outer, rows, columns, got, strict=True):
        assert 0 <= row <= outer.shape[2] - size[0] and 0 <= column <= outer.shape[3] - size[1]
        np.testing.assert_array_equal(found, image[:, row : row + size[0], column : column + size[1]])


@pytest.mark.parametrize("padding", [4, (0, 2), (1, 2, 3, 4)])
def test_all_places_are_equally_likely(padding):
    n, transform = 40_000, T.RandomCrop((8, 10), padding)
    left, top, right, bottom = transform.padding
    rows, columns = transform.draw((n, 1, 8, 10), np.random.default_rng(5))
    places = (top + bottom + 1) * (left + right + 1)
    counts = np.bincount(rows * (left + right + 1) + columns, minlength=places)
    assert len(counts) == places
    chi_square = np.sum((counts - n / places) ** 2) / (n / places)
    assert chi_square < places - 1 + 5 * np.sqrt(2 * (places - 1))


def test_what_is_drawn_is_what_is_seen():
    numbered = np.arange(1, 401, dtype=np.int16).reshape(1, 1, 20, 20)
    transform = T.RandomCrop(3, generator=Generator(5))
    rows, columns = transform.draw((50, 1, 20, 20), Generator(5).rng)
    got = transform(np.repeat(numbered, 50, axis=0))
    np.testing.assert_array_equal(got[:, 0, 0, 0], rows * 20 + columns + 1)


def test_fill_is_in_units_of_the_images():
    padded = F.pad(images(), (1, 0, 0, 2), fill=(10, 20, 30))
    assert padded.dtype == np.uint8
    np.testing.assert_array_equal(padded[0, :, -1, 4], [10, 20, 30])
    np.testing.assert_array_equal(padded[:, 1, :, 0], 20)
    corner = T.RandomCrop(3, padding=3, fill=0.5).apply(images(dtype=np.float32), *np.zeros((2, 3), int))
    np.testing.assert_array_equal(corner, 0.5)


def test_a_crop_inside_is_a_view():
    x = images()
    assert np.shares_memory(F.crop(x, 1, 2, 3, 4), x) and np.shares_memory(T.CenterCrop(5)(x), x)


def test_everything_outside_is_zero():
    x = images()
    assert not F.crop(x, 20, 3, 4, 4).any() and not F.crop(x, -9, -9, 4, 4).any()
    assert F.crop(x, 20, 3, 4, 4).shape == (3, 3, 4, 4)


WRONG = [
    (lambda: T.RandomCrop(0), ArgumentError, "from 1, not 0"),
    (lambda: T.RandomCrop((3, 4, 5)), ArgumentError, "size is one integer or"),
    (lambda: T.RandomCrop(2.5), ArgumentError, "not 2.5"),
    (lambda: T.RandomCrop(True), ArgumentError, "not True"),
    (lambda: T.RandomCrop(3, padding=-1), ArgumentError, "from 0, not -1"),
    (lambda: T.RandomCrop(3, padding=(1, 2, 3)), ArgumentError, "left, top, right, bottom"),
    (lambda: T.RandomCrop(3, padding_mode="wrap"), ArgumentError, "'edge'.*not 'wrap'"),
    (lambda: T.RandomCrop(10)(images()), ShapeError, r"\(10, 10\) does not fit into images of \(7, 9\)"),
    (lambda: T.RandomCrop(3, padding=8, padding_mode="reflect")(images()), ShapeError, "9 pixels are needed"),
    (lambda: T.Pad(1, fill=(1, 2))(images()), ShapeError, "2,.*3 channels"),
    (lambda: T.Pad(1, fill=256)(images()), ArgumentError, "256 does not fit into uint8"),
    (lambda: T.Pad(1, fill="red")(images()), ArgumentError, "numbers"),
    (lambda: F.pad(images(), 8, padding_mode="symmetric"), ShapeError, "8 pixels are needed where 7 are"),
    (lambda: F.crop(images(), 0, 0, 0, 3), ArgumentError, "the window"),
    (lambda: F.crop(images(), 1.5, 0, 2, 3), ArgumentError, "corner is made of integers, not 1.5"),
    (lambda: F.crop(images(), 0, "0", 2, 3), ArgumentError, "not '0'"),
    (lambda: T.CenterCrop("big"), ArgumentError, "size"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
