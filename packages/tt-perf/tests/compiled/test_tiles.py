"""Products and transposes of small matrices are NumPy's, whatever their place and steps in a flat array."""

import numpy as np
import pytest

from tt_perf.compiled.tiles import product, turned


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize(
    ("rows", "depth", "width"), [(8, 1, 16), (16, 5, 32), (24, 16, 48), (8, 0, 16), (64, 33, 80)]
)
def test_product(rows, depth, width, add):
    rng = np.random.default_rng(0)
    a, b = (
        rng.normal(size=(rows, depth)).astype(np.float32),
        rng.normal(size=(depth, width)).astype(np.float32),
    )
    before = rng.normal(size=(rows, width)).astype(np.float32)
    expected = a @ b + (before if add else 0)
    spaced = np.zeros((depth + 1, width + 3), np.float32)
    spaced[1:, :width] = b
    for matrix, steps in ((a, (depth, 1)), (np.ascontiguousarray(a.T), (1, rows))):
        c = before.copy()
        product(
            matrix.reshape(-1), 0, *steps, spaced.reshape(-1), width + 3, width + 3, c.reshape(-1), 0, width,
            rows, depth, width, add,
        )  # fmt: skip
        np.testing.assert_allclose(c, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("rows", "width"), [(16, 16), (16, 48), (32, 64)])
def test_turned(rows, width):
    x = np.arange(rows * width, dtype=np.float32)
    y = np.empty_like(x)
    turned(x, rows, width, y)
    np.testing.assert_array_equal(y.reshape(width, rows), x.reshape(rows, width).T)
