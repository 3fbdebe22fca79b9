"""The compiled convolution: the loops' results by Winograd, where it suits, and NumPy's kernel for the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
pytest.importorskip("tt_vision")

import tt_perf
import tt_perf.compiled.convolution as by
import tt_vision
from tt_nn import shards
from tt_perf.compiled import winograd
from tt_tensor import kernels
from tt_vision.kernels import conv_loops
from tt_vision.window import Window

BOTH = (True, True)


def images(n, c, height, width, seed=0):
    """(N, C, H, W) with the channels last in memory."""
    made = np.random.default_rng(seed).normal(size=(n, height, width, c)).astype(np.float32)
    return made.transpose(0, 3, 1, 2)


def filters(o, c, seed=1, size=3):
    scale = (2 / (size * size * c)) ** 0.5
    return (np.random.default_rng(seed).normal(size=(o, c, size, size)) * scale).astype(np.float32)


def window_of(padding=((1, 1), (1, 1)), **other):
    return Window((3, 3), padding=padding, **other)


def all_three(x, weight, grad, window, kernel, bias=None):
    """y, dx and dweight by one kernel."""
    image = x.shape[2:]
    if kernel == "numba":
        forward, backward = by.conv2d, by.conv2d_backward
    else:
        forward, backward = kernels.kernel("conv2d", kernel), kernels.kernel("conv2d_backward", kernel)
    return forward(x, weight, bias, window), *backward(x, weight, grad, window, image, BOTH)


def apart(found, wanted):
    """|found - wanted| / |wanted|, in norm."""
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


@pytest.fixture
def winograds(monkeypatch):
    """Every size goes by Winograd, and how often it did."""
    calls = []

    def counted(function):
        def call(*arguments):
            found = function(*arguments)
            calls.append(found is not None)
            return found

        return call

    for least in ("SMALL", "LARGE", "FEW", "FEW_BACK"):
        monkeypatch.setattr(by, least, 0)
    monkeypatch.setattr(winograd, "forward", counted(winograd.forward))
    monkeypatch.setattr(winograd, "backward", counted(winograd.backward))
    return calls


@pytest.mark.parametrize(
    ("shape", "o", "padding"),
    [
        ((1, 16, 4, 4), 16, ((1, 1), (1, 1))),
        ((2, 16, 3, 5), 16, ((1, 1), (1, 1))),
        ((1, 16, 5, 3), 32, ((0, 0), (0, 0))),
        ((2, 32, 2, 1), 16, ((1, 1), (1, 1))),
        ((1, 16, 4, 5), 16, ((2, 2), (0, 2))),
        ((1, 16, 1, 1), 16, ((2, 2), (2, 2))),
        ((2, 24, 5, 4), 12, ((1, 1), (1, 1))),
        ((1, 11, 4, 4), 24, ((1, 1), (1, 1))),
    ],
)
def test_like_the_loops(winograds, shape, o, padding):
    x, weight, window = images(*shape), filters(o, shape[1]), window_of(padding)
    places = window.output(x.shape[2:], "test")
    grad, bias = images(shape[0], o, *places, seed=2), filters(o, 1)[:, 0, 0, 0]
    found = all_three(x, weight, grad, window, "numba", bias)
    assert winograds == [True, True]
    for one, wanted in zip(found, all_three(x, weight, grad, window, "loops", bias), strict=True):
        assert one.shape == wanted.shape
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5),
    st.sampled_from(
        [(16, 32), (32, 16), (48, 48), (80, 16), (64, 96), (24, 24), (24, 48), (14, 20), (45, 31)]
    ),
    st.tuples(st.integers(1, 19), st.integers(1, 19)),
    st.tuples(*[st.integers(0, 2)] * 4),
    st.integers(1, 3),
)
def test_like_numpys_kernel(n, channels, image, pads, threads):
    (c, o), (top, bottom, left, right) = channels, pads
    if image[0] + top + bottom < 3 or image[1] + left + right < 3:
        return
    window = window_of(((top, bottom), (left, right)))
    places = window.output(image, "test")
    x, weight, grad = images(n, c, *image), filters(o, c), images(n, o, *places, seed=2)
    with shards.threads(threads):
        y = winograd.forward(x.transpose(0, 2, 3, 1).copy(), weight, None, window.padding, places, 1)
        dx, dw = winograd.backward(
            x.transpose(0, 2, 3, 1).copy(),
            weight,
            grad.transpose(0, 2, 3, 1).copy(),
            window.padding,
            image,
            BOTH,
            1,
        )
    wanted = all_three(x, weight, grad, window, "numpy")
    for found, right_one in zip((y.transpose(0, 3, 1, 2), dx.transpose(0, 3, 1, 2), dw), wanted, strict=True):
        assert found.shape == right_one.shape
        assert apart(found, right_one) < 5e-6


@pytest.mark.parametrize(("n", "c", "o", "size"), [(16, 32, 32, 32), (32, 64, 64, 16), (64, 64, 128, 8)])
def test_how_far_from_float64(n, c, o, size):
    # Images as after a ReLU, which have a mean, and gradients as they come through batch norm, which have none.
    x, weight, grad = np.maximum(images(n, c, size, size), 0), filters(o, c), images(n, o, size, size, seed=2)
    window = window_of()
    wide = [array.astype(np.float64) for array in (x, weight, grad)]
    right = all_three(*wide, window, "numpy")
    plain = all_three(x, weight, grad, window, "numpy")
    fast = all_three(x, weight, grad, window, "numba")
    for found, usual, wanted, most in zip(fast, plain, right, (2e-6, 2e-6, 4e-6), strict=True):
        assert apart(found, wanted) < most
        assert apart(found, wanted) < 12 * apart(usual, wanted)


def test_large_images_are_cut_in_bands(winograds, monkeypatch):
    monkeypatch.setattr(winograd, "BLOCK", 4 * 36 * 64 * 12)
    x, weight, grad = images(2, 32, 21, 37), filters(32, 32), images(2, 32, 21, 37, seed=2)
    found = all_three(x, weight, grad, window_of(), "numba")
    for one, wanted in zip(found, all_three(x, weight, grad, window_of(), "numpy"), strict=True):
        assert apart(one, wanted) < 5e-6
    assert winograds == [True, True]


@pytest.mark.parametrize("needs", [(True, False), (False, True)])
def test_what_is_not_asked_for_is_none(winograds, needs):
    x, weight, grad = images(2, 16, 8, 8), filters(32, 16), images(2, 32, 8, 8)
    both = by.conv2d_backward(x, weight, grad, window_of(), (8, 8), BOTH)
    given_x, given_weight = x if needs[1] else None, weight if needs[0] else None
    found = by.conv2d_backward(given_x, given_weight, grad, window_of(), (8, 8), needs)
    for one, wanted, need in zip(found, both, needs, strict=True):
        if need:
            np.testing.assert_array_equal(one, wanted)
        else:
            assert one is None


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_what_is_not_finite_stays_where_it_belongs(winograds, value):
    x, weight, grad = images(2, 16, 9, 9), filters(16, 16), images(2, 16, 9, 9, seed=2)
    x[1, 3, 4, 4] = grad[0, 2, 7, 1] = value
    with np.errstate(invalid="ignore", over="ignore"):
        found = all_three(x, weight, grad, window_of(), "numba")
        wanted = all_three(x, weight, grad, window_of(), "numpy")
    assert winograds == [False, False]
    for one, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "case",
    ["float64", "float64 weight", "stride", "dilation", "groups", "size", "few channels", "pad"],
)
def test_the_rest_goes_another_way(winograds, case):
    x, weight, window = images(2, 16, 12, 12), filters(16, 16), window_of()
    if case == "float64":
        x, weight = x.astype(np.float64), weight.astype(np.float64)
    elif case == "float64 weight":
        weight = weight.astype(np.float64)
    elif case == "stride":
        window = window_of(stride=(2, 1))
    elif case == "dilation":
        window = window_of(dilation=(1, 2))
    elif case == "groups":
        window, weight = window_of(groups=2), filters(16, 8)
    elif case == "size":
        window, weight = Window((5, 5), padding=((2, 2), (2, 2))), filters(16, 16, size=5)
    elif case == "few channels":
        x, weight = images(2, 7, 12, 12), filters(16, 7)
    else:
        window = window_of(((3, 3), (1, 1)))
    grad = images(2, 16, *window.output((12, 12), "test"), seed=2).astype(x.dtype)
    found = all_three(x, weight, grad, window, "numba")
    assert winograds == []
    for one, wanted in zip(found, all_three(x, weight, grad, window, "numpy"), strict=True):
        assert one.dtype == wanted.dtype
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-4)


def test_any_layout(winograds):
    x, weight, grad = images(2, 16, 10, 9), filters(32, 16), images(2, 32, 10, 9, seed=2)
    usual = all_three(x, weight, grad, window_of(), "numba")
    first = np.ascontiguousarray(x), np.asfortranarray(weight), np.ascontiguousarray(grad)
    every_second = np.repeat(x, 2, axis=3)[..., ::2], np.repeat(weight, 2, axis=1)[:, ::2], grad
    for arrays in (first, every_second):
        for one, wanted in zip(all_three(*arrays, window_of(), "numba"), usual, strict=True):
            np.testing.assert_array_equal(one, wanted)
    assert all(winograds)


@pytest.mark.parametrize(("n", "c"), [(0, 16), (2, 0)])
def test_nothing_in_nothing_out(n, c):
    weight = np.zeros((16, c, 3, 3), np.float32)
    with tt_perf.accelerate(malloc=False):
        y = tt_vision.functional.conv2d(np.zeros((n, c, 8, 8), np.float32), weight, padding=1)
    np.testing.assert_array_equal(y, np.zeros((n, 16, 8, 8), np.float32))


def test_the_same_bits_each_time(winograds):
    x, weight, grad = images(9, 32, 16, 16), filters(32, 32), images(9, 32, 16, 16, seed=2)
    first = all_three(x, weight, grad, window_of(), "numba")
    for one, again in zip(first, all_three(x, weight, grad, window_of(), "numba"), strict=True):
        np.testing.assert_array_equal(one, again)


# --- what follows a convolution -------------------------------------------------------------------------------------


KEPT = {}


@pytest.fixture
def loops_once(monkeypatch):
    """The loops of a convolution run once for the same arrays: what follows it is another in each test."""

    def once(name, function):
        def call(*given):
            key = name, *[(x.shape, x.tobytes()) if isinstance(x, np.ndarray) else x for x in given]
            if key not in KEPT:
                KEPT[key] = function(*given)
            return KEPT[key]

        return call

    for name in ("conv2d", "conv2d_backward"):
        monkeypatch.setattr(conv_loops, name, once(name, getattr(conv_loops, name)))


def then(kernel, x, weight, bias, scale, window, pool, relu):
    """y, which won, and dx and dweight of what is pooled, by one kernel."""
    if kernel == "numba":
        forward, backward = by.conv2d_then, by.conv2d_pooled_backward
    else:
        forward, backward = (
            kernels.kernel(name, kernel) for name in ("conv2d_then", "conv2d_pooled_backward")
        )
    y, won = forward(x, weight, bias, scale, window, pool, relu, True)
    if not pool:
        assert won is None
        return y, won
    grad = images(len(x), y.shape[1], *y.shape[2:], seed=2)
    return y, won, *backward(x, weight, grad, won, window, x.shape[2:], BOTH)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize(
    ("shape", "o", "padding"),
    [
        ((2, 16, 4, 4), 16, ((1, 1), (1, 1))),
        ((2, 24, 6, 2), 12, ((1, 1), (1, 1))),
        ((1, 16, 12, 10), 32, ((0, 0), (0, 0))),
        ((3, 16, 8, 6), 24, ((2, 2), (1, 1))),
    ],
)
def test_what_follows_like_the_loops(winograds, loops_once, shape, o, padding, pool, relu):
    x, weight, window = images(*shape), filters(o, shape[1]), window_of(padding)
    bias, scale = np.random.default_rng(3).normal(size=(2, o)).astype(np.float32)
    for given_bias, given_scale in ((None, None), (bias, None), (bias, scale), (None, scale)):
        found = then("numba", x, weight, given_bias, given_scale, window, pool, relu)
        wanted = then("loops", x, weight, given_bias, given_scale, window, pool, relu)
        if pool:
            np.testing.assert_array_equal(found[1], wanted[1])
        for one, right in zip(found[:1] + found[2:], wanted[:1] + wanted[2:], strict=True):
            assert one.shape == right.shape
            assert one.dtype == np.float32
            np.testing.assert_allclose(one, right, rtol=1e-4, atol=1e-4)
    assert winograds == [True, True] * 4 if pool else [True] * 4


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5),
    st.sampled_from([(16, 32), (24, 24), (14, 20), (48, 16)]),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.integers(1, 3),
)
def test_pooled_on_its_way_is_pooled_afterwards(n, channels, halves, threads):
    c, o = channels
    image, window = (2 * halves[0], 2 * halves[1]), window_of()
    x, weight = images(n, c, *image), filters(o, c)
    last = x.transpose(0, 2, 3, 1).copy()
    with shards.threads(threads):
        whole = winograd.forward(last, weight, None, window.padding, image, 1)
        y, won = winograd.forward(last, weight, None, window.padding, image, 1, None, -np.inf, True, True)
    pairs = Window((2, 2), (2, 2))
    pooled, first = kernels.kernel("max_pool2d", "numpy")(whole.transpose(0, 3, 1, 2), pairs)
    np.testing.assert_array_equal(y.transpose(0, 3, 1, 2), pooled)
    np.testing.assert_array_equal(won.transpose(0, 3, 1, 2), first)
    grad = images(n, o, *halves, seed=2)
    sent = kernels.kernel("max_pool2d_backward", "numpy")(grad, first, pairs, image)
    with shards.threads(threads):
        usual = winograd.backward(
            last, weight, sent.transpose(0, 2, 3, 1).copy(), window.padding, image, BOTH, 1
        )
        found = winograd.backward(
            last, weight, grad.transpose(0, 2, 3, 1).copy(), window.padding, image, BOTH, 1, won
        )
    for one, wanted in zip(found, usual, strict=True):
        np.testing.assert_array_equal(one, wanted)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_pooled_where_it_belongs(winograds, value):
    x, weight = images(2, 16, 8, 8), filters(16, 16)
    x[1, 3, 4, 4] = value
    with np.errstate(invalid="ignore"):
        found = then("numba", x, weight, None, None, window_of(), True, True)
        wanted = then("numpy", x, weight, None, None, window_of(), True, True)
    assert winograds[0] is False
    np.testing.assert_array_equal(found[1], wanted[1])
    for one, right in zip(found[:1] + found[2:], wanted[:1] + wanted[2:], strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", ["float64", "5 x 5", "odd", "stride"])
def test_what_follows_another_convolution(winograds, loops_once, case):
    x, weight, window = images(2, 16, 12, 12), filters(24, 16), window_of()
    if case == "float64":
        x, weight = x.astype(np.float64), weight.astype(np.float64)
    elif case == "5 x 5":
        window, weight = Window((5, 5), padding=((2, 2), (2, 2))), filters(24, 16, size=5)
    elif case == "odd":
        window = window_of(((1, 0), (0, 0)))
    else:
        window = window_of(((1, 0), (1, 0)), stride=(1, 2))
    bias, scale = np.random.default_rng(3).normal(size=(2, 24)).astype(x.dtype)
    places = window.output((12, 12), "test")
    for pool in (False, True)[: 1 if places[0] % 2 or places[1] % 2 else 2]:
        y, _ = by.conv2d_then(x, weight, bias, scale, window, pool, True, False)
        right, _ = kernels.kernel("conv2d_then", "loops")(x, weight, bias, scale, window, pool, True, False)
        assert y.dtype == x.dtype
        np.testing.assert_allclose(y, right, rtol=1e-4, atol=1e-4)


def test_one_image_of_many_channels_is_not_worth_its_filters(winograds, monkeypatch):
    monkeypatch.undo()
    calls = []
    monkeypatch.setattr(winograd, "forward", lambda *arguments: calls.append("forward"))
    monkeypatch.setattr(winograd, "backward", lambda *arguments: calls.append("backward"))
    for n in (1, 64):
        x, weight, grad = images(n, 128, 4, 4), filters(128, 128), images(n, 128, 4, 4)
        by.conv2d(x, weight, None, window_of())
        by.conv2d_backward(x, weight, grad, window_of(), (4, 4), BOTH)
    assert calls == ["forward", "backward"]
