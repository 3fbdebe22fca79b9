"""Compiled ReLU gives the very bits of NumPy's kernel."""

import numpy as np
import pytest

pytest.importorskip("numba")

import tt_nn.functional as F
import tt_perf
from tt_nn import shards
from tt_perf.compiled.relu import relu, relu_backward
from tt_tensor import kernels

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45, 3e38]


def numbers(shape, seed=0):
    return np.asarray(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (17,), (3, 0, 2), (40, 33, 130), (9, 64, 32, 16)])
@pytest.mark.parametrize("threads", [1, 3])
def test_like_numpys_kernel_and_the_loops(shape, threads):
    x, grad = numbers(shape), numbers(shape, 1)
    with shards.threads(threads):
        y = relu(x)
        dx = relu_backward(y, grad)
    assert y.dtype == dx.dtype == np.float32
    for name in ("numpy", "loops") if x.size < 1000 else ("numpy",):
        wanted = kernels.kernel("relu", name)(x)
        np.testing.assert_array_equal(y, wanted)
        np.testing.assert_array_equal(dx, kernels.kernel("relu_backward", name)(wanted, grad))


def test_numbers_that_are_none():
    x = np.array(SPECIAL * 3, np.float32)
    grad = np.repeat(np.array([np.nan, np.inf, 2.0], np.float32), len(SPECIAL))
    y = relu(x)
    wanted = kernels.kernel("relu", "numpy")(x)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(
        relu_backward(y, grad), kernels.kernel("relu_backward", "numpy")(wanted, grad)
    )


def test_what_comes_lies_in_memory_as_what_went_in():
    x = numbers((4, 6, 5, 16)).transpose(0, 3, 1, 2)
    assert relu(x).strides == x.strides
    assert relu_backward(relu(x), np.ascontiguousarray(x)).strides == x.strides


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64])
def test_other_dtypes_go_to_numpys_kernel(dtype):
    x = np.arange(-3, 4).astype(dtype)
    y = relu(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    if np.dtype(dtype).kind == "f":
        np.testing.assert_array_equal(relu_backward(y, x), np.where(x > 0, x, 0))


def test_large_arrays_of_a_model_run_on_it(monkeypatch):
    calls = []
    run = shards.run
    monkeypatch.setattr(
        shards, "run", lambda body, length, least: calls.append(length) or run(body, length, least)
    )
    x = numbers((300, 200))
    with tt_perf.accelerate(malloc=False):
        np.testing.assert_array_equal(F.relu(x), np.maximum(x, 0))
        assert calls == [x.size]  # NumPy's kernel goes by threads for larger ones only
        F.relu(x[:2])
        assert len(calls) == 1
