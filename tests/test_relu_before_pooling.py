"""A ReLU and the max pooling after it may change places, and nobody can tell but the clock."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_autograd
from tt_nn import ReLU, Sequential
from tt_tensor import Tensor
from tt_vision import Conv2d, MaxPool1d, MaxPool2d
from tt_vision.max_pooling import MaxPoolFunction


def images(seed, shape, dtype=np.float32):
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, shape).astype(dtype)  # many equal ones
    odd = rng.random(shape)
    x[odd < 0.04], x[(odd > 0.04) & (odd < 0.08)], x[odd > 0.97] = np.nan, -np.inf, np.inf
    return x


def went(layers, x, together):
    """The result and the gradient at x."""
    leaf = Tensor(x, requires_grad=True)
    if together:
        y = Sequential(*layers)(leaf)
    else:
        y = leaf
        for layer in layers:
            y = layer(y)
    grad = np.random.default_rng(1).normal(size=y.shape).astype(x.dtype)
    y.backward(Tensor(grad))
    return y.numpy(), leaf.grad.numpy(), y


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 1),
    st.booleans(),
    st.sampled_from([np.float32, np.float64]),
)
def test_it_is_the_same_to_the_bit(seed, size, stride, padding, ceil, dtype):
    pool = MaxPool2d(size, stride, min(padding, size // 2), ceil_mode=ceil)
    x = images(seed, (2, 3, 7, 8), dtype)
    one, other = (went([ReLU(), pool], x, together)[:2] for together in (True, False))
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(np.signbit(a), np.signbit(b))


def first_of(y):
    """The Function that made y."""
    return type(y._node).__name__


def test_the_pooling_goes_first_where_a_tape_records():
    x = images(0, (1, 2, 6, 6))
    assert first_of(went([ReLU(), MaxPool2d(2)], x, True)[2]) == "ReLUFunction"
    assert first_of(went([ReLU(), MaxPool1d(2)], x[0], True)[2]) == "ReLUFunction"
    for other in (
        MaxPool2d(2, 1),
        MaxPool2d(2, dilation=2),
    ):  # nothing to gain; windows that may be on no pixel
        assert first_of(went([ReLU(), other], x, True)[2]) == MaxPoolFunction.__name__


def test_by_hand_each_layer_has_its_own_way_back():
    model = Sequential(ReLU(), MaxPool2d(2))
    x = Tensor(np.arange(-8, 8, dtype=np.float32).reshape(1, 1, 4, 4))
    model(x)
    np.testing.assert_array_equal(model.backward(np.ones((1, 1, 2, 2), np.float32)).numpy()[0, 0, 1], [0] * 4)
    assert model.backward(np.ones((1, 1, 2, 2), np.float32)).numpy().sum() == 2


def test_a_hook_sees_each_layer_in_its_place():
    model, seen = Sequential(Conv2d(1, 2, 1), ReLU(), MaxPool2d(2)), []
    model[1].register_forward_hook(lambda module, args, output: seen.append(output.shape))
    model(Tensor(np.ones((1, 1, 4, 4), np.float32)))
    assert seen == [(1, 2, 4, 4)]


def test_integers_stay_as_they_are():
    x = Tensor(np.arange(-8, 8).reshape(1, 1, 4, 4))
    with tt_autograd.inference_mode():
        assert Sequential(ReLU(), MaxPool2d(2))(x).dtype == x.dtype


def test_second_derivatives_go_through():
    x = Tensor(np.random.default_rng(0).normal(size=(1, 1, 4, 4)), requires_grad=True)
    y = Sequential(ReLU(), MaxPool2d(2))(x)
    (dx,) = tt_autograd.grad((y * y * y).sum(), (x,), create_graph=True)
    (ddx,) = tt_autograd.grad(dx.sum(), (x,))
    expected = np.where(dx.numpy() != 0, 6 * x.numpy(), 0)
    np.testing.assert_allclose(ddx.numpy(), expected)
