"""GELU and SiLU, compiled: as the definition in loops, and by the fallback where an array does not suit."""

import math

import numpy as np
import pytest

pytest.importorskip("numba")

import tt_nn.functional as F
import tt_perf
from tt_nn import shards
from tt_perf.compiled.arrays import WORTH
from tt_perf.compiled.gelu import gelu, gelu_backward
from tt_perf.compiled.gelu_tanh import gelu_tanh, gelu_tanh_backward
from tt_perf.compiled.silu import silu, silu_backward
from tt_tensor import kernels

PAIRS = {
    "gelu": (gelu, gelu_backward),
    "gelu_tanh": (gelu_tanh, gelu_tanh_backward),
    "silu": (silu, silu_backward),
}
SHAPES = [(), (0,), (1,), (15,), (3, 0, 2), (16, 17), (2, 3, 129)]


def numbers(shape, seed=0):
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("operation", PAIRS)
def test_like_the_loops(operation, shape):
    x, grad = np.asarray(numbers(shape)), np.asarray(numbers(shape, 1))
    forward, backward = PAIRS[operation]
    y, kept = forward(x)
    dx = backward(x, kept, grad)
    assert y.dtype == dx.dtype == np.float32
    assert y.shape == dx.shape == shape
    wanted, _ = kernels.kernel(operation, "loops")(x)
    np.testing.assert_allclose(y, wanted, rtol=2e-6, atol=1e-6)
    slope = kernels.kernel(operation + "_backward", "loops")(x, None, np.ones_like(x))
    np.testing.assert_allclose(dx, grad * slope, rtol=0, atol=1e-6 * (1 + np.max(np.abs(grad), initial=0)))


@pytest.mark.parametrize("operation", PAIRS)
def test_largest_differences(operation):
    x = np.linspace(-12, 12, 20_011).astype(np.float32)
    forward, backward = PAIRS[operation]
    wide = x.astype(np.float64)
    y, _ = kernels.kernel(operation, "loops")(wide)
    slope = kernels.kernel(operation + "_backward", "loops")(wide, None, np.ones_like(wide))
    most = {"gelu": (2e-7, 4e-7), "gelu_tanh": (4e-7, 1e-6), "silu": (2e-7, 4e-7)}[operation]
    assert np.max(np.abs(forward(x)[0] - y) / np.maximum(np.abs(wide), 1e-9)) < most[0]
    assert np.max(np.abs(backward(x, None, np.ones_like(x)) - slope)) < most[1]


@pytest.mark.parametrize("operation", PAIRS)
def test_what_is_not_finite(operation):
    x = np.array([math.inf, -math.inf, math.nan, 3e38, -3e38, 1e-45] * 4, np.float32)
    y, kept = PAIRS[operation][0](x)
    wanted, gate = kernels.kernel(operation, "numpy")(x)
    np.testing.assert_array_equal(y, wanted)
    dx = PAIRS[operation][1](x, kept, np.ones_like(x))
    np.testing.assert_array_equal(
        dx, kernels.kernel(operation + "_backward", "numpy")(x, gate, np.ones_like(x))
    )


@pytest.mark.parametrize("operation", PAIRS)
def test_other_dtypes_are_handed_on(operation):
    forward, backward = PAIRS[operation]
    x = numbers((6, 8)).astype(np.float64)
    y, gate = forward(x)
    wanted, _ = kernels.kernel(operation, "numpy")(x)
    np.testing.assert_array_equal(y, wanted, strict=True)
    dx = kernels.kernel(operation + "_backward", "numpy")(x, gate, np.cos(x))
    np.testing.assert_array_equal(backward(x, gate, np.cos(x)), dx, strict=True)


@pytest.mark.parametrize("operation", PAIRS)
def test_other_layouts(operation):
    forward, backward = PAIRS[operation]
    x, grad = numbers((4, 6, 8)), numbers((4, 6, 8), 1)
    y, dx = forward(x)[0], backward(x, None, grad)
    channels_last = x.transpose(0, 2, 1).copy().transpose(0, 2, 1)
    read_only = x.copy()
    read_only.flags.writeable = False
    for same in (channels_last, read_only, np.asfortranarray(x), x[::-1].copy()[::-1]):
        other = forward(same)[0]
        np.testing.assert_array_equal(other, y)
        assert other.strides == same.strides or not same.flags.f_contiguous
        for slope in (grad, np.asfortranarray(grad)):
            np.testing.assert_array_equal(backward(same, None, slope), dx)
    np.testing.assert_array_equal(forward(channels_last)[0].strides, channels_last.strides)
    np.testing.assert_array_equal(forward(x[:, ::2])[0], y[:, ::2])
    spread = np.broadcast_to(np.float32(2), x.shape)
    np.testing.assert_array_equal(backward(x, None, spread), backward(x, None, np.full_like(x, 2)))


def test_many_numbers_are_cut_for_threads():
    x = numbers((4 * WORTH + 3,))
    whole, _ = gelu(x)
    with shards.threads(1):
        np.testing.assert_array_equal(gelu(x)[0], whole)
    np.testing.assert_array_equal(gelu(x[-5:].copy())[0], whole[-5:])


def test_accelerated_layers_run_on_them(monkeypatch):
    import tt_perf.compiled.gated as gated

    calls = []
    run = gated.pass_over
    monkeypatch.setattr(gated, "pass_over", lambda *arguments: (calls.append(1), run(*arguments)))
    x = numbers((4, 5))
    with kernels.use("numpy"):
        plain = [F.gelu(x).numpy(), F.gelu(x, "tanh").numpy(), F.silu(x).numpy()]
    with tt_perf.accelerate():
        fast = [F.gelu(x).numpy(), F.gelu(x, "tanh").numpy(), F.silu(x).numpy()]
    assert len(calls) == 3
    for one, other in zip(fast, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
