"""Batch norm's kernels: loops = all at once = block by block, and none loses digits to a large mean."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision.kernels import batch_norm as by
from tt_vision.kernels import long_rows

KERNELS = {
    "loops": (by.batch_norm_loops, by.batch_norm_backward_loops),
    "whole": (by.batch_norm_whole, by.batch_norm_backward_whole),
    "blocked": (by.batch_norm_blocked, by.batch_norm_backward_blocked),
    "numpy": (by.batch_norm, by.batch_norm_backward),
}
shapes = st.tuples(st.integers(1, 7), st.integers(1, 5), st.integers(1, 12))


def numbers(shape, seed, dtype=np.float64, offset=0.0):
    return (np.random.default_rng(seed).normal(size=shape) + offset).astype(dtype)


def channels_last(x):
    return np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)


@settings(max_examples=60, deadline=None)
@given(
    shapes,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 30.0]),
    st.integers(0, 99),
)
def test_all_give_the_same(shape, last, weighted, biased, through, offset, seed):
    c = shape[1]
    x, grad = numbers(shape, seed, offset=offset), numbers(shape, seed + 1)
    if last:
        x, grad = channels_last(x), channels_last(grad)
    weight = numbers(c, seed + 2) if weighted else None
    bias = numbers(c, seed + 3) if biased else None
    constants = None if through else (numbers(c, seed + 4), numbers(c, seed + 5) ** 2)
    results = {}
    for name, (forward, backward) in KERNELS.items():
        y, mean, variance = forward(x, weight, bias, 0.1, constants)
        scale = by.inverse_root(variance + 0.1)
        results[name] = (y, mean, variance, *backward(grad, x, weight, mean, scale, through, (True,) * 3))
        assert y.shape == x.shape and y.dtype == x.dtype
    for name, found in results.items():
        for one, wanted in zip(found, results["loops"], strict=True):
            np.testing.assert_allclose(one, wanted, rtol=1e-8, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("through", [True, False])
@pytest.mark.parametrize("name", KERNELS)
def test_what_nobody_needs_is_none(name, through):
    forward, backward = KERNELS[name]
    x, grad, weight = numbers((3, 2, 4), 0), numbers((3, 2, 4), 1), numbers(2, 2)
    _, mean, variance = forward(x, weight, None, 0.1)
    scale = by.inverse_root(variance + 0.1)
    everything = backward(grad, x, weight, mean, scale, through, (True, True, True))
    for needs in itertools.product([True, False], repeat=3):
        found = backward(grad, x, weight, mean, scale, through, needs)
        for wanted, one, need in zip(everything, found, needs, strict=True):
            assert (one is None) != need
            if need:
                np.testing.assert_array_equal(one, wanted)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *[(name, shape) for name in KERNELS for shape in ((5, 3, 4), (8, 3, 60))],
        *[(name, shape) for name in ("blocked", "numpy") for shape in ((40, 4, 60), (130, 16, 64))],
    ],
)
@pytest.mark.parametrize("offset", [0.0, 3.0, 1e4, -3e5])
def test_a_large_mean_costs_no_digits(name, shape, offset):
    forward, backward = KERNELS[name]
    x, grad, weight = (
        numbers(shape, 0, np.float32, offset),
        numbers(shape, 1, np.float32),
        numbers(shape[1], 2),
    )
    wide = x.astype(np.float64)
    mean, variance = wide.mean(axis=(0, 2)), wide.var(axis=(0, 2))
    scale = 1 / np.sqrt(variance + 1e-5)
    hat = (wide - mean[:, None]) * scale[:, None]
    y, found_mean, found_variance = forward(x, weight, None, 1e-5)
    np.testing.assert_allclose(found_mean, mean, rtol=3e-7, atol=1e-7)
    np.testing.assert_allclose(found_variance, variance, rtol=5e-6)
    np.testing.assert_allclose(y, hat * weight[:, None], atol=2e-5, rtol=2e-6)
    dx, dw, db = backward(
        grad, x, weight, found_mean, by.inverse_root(found_variance + 1e-5), True, (True,) * 3
    )
    g = grad.astype(np.float64)
    total, along = g.sum(axis=(0, 2)), (g * hat).sum(axis=(0, 2))
    wanted = (weight * scale)[:, None] * (g - (total[:, None] + hat * along[:, None]) / (g.size / shape[1]))
    np.testing.assert_allclose(dx, wanted, rtol=3e-6, atol=1e-5)
    np.testing.assert_allclose(dw, along, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(db, total, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", ["whole", "blocked"])
def test_images_of_quite_different_means(name):
    # Each image is far from 0 and from the others, the batch is not.
    x = numbers((8, 3, 200), 0, np.float32)
    x += (np.array([-1e3, 1e3] * 4, np.float32) + np.arange(8, dtype=np.float32))[:, None, None]
    _, mean, variance = KERNELS[name][0](x, None, None, 1e-5)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean(axis=(0, 2)), atol=1e-3)
    np.testing.assert_allclose(variance, wide.var(axis=(0, 2)), rtol=1e-6)


def test_values_whose_squares_overflow():
    x = numbers((40, 2, 30), 0, np.float32) * np.float32(1e25)
    y, _, variance = by.batch_norm_blocked(x, None, None, 1e-5)
    np.testing.assert_allclose(variance, x.astype(np.float64).var(axis=(0, 2)), rtol=1e-6)
    np.testing.assert_allclose(y.astype(np.float64).std(axis=(0, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize("name", KERNELS)
def test_one_bad_value_spoils_its_channel_only(name):
    x = numbers((6, 3, 20), 0)
    x[2, 1, 5] = np.nan
    y, mean, _ = KERNELS[name][0](x, None, None, 1e-5)
    assert np.isnan(y[:, 1]).all() and np.isnan(mean[1])
    assert np.isfinite(y[:, [0, 2]]).all()


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("value", [0.0, 0.1, -7.0, 1234.567])
@pytest.mark.parametrize("shape", [(3, 2, 5), (60, 2, 40)])
def test_channels_of_equal_values_give_the_bias(name, value, shape):
    forward, backward = KERNELS[name]
    x = np.full(shape, value, np.float32)
    y, mean, variance = forward(x, numbers(2, 0), np.array([1.0, -2.0]), 1e-5)
    np.testing.assert_allclose(y, np.broadcast_to(np.array([1.0, -2.0])[:, None], shape), atol=1e-6)
    assert (variance >= 0).all()
    scale = by.inverse_root(variance + 1e-5)
    dx = backward(np.ones_like(x), x, None, mean, scale, True, (True, True, True))[0]
    np.testing.assert_allclose(dx, 0, atol=2e-4)


def test_threads_change_last_bits_at_most(monkeypatch):
    monkeypatch.setattr(long_rows, "WORTH", 1 << 14)
    monkeypatch.setattr(long_rows, "BLOCK", 1 << 16)
    x, grad = numbers((64, 16, 256), 0, np.float32), numbers((64, 16, 256), 1, np.float32)

    def run():
        y, mean, variance = by.batch_norm_blocked(x, None, None, 1e-5)
        scale = by.inverse_root(variance + 1e-5)
        return (
            y,
            mean,
            variance,
            *by.batch_norm_backward_blocked(grad, x, None, mean, scale, True, (True,) * 3),
        )

    with shards.threads(1):
        one = run()
    with shards.threads(3):
        three, again = run(), run()
    for a, b, c in zip(one, three, again, strict=True):
        assert np.array_equal(b, c)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("last", [True, False])
def test_memory_is_the_result_and_a_few_blocks(last, monkeypatch):
    monkeypatch.setattr(long_rows, "BLOCK", 1 << 16)
    x, grad = numbers((32, 16, 2048), 0, np.float32), numbers((32, 16, 2048), 1, np.float32)
    if last:
        x, grad = channels_last(x), channels_last(grad)
    y, mean, variance = by.batch_norm(x, None, None, 1e-5)
    backward = by.batch_norm_backward(grad, x, None, mean, by.inverse_root(variance), True, (True,) * 3)
    for run in (
        lambda: by.batch_norm(x, None, None, 1e-5),
        lambda: by.batch_norm_backward(grad, x, None, mean, by.inverse_root(variance), True, (True,) * 3),
    ):
        tracemalloc.start()
        made = run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= x.nbytes + 8 * shards.get_num_threads() * long_rows.BLOCK, peak
        del made
    assert y.transpose(0, 2, 1).flags.c_contiguous and backward[0].transpose(0, 2, 1).flags.c_contiguous


def test_which_kernel_runs():
    assert by._few(numbers((64, 128, 1), 0)) and by._few(numbers((2, 64, 64), 0))
    assert not by._few(numbers((64, 16, 64), 0)) and not by._few(numbers((512, 1000, 1), 0))
