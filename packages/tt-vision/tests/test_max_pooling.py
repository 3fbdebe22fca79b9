"""Max pooling: who wins, who gets the gradient, what is kept for it."""

import numpy as np
import pytest

import tt_vision.max_pooling as pooling
from tt_tensor import Tensor, kernels, recorder
from tt_tensor.errors import InPlaceError
from tt_vision.adaptive_pooling import AdaptiveMaxPool2d, adaptive_max_pool2d
from tt_vision.max_pooling import MaxPool1d, MaxPool2d, MaxPoolFunction, max_pool1d, max_pool2d
from tt_vision.window import Window

NAN, INF = np.nan, np.inf


def test_one_of_equals_gets_the_gradient_the_first():
    layer = MaxPool2d(2)
    layer(np.zeros((1, 1, 4, 4), np.float32))
    dx = layer.backward(np.array([[[[1, 2], [3, 4]]]], np.float32)).array
    np.testing.assert_array_equal(dx[0, 0], [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (5, 2, 2)])
def test_ties_lose_and_double_no_gradient(kernel, stride, padding):
    x = np.random.default_rng(0).integers(0, 2, (3, 4, 9, 8)).astype(np.float64)
    layer = MaxPool2d(kernel, stride, padding, return_indices=True)
    y, indices = layer(x)
    grad = np.random.default_rng(1).normal(size=y.shape)
    dx = layer.backward(grad).array
    np.testing.assert_allclose(dx.sum(axis=(2, 3)), grad.sum(axis=(2, 3)))
    wanted = np.zeros((3, 4, 72))
    for n, c, h, w in np.ndindex(y.shape):
        wanted[n, c, indices.array[n, c, h, w]] += grad[n, c, h, w]
    np.testing.assert_allclose(dx.reshape(3, 4, 72), wanted)


def test_not_a_number_wins_the_last_one_as_in_pytorch():
    x = np.array([[[[1, NAN, NAN, 2], [NAN, 0, -INF, 3]]]])
    y, indices = max_pool2d(x, 2, return_indices=True)
    np.testing.assert_array_equal(y.array[0, 0], [[NAN, NAN]])
    assert indices.tolist() == [[[[4, 2]]]]
    assert adaptive_max_pool2d(x, (1, 2), return_indices=True)[1].tolist() == [[[[4, 2]]]]
    assert max_pool1d(x[0], 2, return_indices=True)[1].tolist() == [[[1, 2], [0, 3]]]


def test_padding_never_wins():
    x = np.full((1, 1, 3, 3), -INF)
    y, indices = max_pool2d(x, 3, 1, 1, return_indices=True)
    np.testing.assert_array_equal(y.array, x)
    # PyTorch's: the first pixel under each window.
    assert indices.tolist() == [[[[0, 0, 1], [0, 0, 1], [3, 3, 4]]]]
    np.testing.assert_array_equal(max_pool2d(x - 5, 3, 1, 1).array, x)
    low = np.full((1, 2, 5, 5), np.finfo(np.float32).min, np.float32)
    np.testing.assert_array_equal(max_pool2d(low, 3, 2, 1).array, low[:, :, ::2, ::2])


def test_a_window_that_steps_over_the_image():
    y, indices = max_pool2d(np.ones((1, 1, 4, 4)), 2, 1, 1, 5, return_indices=True)
    assert y.tolist() == [[[[-INF]]]] and indices.tolist() == [[[[-1]]]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_integers(dtype):
    x = np.random.default_rng(0).integers(0, 100, (2, 3, 6, 6)).astype(dtype)
    y = max_pool2d(x, 3, 2, 1)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, max_pool2d(x.astype(np.float64), 3, 2, 1))
    layer = MaxPool2d(2)
    layer(x)
    assert layer.backward(np.zeros((2, 3, 3, 3), dtype)) is None


def test_half_precision():
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float16)
    layer = MaxPool2d(3, 1)
    assert layer(x).dtype == np.float16
    # 1 + 2048 · 2⁻¹¹ in steps of one number is still 1 in float16.
    grad = np.full((2, 3, 4, 4), 2.0**-12, np.float16)
    grad[:, :, 0, 0] = 1
    dx = layer.backward(grad)
    assert dx.dtype == np.float16
    wide = MaxPool2d(3, 1)
    wide(x.astype(np.float64))
    np.testing.assert_allclose(dx, wide.backward(grad.astype(np.float64)), rtol=1e-3)


