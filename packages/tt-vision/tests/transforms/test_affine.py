"""Rotations and affine maps: right angles exact, the way back undoes the way, edges as if on a ground of the fill."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor import Generator
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.transforms.affine import way_back


def images(n=4, channels=3, h=9, w=9, dtype=np.uint8):
    x = np.random.default_rng(0).random((n, channels, h, w))
    return (x * 255).astype(dtype) if dtype == np.uint8 else x.astype(dtype)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [8, 9])
def test_right_angles_are_exact(mode, size):
    x = images(h=size, w=size)
    for quarters in range(-3, 6):
        np.testing.assert_array_equal(F.rotate(x, 90 * quarters, mode), np.rot90(x, quarters, (2, 3)))
    floats = images(h=size, w=size, dtype=np.float64)
    np.testing.assert_allclose(F.rotate(floats, -90, mode), np.rot90(floats, -1, (2, 3)), atol=1e-12)


angles, steps = st.floats(-180, 180), st.floats(-9, 9)


@settings(max_examples=25)
@given(angles, st.tuples(steps, steps), st.floats(0.3, 3), st.tuples(*[st.floats(-40, 40)] * 2), steps, steps)
def test_the_way_back_undoes_the_way(angle, translate, scale, shear, x, y):
    center = np.array([1.5, -2.0])
    turn, (slant_x, slant_y) = np.deg2rad(angle), np.deg2rad(shear)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    sheared = np.array([[1, 0], [-np.tan(slant_y), 1]]) @ np.array([[1, -np.tan(slant_x)], [0, 1]])
    there = scale * rotation @ sheared @ (np.array([x, y]) - center) + center + translate
    (back,) = way_back(angle, translate, scale, shear, center)
    np.testing.assert_allclose(back @ [*there, 1], [x, y], atol=1e-9)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@settings(max_examples=20)
@given(angles, st.floats(0.4, 1.5))
def test_an_edge_lies_on_a_ground_of_the_fill(mode, angle, scale):
    x, fill = images(2, dtype=np.float64), (0.1, 0.9, -0.5)
    # A shift that puts no pixel right between two, where a last bit would decide which is the nearest.
    shift = (1.03, 0.017)
    got = F.affine(x, angle, shift, scale, (5, 0), mode, fill)
    ground = F.pad(x, 12, fill=fill)
    wanted = F.center_crop(F.affine(ground, angle, shift, scale, (5, 0), mode, fill), 9)
    np.testing.assert_allclose(got, wanted, atol=1e-9)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_an_array_of_angles_is_each_by_itself(mode):
    x, angle = images(5, h=7, w=10), np.array([0, 10, -200, 77.7, 45])
    got = F.rotate(x, angle, mode, center=(2, 3), fill=9)
    for index, degrees in enumerate(angle):
        np.testing.assert_array_equal(got[index], F.rotate(x[index], degrees, mode, False, (2, 3), 9))


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_a_shift_by_whole_pixels_is_a_slice(mode):
    x = images(dtype=np.float32)
    got = F.affine(x, 0, (2, -3), 1, 0, mode)
    np.testing.assert_array_equal(got[:, :, :-3, 2:], x[:, :, 3:, :-2])
    assert not got[:, :, -3:].any() and not got[..., :2].any()


def test_more_images_than_a_block():
    x = images(100, 1, 30, 31)
    got = T.RandomRotation(40, "bilinear").apply(x, np.linspace(-40, 40, 100))
    for index in (0, 69, 70, 99):
        np.testing.assert_array_equal(
            got[index], F.rotate(x[index], np.linspace(-40, 40, 100)[index], "bilinear")
        )


def test_labels_of_any_dtype_are_moved_to_the_nearest():
    labels = np.random.default_rng(0).integers(0, 10**6, (2, 1, 8, 8))
    np.testing.assert_array_equal(F.rotate(labels, 90), np.rot90(labels, 1, (2, 3)))


def test_what_is_drawn_is_uniform():
    n, rng = 40_000, np.random.default_rng(0)
    (angle,) = T.RandomRotation((-10, 30)).draw((n, 1, 28, 28), rng)
    drawn = [
        angle,
        *T.RandomAffine((-10, 30), scale=(0.5, 1.5), shear=(-3, 3, 2, 4)).draw((n, 1, 28, 28), rng),
    ]
    ends = [(-10, 30), (-10, 30), (0, 0), (0, 0), (0.5, 1.5), (-3, 3), (2, 4)]
    for values, (low, high) in zip(drawn, ends, strict=True):
        assert values.min() >= low and values.max() <= high
        if high > low:
            counts = np.histogram(values, 20, (low, high))[0]
            assert np.sum((counts - n / 20) ** 2) / (n / 20) < 19 + 5 * np.sqrt(38)


def test_shifts_are_whole_pixels_up_to_the_share():
    transform = T.RandomAffine(0, translate=(0.1, 0.25), generator=Generator(0))
    _, to_x, to_y, *_ = transform.draw((5000, 1, 20, 28), np.random.default_rng(0))
    assert sorted(set(to_x)) == [-3, -2, -1, 0, 1, 2, 3] and sorted(set(to_y)) == list(range(-5, 6))
    one = np.zeros((5000, 1, 20, 28), np.uint8)
    one[:, :, 10, 14] = 1
    found = np.argwhere(transform(one)[:, 0])
    assert len(found) == 5000 and np.abs(found[:, 1:] - [10, 14]).max(axis=0).tolist() == [5, 3]


WRONG = [
    (lambda: T.RandomRotation(-5), ArgumentError, "degrees"),
    (lambda: T.RandomRotation((5, -5)), ArgumentError, "in this order"),
    (lambda: T.RandomRotation(5, expand=True), ArgumentError, "different sizes"),
    (lambda: T.RandomRotation(5, "bicubic"), ArgumentError, "'nearest'"),
    (lambda: T.RandomRotation(5, center=(1, 2, 3))(images()), ArgumentError, "center is"),
    (lambda: T.RandomRotation(5, fill=(1, 2))(images()), ShapeError, "3 channels"),
    (lambda: T.RandomAffine(0, translate=(0.1, 1.5)), ArgumentError, "translate is from 0 to 1, not 1.5"),
    (lambda: T.RandomAffine(0, translate=0.1), ArgumentError, "translate is a pair"),
    (lambda: T.RandomAffine(0, scale=(0, 1)), ArgumentError, "scale"),
    (lambda: T.RandomAffine(0, shear=90), ArgumentError, "shear"),
    (lambda: F.rotate(images(), float("nan")), ArgumentError, "finite"),
    (lambda: F.rotate(images(), 5, expand=True), ArgumentError, "expand"),
    (lambda: F.rotate(images(), [1.0, 2.0]), ArgumentError, "one for each of 4 images"),
    (lambda: F.rotate(images().astype(int), 5, "bilinear"), DTypeError, "int64"),
    (lambda: F.affine(images(), 0, (0, 0), 0, 0), ArgumentError, "scale is above 0"),
    (lambda: F.affine(images(), 0, 1, 1, 0), ArgumentError, "pairs"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
