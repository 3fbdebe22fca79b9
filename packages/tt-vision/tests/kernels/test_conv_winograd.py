"""Winograd's convolution gives what the blocks give, for every geometry it takes and in any pieces, or None."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_tensor import kernels
from tt_vision import Conv2d
from tt_vision.kernels import conv_blocked, conv_loops, conv_winograd
from tt_vision.window import Window

SAME = Window((3, 3), (1, 1), ((1, 1), (1, 1)))
VALID = Window((3, 3))


def operands(window, n, c, o, image, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    places = window.output(image, "test")
    shapes = (n, c, *image), (o, c, *window.size), (n, o, *places)
    x, weight, grad = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    bias = rng.normal(size=o).astype(dtype) if seed % 2 else None
    return x, weight, bias, grad


@pytest.fixture(scope="module", autouse=True)
def threads():
    with shards.threads(2):
        yield


@st.composite
def problems(draw):
    """A window three rows high with any padding that it takes, and an image on which it fits at least once."""
    size = (3, draw(st.sampled_from([3, 3, 1, 2, 4])))
    wide = draw(st.booleans())
    padding = []
    for k in size:
        before, after = draw(st.tuples(*[st.integers(0, 6 if wide else k - 1)] * 2))
        padding.append((before, after))
    window = Window(size, (1, 1), tuple(padding))
    assume(min(padding[1]) < size[1])
    image = tuple(
        max(1, k - before - after) + draw(st.integers(0, 7))
        for k, (before, after) in zip(size, padding, strict=True)
    )
    n, c, o = draw(st.tuples(*[st.integers(1, 3)] * 3))
    return window, n, c, o, image, draw(st.integers(0, 99))


@example((SAME, 127, 1, 2, (3, 3), 1), None)
@example((SAME, 3, 2, 3, (1, 1), 0), 1)
@example((SAME, 2, 2, 3, (8, 9), 1), 1)
@example((Window((3, 3), (1, 1), ((6, 0), (0, 6))), 2, 1, 2, (1, 1), 0), 1)
@example((Window((3, 3), (1, 1), ((2, 2), (2, 2))), 3, 2, 1, (3, 2), 1), 300)
@settings(max_examples=100)
@given(problems(), st.sampled_from([1, 300, 3000, None]))
def test_it_gives_what_the_blocks_give(problem, block):
    window, image = problem[0], problem[4]
    x, weight, bias, grad = operands(*problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_blocked, "WORTH", 1)
        patch.setattr(conv_winograd, "CONTRAST", np.inf)  # of two numbers one may well be tiny
        if block is not None:
            patch.setattr(conv_winograd, "BLOCK", block)
        y = conv_winograd.conv2d(x, weight, bias, window)
        sent = conv_winograd.conv2d_backward(x, weight, grad, window, image)
        alone = conv_winograd.conv2d_backward(None, weight, grad, window, image)
    np.testing.assert_allclose(y, conv_blocked.conv2d(x, weight, bias, window), rtol=1e-11, atol=1e-11)
    if any(max(sides) >= k for sides, k in zip(window.padding, window.size, strict=True)):
        assert sent is None and alone is None  # that way back is no convolution
        return
    dx, dweight = conv_blocked.conv2d_backward(x, weight, grad, window, image, (True, True))
    np.testing.assert_allclose(sent[0], dx, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(sent[1], dweight, rtol=1e-11, atol=1e-10)
    assert np.array_equal(alone[0], sent[0]) and alone[1] is None


def test_it_gives_what_the_loops_give():
    x, weight, bias, grad = operands(SAME, 2, 3, 2, (5, 4), seed=1)
    loops = conv_loops.conv2d(x, weight, bias, SAME)
    np.testing.assert_allclose(conv_winograd.conv2d(x, weight, bias, SAME), loops, rtol=1e-12, atol=1e-12)
    sent = conv_winograd.conv2d_backward(x, weight, grad, SAME, (5, 4))
    for found, true in zip(
        sent, conv_loops.conv2d_backward(x, weight, grad, SAME, (5, 4), (True, True)), strict=True
    ):
        np.testing.assert_allclose(found, true, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("c", "o"), [(64, 64), (160, 136)])
def test_products_in_stacks_and_whole(c, o):
    # Of (160, 136) the filters of a point are more numbers than small products take.
    assert (conv_blocked.FILTERS < 160 * 136) and (conv_blocked.FILTERS > 64 * 64)
    x, weight, _, grad = operands(SAME, 9, c, o, (17, 16))
    y = conv_winograd.conv2d(x, weight, None, SAME)
    np.testing.assert_allclose(y, conv_blocked.conv2d(x, weight, None, SAME), atol=1e-10)
    sent = conv_winograd.conv2d_backward(x, weight, grad, SAME, (17, 16))
    true = conv_blocked.conv2d_backward(x, weight, grad, SAME, (17, 16), (True, True))
    np.testing.assert_allclose(sent[0], true[0], atol=1e-10)
    np.testing.assert_allclose(sent[1], true[1], atol=1e-10)


def test_float32_stays_float32_and_is_as_exact_as_said():
    x, weight, _, grad = operands(SAME, 32, 64, 64, (16, 16), dtype=np.float32)
    found = [
        conv_winograd.conv2d(x, weight, None, SAME),
        *conv_winograd.conv2d_backward(x, weight, grad, SAME, (16, 16)),
    ]
    x, weight, grad = (some.astype(np.float64) for some in (x, weight, grad))
    true = [
        conv_blocked.conv2d(x, weight, None, SAME),
        *conv_blocked.conv2d_backward(x, weight, grad, SAME, (16, 16), (True, True)),
    ]
    for some, exact in zip(found, true, strict=True):
        assert some.dtype == np.float32
        assert np.linalg.norm(some - exact) < 1e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize("scale", [1, 1e-30])
def test_a_row_that_sees_only_zeros_is_zero(scale):
    # What the gradient of one pixel, or a picture of one pixel, touches is what the filters reach, to the bit.
    window = Window((3, 3), (1, 1), ((2, 2), (1, 1)))
    x, weight, bias, grad = operands(window, 3, 2, 3, (13, 9), seed=1, dtype=np.float32)
    x[1], grad[1] = 0, 0
    x[1, :, 6, 4] = grad[1, :, 6, 4] = scale
    y = conv_winograd.conv2d(x, weight, bias, window) - bias[:, None, None]
    dx = conv_winograd.conv2d_backward(x, weight, grad, window, (13, 9))[0]
    for found, true in (
        (y, conv_blocked.conv2d(x, weight, None, window) + bias[:, None, None] - bias[:, None, None]),
        (dx, conv_blocked.conv2d_backward(x, weight, grad, window, (13, 9), (True, True))[0]),
    ):
        rows = true[1].any(axis=(0, 2))
        assert np.array_equal(found[1].any(axis=(0, 2)), rows)
        np.testing.assert_allclose(found[1], true[1], atol=1e-6 * scale if found is dx else 1e-6)


def test_no_result_where_a_row_dwarfs_another():
    # Of six rows are made four, so each of them would have the rounding of the largest.
    x, weight, _, grad = operands(SAME, 3, 8, 8, (16, 16), dtype=np.float32)
    for size, fits in ((1e2, True), (1e4, False), (1e-9, True)):
        large, back = x.copy(), grad.copy()
        large[1, :, 10] *= size
        back[2, :, 3] *= size
        y = conv_winograd.conv2d(large, weight, None, SAME)
        assert (y is not None) == fits
        assert (conv_winograd.conv2d_backward(None, weight, back, SAME, (16, 16)) is not None) == fits


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e30])
def test_no_result_where_a_number_is_too_large(value):
    for at in range(3):
        x, weight, bias, grad = operands(SAME, 3, 2, 2, (6, 6), seed=1, dtype=np.float32)
        (x, weight, grad)[at].reshape(-1)[7] = value
        y = conv_winograd.conv2d(x, weight, bias, SAME)
        assert (y is None) == (at < 2)
        assert conv_winograd.conv2d_backward(x, weight, grad, SAME, (6, 6)) is None
        assert (conv_winograd.conv2d_backward(None, weight, grad, SAME, (6, 6)) is None) == (at > 0)


def test_a_layer_takes_it_and_keeps_infinity(monkeypatch):
    ran = []
    for name in ("conv2d", "conv2d_backward"):
        run = getattr(conv_winograd, name)

        def noted(*given, run=run, name=name):
            ran.append(name)
            return run(*given)

        monkeypatch.setattr(conv_winograd, name, noted)
    layer = Conv2d(64, 64, 3, padding=1)
    x = np.random.default_rng(0).normal(size=(32, 64, 16, 16)).astype(np.float32)
    with kernels.use("numpy"):
        y = layer(x).numpy()
        layer.backward(np.ones_like(y))
        assert ran == ["conv2d", "conv2d_backward"]
        x[3, 5, 7, 9] = np.inf
        again = layer(x).numpy()
    touched = np.zeros((16, 16), bool)
    touched[6:9, 8:11] = True
    assert np.isinf(again[3][:, touched]).all()
    assert np.isfinite(again[3][:, ~touched]).all()


LITTLE = (16, 16, 16)
"""Images of 16 by 16, and channels before and after, that are just enough."""


@pytest.mark.parametrize(
    ("window", "image", "shape", "dtype", "answer"),
    [
        (SAME, (16, 16), LITTLE, np.float32, True),
        (VALID, (18, 18), LITTLE, np.float32, True),
        (Window((3, 1)), (18, 16), LITTLE, np.float32, True),
        (SAME, (16, 16), LITTLE, np.float64, False),
        (SAME, (16, 16), (15, 16, 16), np.float32, False),
        (SAME, (16, 16), (16, 7, 16), np.float32, False),
        (SAME, (16, 16), (16, 16, 7), np.float32, False),
        (SAME, (16, 16), (16, 128, 256), np.float32, True),
        (SAME, (16, 16), (16, 128, 257), np.float32, False),
        (SAME, (4, 4), (256, 16, 16), np.float32, True),
        (SAME, (3, 64), (256, 16, 16), np.float32, False),
        (SAME, (5, 64), (256, 16, 16), np.float32, False),  # 8 rows for 5
        (SAME, (7, 64), (256, 16, 16), np.float32, True),
        (Window((1, 3)), (16, 18), LITTLE, np.float32, False),
        (Window((3, 3), (1, 1), ((1, 1), (3, 3))), (16, 12), LITTLE, np.float32, False),
        (Window((3, 3), (2, 1)), (32, 18), LITTLE, np.float32, False),
        (Window((3, 3), dilation=(1, 2)), (18, 20), LITTLE, np.float32, False),
        (Window((3, 3), groups=2), (18, 18), LITTLE, np.float32, False),
    ],
)
def test_what_it_suits(window, image, shape, dtype, answer):
    assert conv_winograd.suits(window, image, window.output(image, "test"), shape, dtype) is answer


def test_the_tables_are_those_of_the_points():
    """(Aᵀ)ᵢⱼ = pⱼⁱ, and Aᵀ [(G g) · (Bᵀ d)] is the convolution for any g and d, so it is for a basis of both."""
    points = np.array([0, 1, -1, 1 / 2, -2])
    np.testing.assert_array_equal(conv_winograd.RESULTS[:, :5], points ** np.arange(4)[:, None])
    for tap, taps in enumerate(np.eye(3)):
        for at, pixels in enumerate(np.eye(6)):
            y = conv_winograd.RESULTS @ ((conv_winograd.TAPS @ taps) * (conv_winograd.PIXELS @ pixels))
            np.testing.assert_allclose(y, np.arange(4) + tap == at, atol=1e-15)
