"""Rows of channels: block by block, in any memory order and on any number of threads, it is what it is of the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision.kernels import rows as module
from tt_vision.kernels.rows import Rows, across, column_products, column_sums, empty, far, merge, side_by_side

ORDERS = ("last", "first", "strided", "reversed")
shapes = st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 40))


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
    monkeypatch.setattr(module, "WIDE", 10)


def numbers(shape, seed, dtype, offset=0.0):
    return (np.random.default_rng(seed).normal(size=shape) + offset).astype(dtype)


def segments(x, together):
    """Σ over the rows of each segment."""
    return x.sum(axis=(0, 2))[None] if together or len(x) == 1 else x.sum(axis=2)


@settings(max_examples=60, deadline=None)
@given(
    shapes,
    st.sampled_from(ORDERS),
    st.sampled_from(ORDERS),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
    st.data(),
)
def test_totals_are_the_sums_and_the_sums_of_products(shape, order, other, together, threads, data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    x, y = in_order(numbers(shape, 0, dtype), order), in_order(numbers(shape, 1, dtype), other)
    wide, other_wide = x.astype(np.float64), y.astype(np.float64)
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-11}
    with shards.threads(threads):
        rows = Rows(x, y, together=together)
        center = numbers((rows.segments, shape[1]), 2, np.float32).astype(np.float64)
        plain, about = rows.totals(), rows.totals(center)
        alone = Rows(x, together=together).totals()
    middle = center[:, :, None] if rows.segments > 1 else center[0][:, None]
    for found, wanted in (
        (plain, (wide, wide * other_wide)),
        (about, (wide, wide * (other_wide - middle))),
        (alone, (wide, wide * wide)),
    ):
        for one, array in zip(found, wanted, strict=True):
            assert one.dtype == np.float64
            np.testing.assert_allclose(one, segments(array, together), **tolerance)


@settings(max_examples=60, deadline=None)
@given(
    shapes,
    st.sampled_from(ORDERS),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([0.0, 1e4, 1e6]),
)
def test_moments_lose_no_digits_to_a_mean_that_is_far(shape, order, together, threads, offset):
    x = in_order(numbers(shape, 0, np.float32, offset), order)
    with shards.threads(threads):
        rows = Rows(x, together=together)
        mean, squares = rows.moments()
    wide = x.astype(np.longdouble)
    count = shape[0] * shape[2] if together or shape[0] == 1 else shape[2]
    wanted = segments(wide, together) / count
    off = wide - (wanted[:, :, None] if rows.segments > 1 else wanted[0][:, None])
    assert rows.count == count
    np.testing.assert_allclose(mean, wanted.astype(np.float64), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(
        squares, segments(off * off, together).astype(np.float64), rtol=1e-9, atol=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(
    shapes,
    st.sampled_from(ORDERS),
    st.sampled_from(ORDERS),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
    st.booleans(),
)
def test_what_is_made_is_the_formula(shape, order, other, together, threads, centred):
    n, c, p = shape
    x, y = numbers(shape, 0, np.float64), numbers(shape, 1, np.float64)
    with shards.threads(threads):
        rows = Rows(in_order(x, order), in_order(y, other), together=together)
        one = Rows(in_order(x, order), together=together)
        by, of_y, plus, center = (numbers((rows.segments, c), seed, np.float64) for seed in range(2, 6))
        middle = center if centred else None
        scaled = one.scaled(np.empty((n, p, c)), by, plus, middle)
        only = one.scaled(np.empty((n, p, c)), by)
        combined = rows.combined(np.empty((n, p, c)), by, of_y, plus, middle)
    by, of_y, plus, center = (v[:, :, None] for v in (by, of_y, plus, center if centred else 0 * center))
    for found, wanted in (
        (scaled, (x - center) * by + plus),
        (only, x * by),
        (combined, x * by + (y - center) * of_y + plus),
    ):
        np.testing.assert_allclose(found.transpose(0, 2, 1), wanted, rtol=1e-12, atol=1e-12)


def test_the_same_bits_each_time():
    x = numbers((7, 3, 50), 0, np.float32)
    with shards.threads(3):
        first = Rows(x, together=True).totals()
        for _ in range(5):
            again = Rows(x, together=True).totals()
            assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_blocks_are_small_and_cover_each_row_once():
    for shape in ((1, 3, 100), (20, 3, 4), (3, 2, 200), (5, 1, 1), (4, 90, 3)):
        for together in (True, False):
            for order in ORDERS:
                rows = Rows(in_order(numbers(shape, 0, np.float32), order), together=together)
                seen, largest = np.zeros((rows.images, rows.length), int), 0
                for start, stop in rows.cut:
                    for a, b, r, s in rows._blocks(start, stop):
                        seen[a:b, r:s] += 1
                        largest = max(largest, (b - a) * (s - r))
                assert (seen == 1).all()
                # At least a row, and otherwise no more than a block.
                assert largest * shape[1] * 4 <= max(module.BLOCK, shape[1] * 4)


@given(st.integers(1, 4), st.integers(1, 30), st.integers(1, 6), st.integers(1, 9), st.integers(0, 99))
def test_rows_side_by_side(k, m, c, copies, seed):
    x, y, v = (numbers(shape, seed, np.float64) for shape in ((k, m, c), (k, m, c), (k, c)))
    out = np.empty_like(x)
    assert across(np.multiply, x, side_by_side(v, min(copies, m)), out) is out
    np.testing.assert_array_equal(out, x * v[:, None])
    np.testing.assert_allclose(column_sums(x), x.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(column_products(x, y), (x * y).sum(axis=1), atol=1e-12)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_merge_is_the_sample_of_both(n, m, seed):
    x, y = numbers((n, 3), seed, np.float64, 5.0), numbers((m, 3), seed + 1, np.float64)

    def of(sample):
        return len(sample), sample.mean(axis=0), ((sample - sample.mean(axis=0)) ** 2).sum(axis=0)

    for found, wanted in zip(merge(of(x), of(y)), of(np.concatenate([x, y])), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


def test_far_is_beyond_four_deviations_or_unknown():
    one = np.ones(2)
    assert not far(4.0 * one, one) and far(np.array([0.0, 4.1]), one)
    assert not far(0 * one, 0 * one) and far(one, 0 * one)
    assert far(one, np.inf * one)
    assert far(np.nan * one, one) and far(one, np.nan * one)


@pytest.mark.parametrize("size", [1, 100, 1 << 16, (1 << 16) + 3])
def test_large_arrays_begin_on_a_border(size, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 1 << 18)
    made = [empty((size, 1), dtype) for dtype in (np.float32, np.float64) for _ in range(5)]
    for array in made:
        assert array.shape == (size, 1) and array.flags.c_contiguous and array.flags.writeable
        if array.nbytes >= 1 << 18:
            assert array.ctypes.data % 64 == 0
