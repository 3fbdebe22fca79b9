"""Winograd's convolution with the pooling gives, to the bit, what one after the other gives; and layers take it."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tt_nn import ReLU, Sequential, shards
from tt_nn.fusions import one_way
from tt_tensor import Tensor, kernels
from tt_vision import Conv2d, MaxPool2d
from tt_vision.kernels import conv_blocked, conv_then, conv_winograd, conv_winograd_pooled
from tt_vision.kernels.batch_norm_relu import PAIRS
from tt_vision.kernels.max_pool import max_pool2d
from tt_vision.kernels.max_pool_ways import max_pool2d_backward
from tt_vision.window import Window

SAME = Window((3, 3), (1, 1), ((1, 1), (1, 1)))


@pytest.fixture(scope="module", autouse=True)
def threads():
    with shards.threads(2):
        yield


@st.composite
def problems(draw):
    """A window three rows high, and an image of which an even number of rows and columns comes out."""
    padding = tuple(draw(st.tuples(*[st.integers(0, 2)] * 2)) for _ in range(2))
    window = Window((3, 3), (1, 1), padding)
    assume(min(padding[1]) < 3)
    halves = draw(st.tuples(*[st.integers(1, 6)] * 2))
    image = tuple(
        2 * half + 2 - before - after for half, (before, after) in zip(halves, padding, strict=True)
    )
    assume(min(image) > 0)
    return window, image, draw(st.tuples(*[st.integers(1, 3)] * 3)), draw(st.integers(0, 99))


@example(
    (SAME, (12, 4), (1, 2, 3), 1), 1
)  # bands of four rows, so rows of the gradient begin within a window
@example((Window((3, 3), (1, 1), ((0, 0), (1, 1))), (6, 8), (5, 1, 1), 0), 300)
@settings(max_examples=100)
@given(problems(), st.sampled_from([1, 300, 3000, None]))
def test_it_is_one_after_the_other(problem, block):
    window, image, (n, c, o), seed = problem
    rng = np.random.default_rng(seed)
    places = window.output(image, "test")
    x, weight = rng.normal(size=(n, c, *image)), rng.normal(size=(o, c, 3, 3))
    grad = rng.normal(size=(n, o, places[0] // 2, places[1] // 2))
    bias = rng.normal(size=o) if seed % 2 else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_blocked, "WORTH", 1)
        patch.setattr(conv_winograd, "CONTRAST", np.inf)  # of two numbers one may well be tiny
        if block is not None:
            patch.setattr(conv_winograd, "BLOCK", block)
        z = conv_winograd.conv2d(x, weight, bias, window)
        wanted = max_pool2d(z, PAIRS)
        found = conv_winograd_pooled.conv2d_pooled(x, weight, bias, window, True)
        for some, true in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(some, true)
        alone, nothing = conv_winograd_pooled.conv2d_pooled(x, weight, bias, window, False)
        assert np.array_equal(alone, wanted[0]) and nothing is None
        g = max_pool2d_backward(grad, found[1], PAIRS, places)
        for images in (x, None):
            true = conv_winograd.conv2d_backward(images, weight, g, window, image)
            sent = conv_winograd_pooled.conv2d_pooled_backward(images, weight, grad, found[1], window, image)
            np.testing.assert_array_equal(sent[0], true[0])
            assert (sent[1] is None) == (true[1] is None) == (images is None)
            if images is not None:
                np.testing.assert_array_equal(sent[1], true[1])


def test_no_result_where_a_number_is_too_large():
    x, weight, grad = np.ones((2, 2, 4, 4)), np.ones((2, 2, 3, 3)), np.ones((2, 2, 2, 2))
    won = conv_winograd_pooled.conv2d_pooled(x, weight, None, SAME, True)[1]
    for large in (x, weight, grad):
        large.reshape(-1)[3] = np.inf
        found = conv_winograd_pooled.conv2d_pooled(x, weight, None, SAME, True)
        assert (found is None) == (large is not grad)
        assert conv_winograd_pooled.conv2d_pooled_backward(x, weight, grad, won, SAME, (4, 4)) is None
        large.reshape(-1)[3] = 1


def test_a_network_that_only_predicts_takes_it(monkeypatch):
    ran = []
    run = conv_then.conv2d_pooled

    def noted(*given):
        ran.append(given[0].shape)
        return run(*given)

    monkeypatch.setattr(conv_then, "conv2d_pooled", noted)
    net = Sequential(Conv2d(16, 16, 3, padding=1), ReLU(), MaxPool2d(2))
    rng = np.random.default_rng(0)
    with kernels.use("numpy"):
        for shape, dtype, times in (
            ((16, 16, 16, 16), np.float32, 1),
            ((2, 16, 16, 16), np.float32, 0),  # little to do
            ((16, 16, 16, 16), np.float64, 0),
            ((16, 16, 17, 16), np.float32, 0),  # the last row is in no window
        ):
            x = Tensor(rng.normal(size=shape).astype(dtype))
            net.to(dtype)
            alone = net(x).numpy()
            assert ran == []  # the way back may be by hand
            with one_way():
                np.testing.assert_array_equal(net(x).numpy(), alone)
            assert ran == [shape] * times
            ran.clear()
