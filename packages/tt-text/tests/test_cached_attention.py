"""Attention to a cache: what the attention without one gives, in half precision too."""

import numpy as np
import pytest

from tt_text import scaled_dot_product_attention
from tt_text.cached_attention import attend_cached


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("t", [1, 3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_it_is_attention_of_the_last_queries(t, dtype, padded):
    rng = np.random.default_rng(0)
    # Scores of some 30: their exp is no number of half precision.
    q, k = (5 * rng.normal(size=shape).astype(dtype) for shape in ((2, 4, t, 8), (2, 2, 5, 8)))
    v = rng.normal(size=(2, 2, 5, 8)).astype(dtype)
    mask = np.ones((2, 5), bool)
    mask[1, :3] = not padded
    seen = mask[:, None, None] & (np.arange(5) <= np.arange(5 - t, 5)[:, None])
    wanted = (
        scaled_dot_product_attention(q, k, v, seen, enable_gqa=True).array.swapaxes(1, 2).reshape(2, t, -1)
    )
    y = attend_cached(q, k, v, mask if padded else None, 8**-0.5)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, wanted, atol=4e-3 if dtype == np.float16 else 1e-5)
    mask[1] = False
    none = attend_cached(q, k, v, mask, 8**-0.5)
    assert not none[1].any() and none.dtype == dtype
