"""Sums of gradients: every kernel gives the same bits as plain loops."""

from unittest import mock

import numpy as np
import pytest

from tt_optim import stretches
from tt_optim.sums import add_up
from tt_tensor import kernels


def groups(dtype, sizes=(7, 0, 3000, 1, 40_000), counts=(1, 2, 3, 2, 4), seed=0):
    rng = np.random.default_rng(seed)
    return [
        tuple(rng.normal(size=n).astype(dtype) for _ in range(count))
        for n, count in zip(sizes, counts, strict=True)
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("times", "by"), [(1.0, 1.0), (0.3, 1.0), (1.0, 7.0)])
@pytest.mark.parametrize("worth", [100, 1 << 19], ids=["side by side", "plainly"])
def test_like_the_loops(dtype, times, by, worth):
    found, wanted = groups(dtype), groups(dtype)
    with mock.patch.object(stretches, "WORTH", worth):
        add_up(found, times, by)
    kernels.kernel("add_up", "loops")(wanted, times, by)
    for one, other in zip(found, wanted, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    add_up([])