def test_a_byte_for_each_place_is_kept():
    x = Tensor(np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32))
    function = MaxPoolFunction(Window((2, 2), (2, 2)))
    y = function(x)
    arrays = [value for value in vars(function).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in arrays) == y.size


class Paused:
    """A recorder that records nothing now."""

    def record(self, function, inputs, output):
        return False

    def before_write(self, target):
        return False

    def recording(self):
        return False


@pytest.fixture
def paused():
    before = recorder.install(Paused())
    yield
    recorder.install(before)


@pytest.mark.parametrize("make", [lambda: MaxPool2d(3, 2, 1), lambda: AdaptiveMaxPool2d((2, 3))])
def test_the_winners_of_what_is_not_recorded_are_found_when_asked_for(make, paused, monkeypatch):
    x = Tensor(np.random.default_rng(0).normal(size=(2, 3, 7, 7)))
    asked = []
    greatest = pooling.Ways.greatest
    monkeypatch.setattr(
        pooling.Ways,
        "greatest",
        lambda self, images, winners: (asked.append(winners), greatest(self, images, winners))[1],
    )
    layer = make()
    y = layer(x)
    assert asked == [False]
    grad = np.random.default_rng(1).normal(size=y.shape)
    found = layer.backward(grad), layer.backward(grad)
    assert asked == [False, True]
    recorder.install(None)
    layer(x)
    assert asked == [False, True, True]
    for dx in found:
        np.testing.assert_array_equal(dx, layer.backward(grad))


def test_the_winners_of_what_was_overwritten_are_not_found(paused):
    x = Tensor(np.ones((1, 1, 4, 4)))
    layer = MaxPool2d(2)
    layer(x)
    x += 1
    with pytest.raises(InPlaceError, match="clone"):
        layer.backward(np.ones((1, 1, 2, 2)))


@pytest.mark.parametrize(
    "kwargs", [{"stride": 2}, {"stride": 1, "padding": 1}, {"stride": 3, "ceil_mode": True}]
)
def test_indices_say_where_it_came_from(kwargs):
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 5))
    y, indices = max_pool2d(x, 3, **kwargs, return_indices=True)
    assert indices.dtype == np.int64 and indices.shape == y.shape
    flat = np.take_along_axis(x.reshape(2, 3, 35), indices.array.reshape(2, 3, -1), 2)
    np.testing.assert_array_equal(flat.reshape(y.shape), y)


@pytest.mark.parametrize("batch", [0, 1, 127])
def test_batches_and_images_without_one(batch):
    x = np.random.default_rng(0).normal(size=(batch, 3, 6, 5)).astype(np.float32)
    for layer in (MaxPool2d(2), MaxPool2d(3, 2, 1), AdaptiveMaxPool2d(2)):
        y = layer(x)
        assert len(y) == batch
        dx = layer.backward(np.ones(y.shape, np.float32))
        assert dx.shape == x.shape
        for image in range(min(batch, 2)):
            one, again = layer(x[image]), y[image]
            np.testing.assert_array_equal(one, again)
            np.testing.assert_array_equal(layer.backward(np.ones(one.shape, np.float32)), dx[image])
    rows = x.reshape(batch, 3, 30)
    assert MaxPool1d(3)(rows).shape == (batch, 3, 10)


def test_what_comes_out_has_its_channels_side_by_side():
    y = MaxPool2d(2)(np.random.default_rng(0).normal(size=(2, 3, 6, 6)))
    assert y.array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_the_same_layer_on_the_loops():
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 6))
    for layer in (MaxPool2d(3, 2, 1), AdaptiveMaxPool2d((3, 2))):
        y = layer(x)
        grad = np.random.default_rng(1).normal(size=y.shape)
        dx = layer.backward(grad)
        with kernels.use("loops"):
            np.testing.assert_array_equal(layer(x), y)
            np.testing.assert_allclose(layer.backward(grad), dx, atol=1e-14)


def test_repr():
    assert repr(MaxPool2d(2)) == "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"
    assert repr(AdaptiveMaxPool2d((2, None))) == "AdaptiveMaxPool2d(output_size=(2, None))"
