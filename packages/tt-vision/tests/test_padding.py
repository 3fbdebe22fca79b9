"""Padding: NumPy's values, each copy's gradient to its original, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_tensor import kernels
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.padding import (
    PADDING_MODES,
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    ZeroPad1d,
    ZeroPad2d,
    pad_images,
)

NUMPYS = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@given(
    st.sampled_from(PADDING_MODES),
    st.tuples(*[st.integers(0, 4)] * 4),
    st.integers(0, 2),
    st.sampled_from([np.float32, np.float64, np.int32, np.bool_]),
)
@settings(max_examples=60, deadline=None)
def test_values_are_numpys(mode, sides, n, dtype):
    top, bottom, left, right = sides
    x = np.random.default_rng(0).integers(0, 9, (n, 2, 5, 6)).astype(dtype)
    y = pad_images(x, ((top, bottom), (left, right)), mode)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), NUMPYS[mode]))
    assert y.array.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_rows_of_samples(mode):
    x = np.arange(10.0).reshape(1, 2, 5)
    y = pad_images(x, ((0, 0), (2, 3)), mode, dims=1)
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (0, 0), (2, 3)), NUMPYS[mode]))
    np.testing.assert_array_equal(pad_images(x[0], ((0, 0), (2, 3)), mode, dims=1), y[0])


def test_every_copy_sends_its_gradient_back():
    x = np.arange(6.0).reshape(1, 1, 2, 3)
    for layer, counts in (
        (ZeroPad2d(1), [[1, 1, 1], [1, 1, 1]]),
        (ReplicationPad2d(1), [[4, 2, 4], [4, 2, 4]]),
        (ReflectionPad2d(1), [[2, 6, 2], [2, 6, 2]]),
        (CircularPad2d((0, 3, 0, 0)), [[2, 2, 2], [2, 2, 2]]),
        (ConstantPad2d((-1, 2, 0, 1), 5.0), [[0, 1, 1], [0, 1, 1]]),
    ):
        y = layer(x)
        np.testing.assert_array_equal(layer.backward(np.ones(y.shape))[0, 0], counts)


def test_a_number_around():
    x = np.arange(4.0, dtype=np.float32).reshape(1, 2, 2)
    y = ConstantPad2d((1, 0, -1, 2), -1.5)(x)
    np.testing.assert_array_equal(y[0], [[-1.5, 2, 3], [-1.5, -1.5, -1.5], [-1.5, -1.5, -1.5]])
    assert y.dtype == np.float32


def test_infinite_pixels_stay_where_they_belong():
    x = np.array([[[[np.inf, 1.0], [2.0, np.nan]]]])
    y = pad_images(x, ((1, 0), (0, 1)), "reflect")
    np.testing.assert_array_equal(y[0, 0], [[2, np.nan, 2], [np.inf, 1, np.inf], [2, np.nan, 2]])


def test_the_same_layer_on_the_loops():
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 3))
    for layer in (
        ReflectionPad2d(2),
        ReplicationPad2d((0, 2, 1, 0)),
        CircularPad2d(1),
        ConstantPad2d(1, 2.0),
    ):
        y = layer(x)
        dx = layer.backward(y)
        with kernels.use("loops"):
            np.testing.assert_array_equal(layer(x), y)
            np.testing.assert_allclose(layer.backward(y), dx, atol=1e-14)


@pytest.mark.parametrize("padding", [1.5, (1, 2), (1, 2, 3), "1", None, (1, 1, 1, True)])
def test_what_is_no_padding(padding):
    with pytest.raises(ArgumentError, match="left, right, top, bottom"):
        ZeroPad2d(padding)
    with pytest.raises(ArgumentError, match="in whole numbers"):
        pad_images(np.zeros((1, 1, 2, 2)), padding)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (ReflectionPad2d(3), (1, 1, 3, 5), "less than"),
        (ReflectionPad2d((0, 5, 0, 0)), (1, 1, 9, 5), "width 5"),
        (CircularPad2d(4), (1, 1, 3, 5), "no more than"),
        (ReplicationPad2d(1), (1, 1, 0, 5), "nothing"),
        (ReflectionPad2d(1), (1, 1, 5, 0), "less than"),
        (ZeroPad2d(-3), (1, 1, 5, 9), "nothing"),
        (ZeroPad2d(1), (5, 9), r"\(C, H, W\)"),
    ],
)
def test_images_that_are_too_small(layer, shape, message):
    with pytest.raises(ShapeError, match=message):
        layer(np.zeros(shape))


def test_a_mode_that_is_none():
    with pytest.raises(ArgumentError, match="zeros, reflect, replicate, circular"):
        pad_images(np.zeros((1, 1, 2, 2)), ((1, 1), (1, 1)), "edge")


def test_repr():
    assert repr(ZeroPad2d(2)) == "ZeroPad2d((2, 2, 2, 2))"
    assert repr(ConstantPad2d((1, 2, 3, 4), 0.5)) == "ConstantPad2d(padding=(1, 2, 3, 4), value=0.5)"


@pytest.mark.parametrize(
    ("layer", "mode"),
    [
        (ZeroPad1d, "constant"),
        (ReflectionPad1d, "reflect"),
        (ReplicationPad1d, "edge"),
        (CircularPad1d, "wrap"),
    ],
)
def test_layers_of_one_axis(layer, mode):
    x = np.arange(10.0).reshape(1, 2, 5)
    np.testing.assert_array_equal(layer(2)(x), np.pad(x, ((0, 0), (0, 0), (2, 2)), mode))
    np.testing.assert_array_equal(layer((1, 3))(x[0]), np.pad(x[0], ((0, 0), (1, 3)), mode))
    assert repr(layer(2)) == f"{layer.__name__}((2, 2))"
    with pytest.raises(ArgumentError, match="two for left, right"):
        layer((1, 2, 3, 4))
    assert ConstantPad1d(1, 7.0)(x).tolist()[0][0] == [7, 0, 1, 2, 3, 4, 7]
