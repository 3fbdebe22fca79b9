"""What the normalisations are made of: sums over rows that lie side by side, two samples as one, memory on a border."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_vision.kernels.rows import LARGE, empty, far, folded, merge, side_by_side, sums


def numbers(shape, seed, offset=0.0):
    return np.random.default_rng(seed).normal(size=shape) + offset


@given(st.integers(0, 4), st.integers(1, 300), st.integers(1, 6), st.integers(0, 99))
def test_sums_over_rows(k, copies, c, seed):
    x = numbers((3, copies * c), seed) if k == 0 else numbers((k, 3, copies * c), seed)
    rows = x.reshape(*x.shape[:-2], -1, c)
    np.testing.assert_allclose(sums(rows), rows.sum(axis=-2), atol=1e-11)
    np.testing.assert_allclose(folded(sums(x), c), rows.sum(axis=-2), atol=1e-11)


def test_many_rows_side_by_side_are_added_in_two_steps():
    long = (numbers(4 << 12, 0) + 3).astype(np.float32)
    wanted = long.reshape(-1, 4).astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(folded(long, 4), wanted, rtol=2e-7)


def test_side_by_side():
    np.testing.assert_array_equal(
        side_by_side(np.array([[1, 2], [3, 4]]), 3), [[1, 2, 1, 2, 1, 2], [3, 4, 3, 4, 3, 4]]
    )


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_merge_is_the_sample_of_both(n, m, seed):
    x, y = numbers((n, 3), seed, 5.0), numbers((m, 3), seed + 1)

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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 1, 100, LARGE // 4, LARGE // 2 + 3])
def test_large_arrays_begin_on_a_border(size, dtype):
    for array in [empty((size, 1), dtype) for _ in range(5)]:
        assert array.shape == (size, 1) and array.dtype == dtype
        assert array.flags.c_contiguous and array.flags.writeable
        assert array.nbytes < LARGE or array.ctypes.data % 64 == 0
