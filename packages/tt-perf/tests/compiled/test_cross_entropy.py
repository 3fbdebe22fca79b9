"""Cross entropy, compiled: like the loops, and the same losses and gradients as NumPy's in every use of the layer."""

import math

import numpy as np
import pytest

pytest.importorskip("numba")

import tt_nn as nn
import tt_perf
from tt_nn import shards
from tt_perf.compiled.cross_entropy import cross_entropy, cross_entropy_backward
from tt_tensor import kernels

INF = math.inf


def problem(n, classes, scale=3.0, dtype=np.float32):
    rng = np.random.default_rng(n + classes)
    x = rng.normal(0, scale, (n, classes)).astype(dtype)
    index = rng.integers(0, classes, n)
    return x, index, np.arange(n) * classes + index


@pytest.mark.parametrize(("n", "classes"), [(0, 3), (1, 1), (3, 2), (64, 10), (5, 65), (2, 1000)])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_like_the_loops(n, classes, scale):
    x, _, at = problem(n, classes, scale)
    found, wanted = cross_entropy(x, at), kernels.kernel("cross_entropy", "loops")(x, at)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=2e-6, strict=True)
    assert np.all(found[0] >= 0)
    for scale_of in (np.linspace(-1, 1, n, dtype=np.float32), np.float32(0.5), np.array(0.5, np.float32)):
        dx = cross_entropy_backward(*found[1:], at, scale_of)
        slope = kernels.kernel("cross_entropy_backward", "loops")(*wanted[1:], at, scale_of)
        np.testing.assert_allclose(dx, slope, rtol=1e-6, atol=2e-6, strict=True)


def test_what_is_not_finite():
    x, _, at = problem(6, 33)
    x[0, 3], x[1, 32], x[2], x[3] = math.nan, INF, -INF, -1e38
    x[4].flat[at[4] - 4 * 33] = -INF  # the target is masked
    losses, e, inverse = cross_entropy(x, at)
    with np.errstate(all="ignore"):
        wanted = kernels.kernel("cross_entropy", "loops")(x, at)
    np.testing.assert_allclose(losses, wanted[0], rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(inverse), np.isnan(wanted[2]))
    np.testing.assert_allclose(e[2:], wanted[1][2:], rtol=1e-6)
    assert losses[2] == losses[4] == INF
    assert inverse[2] == 0


CASES = {
    "mean": {},
    "sum": {"reduction": "sum"},
    "none": {"reduction": "none"},
    "weight": {"weight": np.linspace(0, 1, 12, dtype=np.float32)},
    "ignored": {"ignore_index": 3},
    "smoothing": {"label_smoothing": 0.1},
}


@pytest.mark.parametrize("shape", [(40, 12), (4, 12, 5), (12,)])
@pytest.mark.parametrize("case", CASES)
def test_layer(case, shape):
    rng = np.random.default_rng(0)
    x = rng.normal(0, 3, shape).astype(np.float32)
    target = rng.integers(0, 12, shape[:1] + shape[2:] if len(shape) > 1 else ())
    if len(shape) == 2:
        x[1] = -INF

    def results():
        loss_fn = nn.CrossEntropyLoss(**CASES[case])
        loss = loss_fn(x, target).numpy()
        return loss, loss_fn.backward(np.ones_like(loss)).numpy()

    plain = results()
    with tt_perf.accelerate(malloc=False):
        fast = results()
    for one, other in zip(fast, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-6, strict=True)


def test_what_does_not_suit_is_handed_on():
    x, _, at = problem(4, 5, dtype=np.float64)
    for one, other in zip(cross_entropy(x, at), kernels.kernel("cross_entropy", "numpy")(x, at), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def test_many_rows_are_cut_for_threads():
    x, _, at = problem(9000, 65)
    whole = cross_entropy(x, at)
    with shards.threads(1):
        for one, other in zip(cross_entropy(x, at), whole, strict=True):
            np.testing.assert_array_equal(one, other)
