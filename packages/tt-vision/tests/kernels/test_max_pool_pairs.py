"""Windows of two by two that lie apart are pooled as the loops say: ties, NaN, odd edges, any layout and block."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision.kernels import max_pool_pairs
from tt_vision.kernels.max_pool import max_pool2d, max_pool2d_loops
from tt_vision.window import Window

PAIRS = Window((2, 2), (2, 2))


@settings(max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 4), st.integers(1, 5), st.integers(2, 7), st.integers(2, 7)]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    kind=st.sampled_from(["ties", "distinct", "nan", "infinite"]),
    last=st.booleans(),
    block=st.sampled_from([1, 300, 1 << 20]),
)
def test_it_is_what_the_loops_say(shape, dtype, kind, last, block):
    rng = np.random.default_rng(sum(shape))
    x = (rng.integers(-1, 2, shape) if kind == "ties" else rng.normal(size=shape)).astype(dtype)
    if kind in ("nan", "infinite"):
        x[rng.random(shape) < 0.4] = np.nan if kind == "nan" else -np.inf
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert max_pool_pairs.are_pairs(x, PAIRS, PAIRS.output(shape[2:], "test"))
    with pytest.MonkeyPatch.context() as patch, shards.threads(2):
        patch.setattr(max_pool_pairs, "BLOCK", block)
        patch.setattr(max_pool_pairs, "least", lambda *args: 1)
        for found, wanted in zip(max_pool2d(x, PAIRS), max_pool2d_loops(x, PAIRS), strict=True):
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(max_pool2d(x, PAIRS, False)[0], max_pool2d_loops(x, PAIRS)[0])


@pytest.mark.parametrize(
    "window",
    [
        Window((2, 2), (1, 1)),
        Window((3, 3), (2, 2)),
        Window((2, 2), (2, 2), ((1, 1), (0, 0))),
        Window((2, 2), (2, 2), ((0, 1), (0, 1))),
        Window((2, 2), (2, 2), dilation=(2, 1)),
    ],
)
def test_other_windows_go_another_way(window):
    x = np.zeros((1, 1, 5, 5), np.float32)
    assert not max_pool_pairs.are_pairs(x, window, window.output((5, 5), "test"))
