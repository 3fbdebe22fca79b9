"""Lanes: sixteen numbers at once are sixteen times one number."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import (
    LANES,
    ask_for,
    at_least,
    choose,
    front,
    greater,
    higher,
    lined_up,
    load,
    load_some,
    pick,
    spread,
    store,
    store_small,
    total,
    where,
    where_small,
)


@jit("float32(float32[::1], float32[::1], float32[:, ::1], uint8[::1])", cache=False)
def everything(a, b, out, won):
    ask_for(a, 0)
    ask_for(a, 1 << 40)  # fetches nothing, and harms nothing
    x, y = load(a, 3), load(b, 0)
    flat = out.reshape(-1)
    store(flat, 0, 2.0 * x + y * x - y)
    store(flat, LANES, load_some(where(a[3] > 100, front(LANES)), a, 1 << 60))
    store(flat, 2 * LANES, load_some(front(5), a, 3))
    store(flat, 3 * LANES, pick(greater(x, y), x, y))
    store(flat, 4 * LANES, pick(higher(x, y), x, y))
    store(flat, 5 * LANES, spread(b[7]))
    store_small(won, 1, choose(greater(x, y), 5, choose(higher(x, y), 7, 9)))
    store(flat, 6 * LANES, pick(where_small(won, 1, 9), x, y))
    store(flat, lined_up(6 * LANES + 1), at_least(x, y))
    return total(y)


def test_each_operation_is_that_of_its_numbers():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20)).astype(np.float32)
    a[5], b[4] = np.nan, np.nan
    out, won = np.full((8, LANES), -1, np.float32), np.full(18, 99, np.uint8)
    summed = everything(a, b, out, won)
    x, y = a[3:19], b[:16]
    with np.errstate(invalid="ignore"):
        more, nan = x > y, np.isnan(x)
    np.testing.assert_allclose(out[0], 2 * x + y * x - y, rtol=1e-6)
    np.testing.assert_array_equal(out[1], np.zeros(LANES))
    np.testing.assert_array_equal(out[2], np.where(np.arange(LANES) < 5, x, 0))
    np.testing.assert_array_equal(out[3], np.where(more, x, y))
    np.testing.assert_array_equal(out[4], np.where(more | nan, x, y))
    np.testing.assert_array_equal(out[5], np.full(LANES, b[7]))
    np.testing.assert_array_equal(won[1:17], np.where(more, 5, np.where(nan, 7, 9)))
    assert won[0] == won[17] == 99
    np.testing.assert_array_equal(out[6], np.where(more | nan, y, x))
    np.testing.assert_array_equal(out[7], np.where(more | nan, x, y))
    assert np.isnan(summed)
    b[4] = 0
    assert everything(a, b, out, won) == pytest.approx(y.sum(dtype=np.float64), rel=1e-5)
