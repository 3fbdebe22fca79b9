"""Lanes: sixteen numbers at once are sixteen times one number."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import (
    LANES,
    ask_for,
    choose,
    greater,
    higher,
    load,
    load_if,
    pick,
    spread,
    store,
    store_small,
    tile_product,
    total,
    where_small,
)

tile = tile_product(2, 1)


@jit("float32(float32[::1], float32[::1], float32[:, ::1], uint8[::1])", cache=False)
def everything(a, b, out, won):
    ask_for(a, 0)
    ask_for(a, 1 << 40)  # fetches nothing, and harms nothing
    x, y = load(a, 3), load(b, 0)
    flat = out.reshape(-1)
    store(flat, 0, 2.0 * x + y * x - y)
    store(flat, LANES, load_if(a[3] > 100, a, 1 << 60))
    store(flat, 2 * LANES, load_if(a[3] < 100, a, 3))
    store(flat, 3 * LANES, pick(greater(x, y), x, y))
    store(flat, 4 * LANES, pick(higher(x, y), x, y))
    store(flat, 5 * LANES, spread(b[7]))
    store_small(won, 1, choose(greater(x, y), 5, choose(higher(x, y), 7, 9)))
    store(flat, 6 * LANES, pick(where_small(won, 1, 9), x, y))
    return total(y)


@jit("void(float32[::1], float32[::1], float32[::1], int64, boolean)", cache=False)
def product(a, b, c, depth, onto):
    tile(a, 0, depth, 1, b, 0, LANES, depth, c, 0, LANES, onto)


def test_each_operation_is_that_of_its_numbers():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20)).astype(np.float32)
    a[5], b[4] = np.nan, np.nan
    out, won = np.full((7, LANES), -1, np.float32), np.full(18, 99, np.uint8)
    summed = everything(a, b, out, won)
    x, y = a[3:19], b[:16]
    with np.errstate(invalid="ignore"):
        more, nan = x > y, np.isnan(x)
    np.testing.assert_allclose(out[0], 2 * x + y * x - y, rtol=1e-6)
    np.testing.assert_array_equal(out[1], np.zeros(LANES))
    np.testing.assert_array_equal(out[2], x)
    np.testing.assert_array_equal(out[3], np.where(more, x, y))
    np.testing.assert_array_equal(out[4], np.where(more | nan, x, y))
    np.testing.assert_array_equal(out[5], np.full(LANES, b[7]))
    np.testing.assert_array_equal(won[1:17], np.where(more, 5, np.where(nan, 7, 9)))
    assert won[0] == won[17] == 99
    np.testing.assert_array_equal(out[6], np.where(more | nan, y, x))
    assert np.isnan(summed)
    b[4] = 0
    assert everything(a, b, out, won) == pytest.approx(y.sum(dtype=np.float64), rel=1e-5)


@pytest.mark.parametrize("depth", [0, 1, 7])
def test_a_tile_is_a_product(depth):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, depth)).astype(np.float32), rng.normal(size=(depth, LANES)).astype(np.float32)
    c = rng.normal(size=(2, LANES)).astype(np.float32)
    given = c.copy()
    padded = np.append(a.reshape(-1), np.float32(0)), np.append(b.reshape(-1), np.float32(0))
    product(*padded, c.reshape(-1), depth, True)
    np.testing.assert_allclose(c, given + a @ b, rtol=1e-5, atol=1e-6)
    product(*padded, c.reshape(-1), depth, False)
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-6)
