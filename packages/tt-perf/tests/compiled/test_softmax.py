"""Softmax, its logarithm and their rules, compiled: like the loops, for logits of any size, masked rows and NaN."""

import math

import numpy as np
import pytest

pytest.importorskip("numba")

import tt_perf
import tt_tensor as tt
from tt_nn import shards
from tt_perf.compiled import log_softmax, softmax
from tt_tensor import kernels
from tt_tensor.kernels import table

INF = math.inf
SHAPES = [(0, 3), (3, 0), (1,), (7,), (2, 3, 17), (5, 64), (3, 100)]
FORWARD = ["softmax", "log_softmax"]


def logits(shape, seed=0, scale=3.0):
    x = np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)
    if x.size > 8:
        flat = x.reshape(-1, shape[-1])
        flat[0] = -INF
        flat[-1, 1:3] = -INF
    return x


def run(operation, *arguments):
    return getattr(log_softmax if operation.startswith("log") else softmax, operation)(*arguments)


def loops(operation, *arguments):
    return kernels.kernel(operation, "loops")(*arguments)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 3e4])
@pytest.mark.parametrize("operation", FORWARD)
def test_like_the_loops(operation, shape, scale):
    x = logits(shape, scale=scale)
    axis = len(shape) - 1
    y = run(operation, x, axis)
    wanted = loops(operation, x, axis)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, wanted, rtol=2e-6, atol=1e-6)
    grad = logits(shape, 1)
    grad[np.isinf(grad)] = 1
    dx = run(operation + "_backward", grad, wanted, axis)
    np.testing.assert_allclose(dx, loops(operation + "_backward", grad, wanted, axis), rtol=2e-6, atol=1e-5)


@pytest.mark.parametrize("operation", FORWARD)
def test_what_is_not_finite(operation):
    x = np.zeros((6, 20), np.float32)
    x[0, 3], x[1, 17], x[2], x[3, 5], x[4, 0], x[5, 2] = math.nan, INF, -INF, -INF, -math.nan, 3e38
    y = run(operation, x, 1)
    np.testing.assert_allclose(y, loops(operation, x, 1), rtol=1e-6)
    dx = run(operation + "_backward", np.ones_like(x), y, 1)
    wanted = kernels.kernel(operation + "_backward", "numpy")(np.ones_like(x), y, 1)
    np.testing.assert_allclose(dx, wanted, rtol=1e-6, atol=1e-5)
    assert not dx[2].any()


def test_logarithms_of_large_logits_keep_their_digits():
    x = np.tile(np.array([1e4, 1e4 + 1, 1e4 - 2, -INF], np.float32), (2, 8))
    exact = x.astype(np.float64) - 1e4
    exact -= np.log(np.exp(exact).sum(1, keepdims=True))
    np.testing.assert_allclose(run("log_softmax", x, 1), exact, rtol=3e-7)


@pytest.mark.parametrize("operation", FORWARD)
def test_what_does_not_suit_is_handed_on(operation):
    x = logits((6, 8))
    for other, axis in (
        (x.astype(np.float64), 1),
        (x.astype(np.float16), 1),
        (x, 0),
        (x.T, 1),
        (x[:, ::2], 1),
    ):
        y = run(operation, other, axis)
        np.testing.assert_array_equal(y, kernels.kernel(operation, "numpy")(other, axis), strict=True)


def test_many_rows_are_cut_for_threads():
    x = logits((9000, 65))
    whole = run("softmax", x, 1)
    with shards.threads(1):
        np.testing.assert_array_equal(run("softmax", x, 1), whole)


def test_small_operations_stay_plain_when_accelerated():
    with tt_perf.accelerate(malloc=False):
        assert table.plain
        y = tt.softmax(tt.Tensor(np.float32([[1, 2], [-INF, -INF]])))
    np.testing.assert_allclose(y.numpy(), [[0.26894142, 0.7310586], [0, 0]], rtol=1e-6)
