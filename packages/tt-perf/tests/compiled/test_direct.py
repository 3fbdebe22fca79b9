"""The convolution that reads the image itself: the loops' results, for every geometry that it takes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
pytest.importorskip("tt_vision")

import tt_perf.compiled.convolution as by
from tt_nn import shards
from tt_perf.compiled import direct
from tt_tensor import kernels
from tt_vision.window import Window


def normal(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 7),
    st.sampled_from([16, 32, 48, 80, 1, 24]),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(*[st.integers(0, 2)] * 4),
    st.tuples(st.integers(1, 9), st.integers(8, 21)),
    st.integers(1, 3),
)
def test_like_numpys_kernel(n, c, o, size, stride, pads, places, threads):
    top, bottom, left, right = pads
    image = tuple(
        max(1, (place - 1) * s + k - before - after)
        for place, s, k, before, after in zip(places, stride, size, (top, left), (bottom, right), strict=True)
    )
    window = Window(size, stride, ((top, bottom), (left, right)))
    if image[0] + top + bottom < size[0]:
        return
    places = window.output(image, "test")
    if not direct.suits(c, o, window, image, places):
        return
    x, weight, bias = normal((n, *image, c), 0), normal((o, c, *size), 1), normal(o, 2)
    grad = normal((n, *places, o), 3)
    with shards.threads(threads):
        first = x.transpose(0, 3, 1, 2)
        y = direct.forward(first, weight, bias, window, places, 1)
        positive = direct.forward(first, weight, bias, window, places, 1, -bias, 0.0)
        dw = direct.weights(first, grad, window, 1) if o % 16 == 0 else None
        planes = np.ascontiguousarray(first)
        np.testing.assert_array_equal(direct.forward(planes, weight, bias, window, places, 1), y)
        if dw is not None:
            np.testing.assert_array_equal(direct.weights(planes, grad, window, 1), dw)
    wanted = kernels.kernel("conv2d", "numpy")(first, weight, bias, window)
    back = kernels.kernel("conv2d_backward", "numpy")
    right_dw = back(first, weight, grad.transpose(0, 3, 1, 2), window, image, (False, True))[1]
    np.testing.assert_allclose(y.transpose(0, 3, 1, 2), wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
    if dw is not None:
        np.testing.assert_allclose(dw, right_dw, rtol=1e-4, atol=1e-5 * np.abs(right_dw).max())
    raw = kernels.kernel("conv2d", "numpy")(first, weight, None, window).transpose(0, 2, 3, 1)
    after = np.maximum(raw * -bias + bias, 0)
    np.testing.assert_allclose(positive, after, rtol=1e-4, atol=1e-5 * max(1, np.abs(raw * bias).max()))


@pytest.mark.parametrize(
    ("c", "size", "stride"), [(3, (3, 3), (1, 1)), (2, (4, 2), (2, 1)), (5, (1, 3), (1, 2))]
)
def test_like_the_loops(monkeypatch, c, size, stride):
    monkeypatch.setattr(by, "SMALL", 0)
    monkeypatch.setattr(by, "LARGE", 0)
    window = Window(size, stride, ((1, 1), (1, 0)))
    x, weight, bias = normal((2, 5, 17, c), 0).transpose(0, 3, 1, 2), normal((16, c, *size), 1), normal(16, 2)
    places = window.output((5, 17), "test")
    assert direct.suits(c, 16, window, (5, 17), places)
    grad = normal((2, *places, 16), 3).transpose(0, 3, 1, 2)
    found = (
        by.conv2d(x, weight, bias, window),
        *by.conv2d_backward(x, weight, grad, window, (5, 17), (True, True)),
    )
    wanted = (
        kernels.kernel("conv2d", "loops")(x, weight, bias, window),
        *kernels.kernel("conv2d_backward", "loops")(x, weight, grad, window, (5, 17), (True, True)),
    )
    for one, right in zip(found, wanted, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, right, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_where_it_belongs(monkeypatch, value):
    monkeypatch.setattr(by, "SMALL", 0)
    monkeypatch.setattr(by, "LARGE", 0)
    window = Window((3, 3), (1, 1), ((1, 1), (1, 1)))
    x, weight = normal((2, 9, 9, 3), 0).transpose(0, 3, 1, 2), normal((16, 3, 3, 3), 1)
    x[1, 2, 4, 4] = value
    grad = normal((2, 9, 9, 16), 2).transpose(0, 3, 1, 2)
    with np.errstate(invalid="ignore"):
        y, (_, dw) = (
            by.conv2d(x, weight, None, window),
            by.conv2d_backward(x, weight, grad, window, (9, 9), (False, True)),
        )
        wanted = kernels.kernel("conv2d", "numpy")(x, weight, None, window)
        right = kernels.kernel("conv2d_backward", "numpy")(x, weight, grad, window, (9, 9), (False, True))[1]
    assert not np.isfinite(wanted).all()
    assert not np.isfinite(right).all()
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dw, right, rtol=1e-4, atol=1e-4)


def test_how_far_from_float64():
    x, grad = np.maximum(normal((64, 32, 32, 3), 0), 0), normal((64, 32, 32, 32), 1)
    weight, window = normal((32, 3, 3, 3), 2), Window((3, 3), (1, 1), ((1, 1), (1, 1)))
    back = kernels.kernel("conv2d_backward", "numpy")
    wide = [a.astype(np.float64) for a in (x.transpose(0, 3, 1, 2), weight, grad.transpose(0, 3, 1, 2))]
    wanted = back(*wide, window, (32, 32), (False, True))[1]
    found = direct.weights(x.transpose(0, 3, 1, 2), grad, window, 1)
    assert np.linalg.norm(found - wanted) < 1e-6 * np.linalg.norm(wanted)


def test_others_are_not_taken():
    pads = ((1, 1), (1, 1))
    usual = Window((3, 3), (1, 1), pads)
    assert direct.suits(3, 16, usual, (32, 32), (32, 32))
    assert not direct.suits(3, 0, usual, (32, 32), (32, 32))
    assert not direct.suits(3, 16, Window((3, 3), (1, 1), pads, (2, 2)), (32, 32), (30, 30))
    assert not direct.suits(4, 16, Window((3, 3), (1, 1), pads, groups=2), (32, 32), (32, 32))
    assert not direct.suits(3, 16, Window((1, 1)), (32, 32), (32, 32))
    assert not direct.suits(3, 16, usual, (7, 7), (7, 7))
    assert not direct.suits(3, 16, usual, (2048, 2048), (2048, 2048))
