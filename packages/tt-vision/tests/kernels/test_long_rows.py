"""LongRows: block by block, in any memory order and on any number of threads, it is what it is of the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision.kernels import long_rows as module
from tt_vision.kernels.long_rows import LongRows

ORDERS = ("last", "first", "strided", "reversed")
shapes = st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 40))
orders, threads = st.sampled_from(ORDERS), st.sampled_from([1, 2, 3])


def in_order(x, order):
    """(N, C, P) with the same values in another memory order."""
    if order == "last":
        return np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    if order == "strided":
        return np.repeat(x, 2, axis=2)[:, :, ::2]
    return x[::-1].copy()[::-1] if order == "reversed" else x.copy()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """So small that every test has several blocks, and parts."""
    monkeypatch.setattr(module, "BLOCK", 200)
    monkeypatch.setattr(module, "WORTH", 30)
    monkeypatch.setattr(module, "LONG", 12)


def numbers(shape, seed, dtype=np.float64, offset=0.0):
    return (np.random.default_rng(seed).normal(size=shape) + offset).astype(dtype)


@settings(max_examples=40, deadline=None)
@given(shapes, orders, orders, threads, st.sampled_from([np.float32, np.float64]))
def test_totals_are_the_sums_and_the_sums_of_products(shape, order, other, number, dtype):
    x, y = in_order(numbers(shape, 0, dtype), order), in_order(numbers(shape, 1, dtype), other)
    center = numbers(shape[1], 2, np.float32).astype(np.float64)
    with shards.threads(number):
        rows = LongRows(x, y)
        results = rows.totals(), rows.totals(center), LongRows(x).totals()
    wide, other_wide = x.astype(np.float64), y.astype(np.float64)
    products = wide * other_wide, wide * (other_wide - center[:, None]), wide * wide
    tolerance = 1e-4 if dtype == np.float32 else 1e-11
    for found, product in zip(results, products, strict=True):
        for one, wanted in zip(found, (wide, product), strict=True):
            assert one.dtype == np.float64 and one.shape == (shape[1],)
            np.testing.assert_allclose(one, wanted.sum(axis=(0, 2)), rtol=tolerance, atol=tolerance)


@settings(max_examples=40, deadline=None)
@given(shapes, orders, threads, st.sampled_from([0.0, 1e4, 1e6]))
def test_moments_lose_no_digits_to_a_mean_that_is_far(shape, order, number, offset):
    x = in_order(numbers(shape, 0, np.float32, offset), order)
    with shards.threads(number):
        rows = LongRows(x)
        mean, squares = rows.moments()
    assert rows.count == shape[0] * shape[2]
    wide = x.astype(np.longdouble)
    wanted = wide.mean(axis=(0, 2), keepdims=True)
    np.testing.assert_allclose(mean, wanted[0, :, 0].astype(np.float64), rtol=1e-13, atol=1e-13)
    off = (wide - wanted) ** 2
    np.testing.assert_allclose(squares, off.sum(axis=(0, 2)).astype(np.float64), rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(shapes, orders, orders, threads, st.booleans())
def test_what_is_made_is_the_formula(shape, order, other, number, centred):
    n, c, p = shape
    x, y = numbers(shape, 0), numbers(shape, 1)
    a, b, d, center = (numbers(c, seed) for seed in range(2, 6))
    middle = center if centred else None
    with shards.threads(number):
        rows, one = LongRows(in_order(x, order), in_order(y, other)), LongRows(in_order(x, order))
        scaled = one.scaled(np.empty((n, p, c)), a, b, middle)
        only = one.scaled(np.empty((n, p, c)), a)
        combined = rows.combined(np.empty((n, p, c)), a, b, d, middle)
    a, b, d, center = (v[:, None] for v in (a, b, d, center if centred else 0 * center))
    for found, wanted in (
        (scaled, (x - center) * a + b),
        (only, x * a),
        (combined, (x + (y - center) * a + b) * d),
    ):
        np.testing.assert_allclose(found.transpose(0, 2, 1), wanted, rtol=1e-12, atol=1e-12)


def test_the_same_bits_each_time():
    x = numbers((7, 3, 50), 0, np.float32)
    with shards.threads(3):
        first = LongRows(x).totals()
        for _ in range(5):
            assert all(np.array_equal(a, b) for a, b in zip(first, LongRows(x).totals(), strict=True))


def test_blocks_are_small_and_cover_each_row_once():
    for shape in ((1, 3, 100), (20, 3, 4), (3, 2, 200), (5, 1, 1), (50, 7, 1), (4, 90, 3), (7, 5, 13)):
        for order in ORDERS:
            x = in_order(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), order)
            rows, made = LongRows(x), np.full(x.size, -1.0)
            # A block holds at least one long row, or one unit.
            most = max(module.BLOCK, rows.width * 4, rows.unit * 4)
            for start, stop in rows.cut:
                for place, (block,) in rows._blocks(start, stop):
                    assert (made[place] == -1).all() and block.flags.c_contiguous and block.nbytes <= most
                    made[place] = block.reshape(-1)
            np.testing.assert_array_equal(made.reshape(shape[0], shape[2], shape[1]).transpose(0, 2, 1), x)


def test_what_lies_channels_last_is_not_copied():
    for shape in ((4, 3, 20), (1, 3, 20), (20, 3, 1)):
        x = in_order(numbers(shape, 0), "last")
        rows = LongRows(x, in_order(numbers(shape, 1), "strided"))
        for which, array in ((LongRows(x), x), (rows, x)):
            blocks = [block[0] for start, stop in which.cut for _, block in which._blocks(start, stop)]
            assert all(np.shares_memory(block, array) for block in blocks)
