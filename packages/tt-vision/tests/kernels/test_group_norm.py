"""Group norm's kernels: loops = rows of channels, and no digits are lost to a large mean."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision.kernels import group_norm as by
from tt_vision.kernels import image_rows
from tt_vision.kernels.batch_norm import inverse_root

groupings = st.tuples(st.integers(1, 3), st.integers(1, 3))


def numbers(shape, seed, dtype=np.float64, offset=0.0):
    return (np.random.default_rng(seed).normal(size=shape) + offset).astype(dtype)


@settings(max_examples=60, deadline=None)
@given(groupings, st.integers(1, 6), st.integers(1, 12), st.booleans(), st.booleans(), st.booleans(),
       st.sampled_from([0.0, 30.0]), st.integers(0, 99))  # fmt: skip
def test_loops_give_the_same(grouping, n, p, last, weighted, biased, offset, seed):
    groups, size = grouping
    shape = (n, groups * size, p)
    x, grad = numbers(shape, seed, offset=offset), numbers(shape, seed + 1)
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    weight = numbers(shape[1], seed + 2) if weighted else None
    bias = numbers(shape[1], seed + 3) if biased else None
    slow, fast = (
        by.group_norm_loops(x, groups, weight, bias, 0.1),
        by.group_norm(x, groups, weight, bias, 0.1),
    )
    for one, wanted in zip(fast, slow, strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-8, atol=1e-9)
    scale = inverse_root(slow[2] + 0.1)
    for needs in itertools.product([True, False], repeat=3):
        wanted = by.group_norm_backward_loops(grad, x, groups, weight, slow[1], scale, needs)
        found = by.group_norm_backward(grad, x, groups, weight, slow[1], scale, needs)
        for one, other, need in zip(found, wanted, needs, strict=True):
            assert (one is None) == (other is None) == (not need)
            if need:
                np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shape", [(3, 4, 20), (1, 4, 5000), (40, 8, 70)])
@pytest.mark.parametrize("offset", [0.0, 3.0, 1e4, -3e5])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_large_mean_costs_no_digits(shape, offset, threads, monkeypatch):
    monkeypatch.setattr(image_rows, "BLOCK", 1 << 14)
    monkeypatch.setattr(image_rows, "WORTH", 1 << 11)
    x, grad, weight = (
        numbers(shape, 0, np.float32, offset),
        numbers(shape, 1, np.float32),
        numbers(shape[1], 2),
    )
    # Groups that are far apart, and channels that are within one.
    x += np.arange(shape[1], dtype=np.float32)[:, None] * np.float32(0 if offset == 0 else 100)
    wide = x.astype(np.float64).reshape(shape[0], 2, -1)
    mean, variance = wide.mean(axis=2), wide.var(axis=2)
    scale = 1 / np.sqrt(variance + 1e-5)
    hat = (wide - mean[:, :, None]) * scale[:, :, None]
    with shards.threads(threads):
        y, found_mean, found_variance = by.group_norm(x, 2, weight, None, 1e-5)
        dx, dw, db = by.group_norm_backward(
            grad, x, 2, weight, found_mean, inverse_root(found_variance + 1e-5), (True,) * 3
        )
    np.testing.assert_allclose(found_mean, mean, rtol=3e-7, atol=1e-7)
    np.testing.assert_allclose(found_variance, variance, rtol=5e-6)
    np.testing.assert_allclose(y, hat.reshape(shape) * weight[:, None], atol=2e-5, rtol=2e-6)
    g = grad.astype(np.float64)
    d = (g * weight[:, None]).reshape(hat.shape)
    wanted = scale[:, :, None] * (
        d - d.mean(axis=2, keepdims=True) - hat * (d * hat).mean(axis=2, keepdims=True)
    )
    np.testing.assert_allclose(dx, wanted.reshape(shape), rtol=3e-6, atol=1e-5)
    np.testing.assert_allclose(dw, (g * hat.reshape(shape)).sum(axis=(0, 2)), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(db, g.sum(axis=(0, 2)), rtol=1e-5, atol=1e-3)
