"""Compiled max pooling gives the very bits of NumPy's kernel and of the loops, ties and NaN among them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
pytest.importorskip("tt_vision")

import tt_perf.compiled.pooling as by
from tt_nn import shards
from tt_tensor import kernels
from tt_vision.window import Window

PAIRS = Window((2, 2), (2, 2))


def images(n, c, height, width, seed=0, dtype=np.float32):
    made = np.random.default_rng(seed).normal(size=(n, height, width, c)).astype(dtype)
    return made.transpose(0, 3, 1, 2)


def both(x, grad, window=PAIRS, kernel=None):
    """y, the winners and dx."""
    if kernel is None:
        forward, backward = by.max_pool2d, by.max_pool2d_backward
    else:
        forward, backward = (
            kernels.kernel("max_pool2d", kernel),
            kernels.kernel("max_pool2d_backward", kernel),
        )
    y, won = forward(x, window)
    return y, won, backward(grad, won, window, x.shape[2:])


def assert_same(found, wanted):
    for one, right in zip(found, wanted, strict=True):
        assert one.dtype == right.dtype
        np.testing.assert_array_equal(one, right)


def refuse(operation):
    raise AssertionError(f"{operation} fell back")


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4),
    st.sampled_from([16, 32, 48]),
    st.tuples(st.integers(2, 11), st.integers(2, 11)),
    st.integers(1, 3),
)
def test_like_numpys_kernel(n, c, image, threads):
    # Small whole numbers: many are equal.
    x = np.round(images(n, c, *image))
    grad = images(n, c, image[0] // 2, image[1] // 2, seed=1)
    with shards.threads(threads):
        assert_same(both(x, grad), both(x, grad, kernel="numpy"))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.sampled_from([16, 48]),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.booleans(),
    st.integers(1, 3),
)
def test_other_windows_side_by_side(n, c, size, places, nans, threads):
    x = np.round(images(n, c, size[0] * places[0], size[1] * places[1]))
    if nans:
        x[np.random.default_rng(2).random(x.shape) < 0.1] = np.nan
    grad = images(n, c, *places, seed=1)
    with shards.threads(threads):
        found = both(x, grad, Window(size, size))
    assert_same(found, both(x, grad, Window(size, size), kernel="numpy"))


def test_the_whole_image_is_one_window(monkeypatch):
    x, grad, window = images(3, 32, 4, 4), images(3, 32, 1, 1, seed=1), Window((4, 4), (4, 4))
    wanted = both(x, grad, window, kernel="loops")
    monkeypatch.setattr(by, "fallback", refuse)
    assert_same(both(x, grad, window), wanted)


def test_many_images(monkeypatch):
    x, grad = images(40, 32, 32, 32), images(40, 32, 16, 16, seed=1)
    wanted = both(x, grad, kernel="numpy")
    monkeypatch.setattr(by, "fallback", refuse)
    assert_same(both(x, grad), wanted)


def test_every_order_of_four(monkeypatch):
    # Each of them greatest, all ties, and NaN at each place: one case for each pair of channel and pixel.
    values = [0.0, -0.0, 1.0, np.nan, np.inf, -np.inf]
    cases = np.array(list(itertools.product(values, repeat=4)), np.float32)  # 1296
    x = cases.reshape(81, 16, 2, 2).transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
    grad = images(81, 16, 1, 1)
    wanted = both(x, grad, kernel="loops")
    monkeypatch.setattr(by, "fallback", refuse)
    y, won, dx = both(x, grad)
    np.testing.assert_array_equal(y, wanted[0])
    np.testing.assert_array_equal(won, wanted[1])
    np.testing.assert_array_equal(dx, wanted[2])


def test_without_winners():
    x = images(2, 16, 4, 4)
    y, won = by.max_pool2d(x, PAIRS, False)
    assert won is None
    np.testing.assert_array_equal(y, by.max_pool2d(x, PAIRS)[0])


def test_a_gradient_that_is_not_finite_stays_at_its_pixel():
    x, grad = images(1, 16, 4, 4), images(1, 16, 2, 2, seed=1)
    grad[0, 3, 1, 1] = np.nan
    assert np.isnan(both(x, grad)[2]).sum() == 1


def test_any_layout():
    x, grad = images(2, 16, 6, 8), images(2, 16, 3, 4, seed=1)
    usual = both(x, grad)
    assert_same(both(np.ascontiguousarray(x), np.repeat(grad, 2, axis=2)[:, :, ::2]), usual)


@pytest.mark.parametrize(
    ("window", "shape", "dtype"),
    [
        (PAIRS, (2, 16, 4, 4), np.float64),
        (PAIRS, (2, 15, 4, 4), np.float32),
        (Window((2, 2), (1, 1)), (2, 16, 4, 4), np.float32),
        (Window((3, 3), (2, 2), ((1, 1), (1, 1))), (2, 16, 8, 8), np.float32),
        (Window((2, 2), (2, 2), ((0, 1), (0, 1))), (2, 16, 5, 5), np.float32),
    ],
)
def test_the_rest_goes_to_numpys_kernel(window, shape, dtype):
    x = images(*shape, dtype=dtype)
    grad = images(*shape[:2], *window.output(shape[2:], "test"), seed=1, dtype=dtype)
    assert_same(both(x, grad, window), both(x, grad, window, "numpy"))
