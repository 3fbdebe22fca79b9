"""InstanceNorm: each channel of each image, running statistics, one image without a batch axis, wrong calls.

PyTorch's values are in test_norm_goldens.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_tensor import Tensor, kernels
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.batch_norm import batch_norm
from tt_vision.group_norm import GroupNorm
from tt_vision.instance_norm import InstanceNorm1d, InstanceNorm2d, instance_norm


def numbers(shape, seed=0, dtype=np.float64, offset=0.0):
    return (np.random.default_rng(seed).normal(size=shape) + offset).astype(dtype)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 6), st.integers(2, 6), st.integers(0, 99))
def test_it_is_a_group_norm_with_a_group_for_each_channel(n, c, height, width, seed):
    x, g = numbers((n, c, height, width), seed, offset=2.0), Tensor(numbers((n, c, height, width), seed + 1))
    layer, groups = InstanceNorm2d(c, affine=True).double(), GroupNorm(c, c).double()
    np.testing.assert_array_equal(layer(Tensor(x)), groups(Tensor(x)))
    np.testing.assert_array_equal(layer.backward(g), groups.backward(g))
    rows = InstanceNorm1d(c, affine=True).double()
    flat = (n, c, height * width)
    np.testing.assert_allclose(rows(Tensor(x.reshape(flat))), layer(Tensor(x)).reshape(flat), atol=1e-12)


@pytest.mark.parametrize(("make", "shape"), [(InstanceNorm2d, (3, 4, 5)), (InstanceNorm1d, (3, 7))])
@pytest.mark.parametrize("tracked", [False, True])
def test_one_image_is_a_batch_of_one(make, shape, tracked):
    one, batch = (make(3, affine=True, track_running_stats=tracked).double() for _ in range(2))
    x, g = numbers(shape), numbers(shape, 1)
    for training in (True, False):
        for layer in (one, batch):
            layer.train(training).zero_grad()
        y = one(Tensor(x))
        assert y.shape == shape
        np.testing.assert_array_equal(y, batch(Tensor(x[None]))[0])
        np.testing.assert_array_equal(one.backward(Tensor(g)), batch.backward(Tensor(g[None]))[0])
        for key, parameter in one.named_parameters():
            np.testing.assert_array_equal(parameter.grad, batch.get_parameter(key).grad)
    for key, buffer in one.named_buffers():
        np.testing.assert_array_equal(buffer, batch.get_buffer(key))


@pytest.mark.parametrize("momentum", [0.1, 0.6, None])
def test_running_values_are_means_over_the_images(momentum):
    layer = InstanceNorm2d(3, momentum=momentum, track_running_stats=True, dtype=np.float64)
    mean, variance, share = np.zeros(3), np.ones(3), momentum or 0.0
    for size in (5, 5, 2):
        x = numbers((size, 3, 4, 2), size, offset=2.0)
        layer(Tensor(x))
        mean = (1 - share) * mean + share * x.mean(axis=(2, 3)).mean(axis=0)
        variance = (1 - share) * variance + share * x.var(axis=(2, 3), ddof=1).mean(axis=0)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, variance, rtol=1e-12)
    assert layer.num_batches_tracked.item() == 0  # as in PyTorch
    x = numbers((2, 3, 1, 1))
    y = layer.eval()(Tensor(x))
    np.testing.assert_allclose(y, batch_norm(x, mean, variance), rtol=1e-12)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)


def test_without_running_values_eval_is_as_training():
    layer, x = InstanceNorm2d(3), Tensor(numbers((2, 3, 4, 4), dtype=np.float32))
    y = layer(x)
    np.testing.assert_array_equal(layer.eval()(x), y)
    assert not list(layer.parameters()) and not list(layer.buffers())


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (3, 1, 1)])
def test_one_pixel_per_channel_is_refused(shape):
    with pytest.raises(ShapeError, match="one pixel per channel"):
        InstanceNorm2d(3)(np.ones(shape, np.float32))
    layer = InstanceNorm2d(3, track_running_stats=True)
    with pytest.raises(ShapeError, match=r"InstanceNorm2d.*one pixel per channel"):
        layer(np.ones(shape, np.float32))
    assert layer.eval()(np.ones(shape, np.float32)).shape == shape
    for wrong in ((2, 3), (2, 3, 1), (2, 3, 1, 1)):
        with pytest.raises(ShapeError, match="one pixel per channel"):
            instance_norm(np.ones(wrong, np.float32))


@pytest.mark.parametrize("shape", [(0, 3, 2, 2), (2, 3, 0, 2)])
def test_nothing_in_nothing_out(shape):
    layer = InstanceNorm2d(3, affine=True, track_running_stats=True)
    assert layer(Tensor(np.ones(shape, np.float32))).shape == shape
    assert layer.backward(Tensor(np.ones(shape, np.float32))).shape == shape
    assert not layer.weight.grad.numpy().any()
    assert not layer.running_mean.numpy().any() and (layer.running_var.numpy() == 1).all()


def test_functional_is_the_layer():
    layer = InstanceNorm2d(3, affine=True, track_running_stats=True)
    x, mean, variance = (
        numbers((4, 3, 5, 2), dtype=np.float32),
        np.zeros(3, np.float32),
        np.ones(3, np.float32),
    )
    for training in (True, False):
        y = instance_norm(x, mean, variance, layer.weight, layer.bias, training)
        np.testing.assert_array_equal(y, layer.train(training)(Tensor(x)))
        np.testing.assert_array_equal(mean, layer.running_mean)
        np.testing.assert_array_equal(variance, layer.running_var)


def test_loops_run_the_same_layer():
    x, layer = Tensor(numbers((2, 4, 3, 2), dtype=np.float32)), InstanceNorm2d(4, affine=True)
    y, dx = layer(x), layer.backward(x)
    with kernels.use("loops"):
        slow, slow_dx = layer(x), layer.backward(x)
    np.testing.assert_allclose(slow, y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slow_dx, dx, rtol=1e-5, atol=1e-6)


def test_dtypes():
    x = numbers((2, 3, 4, 4), dtype=np.float16)
    assert InstanceNorm2d(3)(Tensor(x)).dtype == np.float16
    assert InstanceNorm2d(3, affine=True)(Tensor(x.astype(np.float32))).dtype == np.float32
    layer = InstanceNorm1d(3, affine=True, track_running_stats=True, dtype=np.float64)
    assert layer.weight.dtype == layer.running_var.dtype == np.float64


IMAGES = np.zeros((2, 3, 4, 4), np.float32)

WRONG = [
    (lambda: InstanceNorm2d(4)(IMAGES), ShapeError, "3 channels.*num_features is 4"),
    (lambda: InstanceNorm2d(4)(IMAGES[0]), ShapeError, "3 channels.*num_features is 4"),
    (lambda: InstanceNorm2d(3)(IMAGES[0, 0]), ShapeError, r"\(4, 4\).*\(N, C, H, W\) or \(C, H, W\)"),
    (lambda: InstanceNorm1d(3)(IMAGES), ShapeError, r"\(N, C, L\) or \(C, L\)"),
    (lambda: InstanceNorm2d(3)(IMAGES.astype(int)), DTypeError, "int64"),
    (lambda: InstanceNorm2d("3"), ArgumentError, "InstanceNorm2d: num_features"),
    (
        lambda: instance_norm(IMAGES, use_input_stats=False),
        ArgumentError,
        "running_mean and running_var are needed",
    ),
    (lambda: instance_norm(IMAGES, np.zeros(3)), ArgumentError, "both"),
    (
        lambda: instance_norm(IMAGES, np.zeros(4), np.ones(4)),
        ShapeError,
        r"instance_norm.*\(4,\).*3 channels",
    ),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG)
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_looks():
    # The string is PyTorch 2.13's.
    assert repr(InstanceNorm2d(3)) == (
        "InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)"
    )
