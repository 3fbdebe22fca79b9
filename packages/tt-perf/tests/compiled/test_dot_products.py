"""Products of rows are NumPy's, wherever the rows stand and however long they are."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tt_perf.compiled.dot_products import dot_products
from tt_perf.compiled.jit import jit

dots = dot_products(3, 2)


@jit("void(float32[:, ::1], int64, float32[:, ::1], int64, float32[:, ::1])", cache=False)
def products(a, apart, b, size, c):
    dots(a, 1, apart * a.shape[1], b, 2, b.shape[1], size, c, 3, 1, c.shape[1])


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 50])
def test_products_of_rows(size):
    rng = np.random.default_rng(size)
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((7, size + 1), (2, size + 2)))
    c = np.full((2, 9), 7, np.float32)
    products(a, 3, b, size, c)
    wanted = np.full((2, 9), 7, np.float32)
    wanted[:, 3:6] = b[:, 2:] @ a[::3, 1:].T
    np.testing.assert_allclose(c, wanted, rtol=1e-5, atol=1e-5)
