"""The sum of squares, compiled, and gradients that are clipped with it."""

import math

import numpy as np
import pytest

import tt_optim
import tt_perf
import tt_tensor as tt
from tt_perf.compiled.clipping import sum_of_squares
from tt_tensor import kernels


@pytest.mark.parametrize("n", [0, 1, 7, 1000, 65537])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_like_the_loops(n, size):
    x = (np.random.default_rng(n).normal(size=n) * size).astype(np.float32)
    assert sum_of_squares(x) == pytest.approx(kernels.kernel("sum_of_squares", "loops")(x), rel=1e-12)


def test_what_is_not_finite():
    assert sum_of_squares(np.array([1, math.inf], np.float32)) == math.inf
    assert math.isnan(sum_of_squares(np.array([1, math.nan] * 20, np.float32)))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_what_does_not_suit_is_handed_on(dtype):
    x = np.arange(10, dtype=dtype)
    assert sum_of_squares(x) == 285
    assert sum_of_squares(np.arange(20, dtype=np.float32)[::2]) == 4 * 285


def test_clipping():
    def clipped():
        parameters = [tt.Tensor(np.zeros(n, np.float32), requires_grad=True) for n in (3, 9000, 70_000)]
        for k, p in enumerate(parameters):
            p.grad = tt.Tensor(np.random.default_rng(k).normal(size=p.shape).astype(np.float32))
        norm = tt_optim.clip_grad_norm_(parameters, 1.0)
        return norm.item(), np.concatenate([p.grad.numpy() for p in parameters])

    norm, grads = clipped()
    with tt_perf.accelerate(malloc=False):
        fast_norm, fast = clipped()
    assert fast_norm == pytest.approx(norm, rel=1e-6)
    np.testing.assert_allclose(fast, grads, rtol=1e-6)
