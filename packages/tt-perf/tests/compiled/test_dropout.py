"""Dropout's product, compiled: the same bits as NumPy's."""

import math

import numpy as np
import pytest

pytest.importorskip("numba")

import tt_nn as nn
import tt_perf
import tt_tensor as tt
from tt_perf.compiled.dropout import dropout
from tt_tensor import kernels


def plain(*arguments):
    with np.errstate(invalid="ignore"):
        return kernels.kernel("dropout", "numpy")(*arguments)


@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 0), (7, 33), (600, 1000)])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1 / 0.9])
def test_same_bits(shape, scale):
    rng = np.random.default_rng(0)
    x, mask = np.asarray(rng.normal(size=shape), np.float32), np.asarray(rng.random(shape) < 0.5)
    if x.size > 3:
        x.flat[:4] = math.nan, math.inf, -math.inf, -0.0
    np.testing.assert_array_equal(dropout(x, mask, scale), plain(x, mask, scale), strict=True)


def test_what_does_not_suit_is_handed_on():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(6, 8)), rng.random((6, 8)) < 0.5
    single = x.astype(np.float32)
    for one, other in (
        (x, mask),
        (single.T, mask.T),
        (single[:, ::2], mask[:, ::2]),
        (single, mask.T.reshape(6, 8)),
    ):
        np.testing.assert_array_equal(dropout(one, other, 2.0), plain(one, other, 2.0), strict=True)


def test_layer_both_ways():
    x = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    results = []
    for run in (False, True):
        layer = nn.Dropout(0.3, generator=tt.Generator(0))
        with tt_perf.accelerate(malloc=False) if run else tt.kernels.use("numpy"):
            results.append((layer(tt.Tensor(x)).numpy(), layer.backward(x).numpy()))
    np.testing.assert_array_equal(results[0], results[1])
