"""Max pooling: the fast kernels give what the loops give, bit for bit, whatever the window, layout, block or thread."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision.kernels import max_pool, max_pool_ways, taps
from tt_vision.window import Window

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0]


@st.composite
def windows(draw, most=4):
    """A window as the layers allow it: never more than half of it in the padding, apart from a longer end."""
    sides = []
    for _ in (0, 1):
        size, dilation = draw(st.integers(1, most)), draw(st.integers(1, 3))
        half = (dilation * (size - 1) + 1) // 2
        before = draw(st.integers(0, half))
        sides.append((size, draw(st.integers(1, 4)), (before, before + draw(st.integers(0, 3))), dilation))
    size, stride, padding, dilation = zip(*sides, strict=True)
    return Window(size, stride, padding, dilation)


def draw_images(draw, window, values):
    """Images that the window fits on, in one of several memory orders."""
    image = [
        max(1, reach - sum(padding)) + draw(st.integers(0, 6))
        for reach, padding in zip(window.reach, window.padding, strict=True)
    ]
    shape = (draw(st.integers(0, 3)), draw(st.integers(0, 4)), *image)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return laid_out(values(rng, shape), draw(st.sampled_from(["C", "last", "reversed", "every second"])))


def laid_out(x, order):
    if order == "last":
        return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if order == "reversed":
        return x[:, ::-1, :, ::-1]
    if order == "every second":
        return np.repeat(x, 2, 1)[:, ::2]
    return x


def few_values(rng, shape):
    """Many that are equal, and now and then one that no comparison likes."""
    x = rng.integers(-2, 3, shape).astype(rng.choice([np.float32, np.float64, np.float16]))
    if rng.random() < 0.5:
        x[rng.random(shape) < 0.1] = rng.choice(SPECIAL)
    if rng.random() < 0.2:
        x[rng.random(shape) < 0.8] = -np.inf
    return x


def same(found, wanted):
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_forward_and_back(data):
    window = data.draw(windows())
    x = draw_images(data.draw, window, few_values)
    wanted, winners = max_pool.max_pool2d_loops(x, window)
    y, won = max_pool.max_pool2d(x, window)
    same(y, wanted)
    same(won, winners)
    alone, nobody = max_pool.max_pool2d(x, window, False)
    same(alone, wanted)
    assert nobody is None and max_pool.max_pool2d_loops(x, window, False)[1] is None
    grad = laid_out(np.random.default_rng(1).integers(-3, 4, y.shape).astype(np.float32), "reversed")
    image = x.shape[2:]
    dx = max_pool_ways.max_pool2d_backward(grad, won, window, image)
    same(dx, max_pool_ways.max_pool2d_backward_loops(grad, winners, window, image))
    same(
        max_pool_ways.max_pool2d_pick(x, won, window), max_pool_ways.max_pool2d_pick_loops(x, winners, window)
    )


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_integers(data):
    window = data.draw(windows())
    x = draw_images(data.draw, window, lambda rng, shape: rng.integers(0, 200, shape).astype(np.uint8))
    for found, wanted in zip(
        max_pool.max_pool2d(x, window), max_pool.max_pool2d_loops(x, window), strict=True
    ):
        same(found, wanted)


@pytest.mark.parametrize("n", [1, 3, 127])
@pytest.mark.parametrize(
    "window",
    [
        Window((2, 2), (2, 2)),
        Window((3, 3), (2, 2), ((1, 1), (1, 1))),
        Window((3, 2), (1, 1), ((1, 0), (0, 1))),
        Window((5, 5), (2, 2), ((2, 2), (2, 2))),
        Window((17, 1), (1, 3), ((8, 8), (0, 0))),
    ],
)
def test_in_blocks_on_threads(n, window, monkeypatch):
    """Blocks of some images, and of some rows of one image, in several threads."""
    x = laid_out(few_values(np.random.default_rng(n), (n, 3, 9, 7)), "last").astype(np.float32)
    grad = np.random.default_rng(0).normal(size=(n, 3, *window.output((9, 7), "test"))).astype(np.float32)
    y, won = max_pool.max_pool2d(x, window)
    dx = max_pool_ways.max_pool2d_backward(grad, won, window, (9, 7))
    monkeypatch.setattr(taps, "WORTH", 1)
    monkeypatch.setattr(shards, "KEPT", 500)  # what is larger is not the same memory when asked for again
    with shards.threads(3):
        for size in (64, 200, 3000) if n < 9 else (3000,):
            monkeypatch.setattr(taps, "BLOCK", size)
            again, winners = max_pool.max_pool2d(x, window)
            same(again, y)
            same(winners, won)
            # Rows of places in other orders add up in other orders.
            back = max_pool_ways.max_pool2d_backward(grad, won, window, (9, 7))
            np.testing.assert_allclose(back, dx, rtol=1e-6, atol=1e-6)


def test_more_taps_than_a_byte_counts():
    window = Window((20, 20), (20, 20))
    x = np.random.default_rng(0).normal(size=(2, 2, 40, 20))
    y, won = max_pool.max_pool2d(x, window)
    assert won.dtype == np.uint16
    flat = x.reshape(2, 2, 2, 400)
    np.testing.assert_array_equal(won[..., 0], flat.argmax(-1))
    np.testing.assert_array_equal(y[..., 0], flat.max(-1))


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (3, 300), (300, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_more_pixels_side_by_side_than_a_byte_counts(size, stride):
    window = Window(size, (stride, stride))
    x = np.random.default_rng(0).integers(0, 99, (1, 2, size[0] + 2, size[1] + 2)).astype(np.float32)
    for found, true in zip(max_pool.max_pool2d(x, window), max_pool.max_pool2d_loops(x, window), strict=True):
        np.testing.assert_array_equal(found, true)


def test_infinite_gradients_stay_where_they_belong():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    window = Window((2, 2), (2, 2))
    grad = np.array([[[[np.inf, np.nan], [-np.inf, 1.0]]]])
    dx = max_pool_ways.max_pool2d_backward(grad, max_pool.max_pool2d(x, window)[1], window, (4, 4))
    assert np.count_nonzero(dx) == 4
    np.testing.assert_array_equal(dx[0, 0, 1::2, 1::2], grad[0, 0])
