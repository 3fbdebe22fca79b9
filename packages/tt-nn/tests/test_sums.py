"""Sums as products with ones are sums: short and long, of any floating dtype, and they keep it."""

import numpy as np
import pytest

from tt_nn.sums import MANY, ones, over_classes, over_rows, total

SHAPES = [(0, 3), (1, 1), (5, 3), (3, 0), (16, 512), (3, 513), (MANY, 2), (MANY + 1, 2), (3 * MANY + 7, 2)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_is_the_sum(shape, dtype):
    x = (np.random.default_rng(0).integers(-8, 9, shape) / 8).astype(
        dtype
    )  # no sum of these is rounded in float32
    wide = x.astype(np.float64)
    for found, wanted in (
        (over_rows(x), wide.sum(0)),
        (over_classes(x), wide.sum(1)),
        (total(x), wide.sum()),
    ):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=2e-3 if dtype == "float16" else 0, atol=0)


def test_classes_may_stand_before_other_axes():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(over_classes(x), x.sum(1))


def test_many_rows_keep_their_digits():
    x = np.full((1 << 20, 1), 0.1, np.float32)
    assert abs(over_rows(x).item() / (0.1 * (1 << 20)) - 1) < 1e-6


def test_ones_are_kept_and_cannot_be_written():
    assert ones(7, np.dtype(np.float32)) is ones(7, np.dtype(np.float32))
    with pytest.raises(ValueError, match="read-only"):
        ones(7, np.dtype(np.float32))[0] = 2
