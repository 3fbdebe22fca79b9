"""A tile is a product of two strips, whatever its depth, and may be added to what stands there."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES
from tt_perf.compiled.tile_product import tile_product

tile = tile_product(2, 1)


@jit("void(float32[::1], float32[::1], float32[::1], int64, boolean)", cache=False)
def product(a, b, c, depth, onto):
    tile(a, 0, depth, 1, b, 0, LANES, depth, c, 0, LANES, onto)


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
