"""Flatten and Unflatten: which axes, views, the way back, wrong calls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn as nn
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, AxisError, ShapeError


@given(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3), st.data())
def test_there_and_back(shape, data):
    axes = st.integers(-len(shape), len(shape) - 1)
    start, end = sorted((data.draw(axes), data.draw(axes)), key=lambda axis: axis % len(shape))
    x = Tensor(np.arange(float(np.prod(shape))).reshape(shape))
    layer = nn.Flatten(start, end)
    y = layer(x)
    first, last = start % len(shape), end % len(shape)
    joined = shape[first : last + 1]
    assert y.shape == (*shape[:first], int(np.prod(joined)), *shape[last + 1 :])
    np.testing.assert_array_equal(y.numpy().ravel(), x.numpy().ravel())
    np.testing.assert_array_equal(layer.backward(y).numpy(), x.numpy())
    again = nn.Unflatten(first, joined)
    np.testing.assert_array_equal(again(y).numpy(), x.numpy())
    np.testing.assert_array_equal(again.backward(x).numpy(), y.numpy())


def test_by_default_all_but_the_batch():
    x = Tensor(np.zeros((2, 3, 4, 5), np.float32))
    y = nn.Flatten()(x)
    assert y.shape == (2, 60) and y.shares_memory(x)
    assert nn.Flatten(0)(Tensor(1.0)).shape == (1,)
    assert nn.Flatten()(Tensor(np.zeros((0, 3, 4)))).shape == (0, 12)


def test_unflatten_fills_in_one_size():
    x = Tensor(np.zeros((3, 6), np.float32))
    assert nn.Unflatten(1, (2, -1))(x).shape == (3, 2, 3)
    assert nn.Unflatten(-1, [-1])(x).shape == (3, 6)
    assert nn.Unflatten(0, (np.int64(3), 1))(x).shape == (3, 1, 6)
    assert nn.Unflatten(1, (2, 3))(x).shares_memory(x)


WRONG = [
    (lambda: nn.Flatten()(Tensor([1.0])), AxisError, "Flatten"),
    (lambda: nn.Flatten(0, 4)(Tensor([1.0])), AxisError, "Flatten"),
    (lambda: nn.Flatten()(Tensor(1.0)), AxisError, "Flatten"),
    (lambda: nn.Flatten(2, 1)(Tensor(np.zeros((2, 3, 4)))), ShapeError, "start_dim 2 lies behind end_dim 1"),
    (lambda: nn.Flatten("1"), ArgumentError, "start_dim is an axis, an integer, not '1'"),
    (lambda: nn.Flatten(0, 1.5), ArgumentError, "end_dim"),
    (lambda: nn.Unflatten(1, (4, 2))(Tensor(np.zeros((3, 6)))), ShapeError, "do not split"),
    (lambda: nn.Unflatten(1, (4, -1))(Tensor(np.zeros((3, 6)))), ShapeError, "do not split"),
    (lambda: nn.Unflatten(2, (2, 3))(Tensor(np.zeros((3, 6)))), AxisError, "Unflatten"),
    (lambda: nn.Unflatten(0, (-1, -1)), ArgumentError, "one of them -1 at most"),
    (lambda: nn.Unflatten(0, (-2, 3)), ArgumentError, "tuple of sizes"),
    (lambda: nn.Unflatten(0, ()), ArgumentError, "tuple of sizes"),
    (lambda: nn.Unflatten(0, 6), ArgumentError, "tuple of sizes"),
    (lambda: nn.Unflatten(0, "23"), ArgumentError, "tuple of sizes"),
    (lambda: nn.Unflatten(0, (2.0, 3)), ArgumentError, "tuple of sizes"),
    (lambda: nn.Unflatten(None, (2, 3)), ArgumentError, "dim is an axis"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG)
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_gradient_of_another_shape_is_refused():
    layer = nn.Flatten()
    layer(Tensor(np.zeros((2, 3, 4))))
    with pytest.raises(ShapeError, match=r"\(12, 2\)"):
        layer.backward(Tensor(np.zeros((12, 2))))


def test_looks():
    # The strings are PyTorch 2.13's.
    assert repr(nn.Flatten()) == "Flatten(start_dim=1, end_dim=-1)"
    assert repr(nn.Unflatten(1, (2, 3))) == "Unflatten(dim=1, unflattened_size=(2, 3))"
