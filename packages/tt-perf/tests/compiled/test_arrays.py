"""Kernels take arrays that may not be written to, or lie anywhere: layers give what they give on NumPy's kernels."""

from copy import deepcopy

import numpy as np
import pytest

pytest.importorskip("numba")

import tt_perf
from tt_nn import GELU, LayerNorm, Linear, LogSoftmax, ReLU, RMSNorm, SiLU, Softmax
from tt_perf.compiled.arrays import whole
from tt_tensor import from_numpy
from tt_vision import BatchNorm2d, Conv2d, MaxPool2d

RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def images(*shape):
    """(N, C, H, W), the channels last in memory: as kernels take them, without a copy."""
    n, c, height, width = shape
    return numbers(n, height, width, c).transpose(0, 3, 1, 2)


def frozen(x):
    x = x.copy(order="K")
    x.flags.writeable = False
    return x


def off_by_one(x):
    """The same numbers and strides, one byte off."""
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    memory = np.empty(x.nbytes + 1, np.uint8)[1:]
    y = memory.view(x.dtype).reshape(tuple(x.shape[axis] for axis in order))
    y = y.transpose(np.argsort(order))
    y[...] = x
    return y


CASES = {
    "relu": (ReLU, numbers(5, 7)),
    "gelu": (GELU, numbers(5, 7)),
    "silu": (SiLU, numbers(5, 7)),
    "softmax": (lambda: Softmax(-1), numbers(5, 7)),
    "log_softmax": (lambda: LogSoftmax(-1), numbers(5, 7)),
    "layer_norm": (lambda: LayerNorm(7), numbers(5, 7)),
    "rms_norm": (lambda: RMSNorm(7), numbers(5, 7)),
    "max_pool": (lambda: MaxPool2d(2), images(3, 16, 8, 8)),
    "batch_norm": (lambda: BatchNorm2d(16), images(4, 16, 9, 9)),
    "winograd": (lambda: Conv2d(16, 16, 3, padding=1), images(4, 16, 16, 16)),
    "direct": (lambda: Conv2d(16, 16, 5, padding=2), images(4, 16, 16, 16)),
}


def result_and_gradients(layer, x, lies):
    x = from_numpy(lies(x))
    y = layer(x).array
    dx = layer.backward(from_numpy(lies(np.sin(np.arange(y.size, dtype=y.dtype)).reshape(y.shape)))).array
    return [y, dx, *[parameter.grad.array for parameter in layer.parameters()]]


@pytest.mark.parametrize("lies", [frozen, off_by_one])
@pytest.mark.parametrize("name", CASES)
def test_frozen_and_misaligned_arrays(name, lies):
    make, x = CASES[name]
    layer = make()
    other = deepcopy(layer)
    wanted = result_and_gradients(layer, x, np.asarray)
    for parameter in other.parameters():
        parameter.array = lies(parameter.array)
    with tt_perf.accelerate(malloc=False):
        found = result_and_gradients(other, x, lies)
    for one, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, right, rtol=0, atol=2e-5 * max(np.abs(right).max(), 1))


@pytest.mark.parametrize("lies", [frozen, off_by_one])
@pytest.mark.parametrize("scheme", ["int8", "int8-dynamic", "int16", "float16", "bfloat16"])
def test_quantized_layers_take_them_too(scheme, lies):
    small = tt_perf.quantize(Linear(33, 17), scheme)
    x = numbers(3, 33)
    wanted = small(from_numpy(x)).array
    small.bias.array = lies(small.bias.array)
    with tt_perf.accelerate(malloc=False):
        found = small(from_numpy(lies(x))).array
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)  # int8: activations in 16 bits


@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 16, 2, 2)])
def test_a_gradient_that_is_one_number_for_all(shape):
    """As that of a sum is: broadcast, so it cannot be written to, though one of size 1 is contiguous."""
    relu = ReLU()
    with tt_perf.accelerate(malloc=False):
        relu(from_numpy(np.ones(shape, np.float32)))
        dx = relu.backward(from_numpy(np.broadcast_to(np.float32(3), shape))).array
    np.testing.assert_array_equal(dx, np.full(shape, 3))


def test_a_norm_of_one_number_has_no_gradient():
    norm = LayerNorm(1, eps=1e-12)
    norm.weight.write(numbers(1))
    with tt_perf.accelerate(malloc=False):
        norm(from_numpy(numbers(50, 1)))
        dx = norm.backward(from_numpy(numbers(50, 1))).array
    np.testing.assert_array_equal(dx, np.zeros((50, 1)))


def test_whole_copies_only_what_it_must():
    x = numbers(3, 4)
    assert whole(x) is x
    for other in (x.T, frozen(x), off_by_one(x), np.broadcast_to(x[0], (3, 4))):
        y = whole(other)
        assert y.flags.carray and y.dtype == np.float32
        np.testing.assert_array_equal(y, other)
