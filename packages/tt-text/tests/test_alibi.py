"""ALiBi: the slopes of the authors' code, and what they do to attention."""

import math

import numpy as np
import pytest

from tt_tensor.errors import ArgumentError, DTypeError
from tt_text import functional as F
from tt_text.alibi import alibi_bias, alibi_slopes


def published(heads):
    """get_slopes of the authors' repository."""

    def of_power(n):
        start = 2 ** (-(2 ** -(math.log2(n) - 3)))
        return [start * start**i for i in range(n)]

    if math.log2(heads).is_integer():
        return of_power(heads)
    closest = 2 ** math.floor(math.log2(heads))
    return of_power(closest) + published(2 * closest)[0::2][: heads - closest]


@pytest.mark.parametrize("heads", range(1, 41))
def test_the_slopes_are_the_authors(heads):
    slopes = alibi_slopes(heads)
    assert slopes.shape == (heads,) and slopes.dtype == np.float64
    np.testing.assert_allclose(slopes, published(heads), rtol=1e-12)


@pytest.mark.parametrize(
    ("heads", "queries", "keys", "offset"), [(3, 4, None, 0), (2, 1, 6, 5), (4, 2, None, 3), (1, 0, 2, 0)]
)
def test_the_bias_grows_with_the_distance(heads, queries, keys, offset):
    bias = alibi_bias(heads, queries, keys, offset)
    seen = queries + offset if keys is None else keys
    assert bias.shape == (heads, queries, seen) and bias.dtype == np.float32
    for h, t, s in np.ndindex(*bias.shape):
        assert bias[h, t, s].item() == np.float32(-alibi_slopes(heads)[h] * abs(t + offset - s))


def test_with_a_cache_the_last_row_is_the_same():
    np.testing.assert_array_equal(alibi_bias(4, 1, 7, 6)[:, 0], alibi_bias(4, 7)[:, 6])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_attention_prefers_what_is_near(dtype):
    q = np.zeros((1, 2, 5, 4), dtype)  # all keys match alike, so that the bias decides
    v = np.broadcast_to(np.eye(5, dtype=dtype), (1, 2, 5, 5)).copy()
    weights = F.scaled_dot_product_attention(q, q, v, attn_mask=alibi_bias(2, 5, dtype=dtype)).numpy()
    assert weights.dtype == dtype
    exact = np.exp(alibi_bias(2, 5, dtype=np.float64).numpy())
    np.testing.assert_allclose(
        weights[0], exact / exact.sum(-1, keepdims=True), rtol=5e-3 if dtype == np.float16 else 1e-5
    )


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: alibi_slopes(0), ArgumentError, "heads"),
        (lambda: alibi_slopes(2.0), ArgumentError, "heads"),
        (lambda: alibi_slopes(True), ArgumentError, "heads"),
        (lambda: alibi_bias(0, 1), ArgumentError, "heads"),
        (lambda: alibi_bias(1, -1), ArgumentError, "queries"),
        (lambda: alibi_bias(1, 1, -1), ArgumentError, "keys"),
        (lambda: alibi_bias(1, 1, 1, 0.5), ArgumentError, "offset"),
        (lambda: alibi_bias(1, 1, dtype=int), DTypeError, "floating"),
    ],
)
def test_what_is_none_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
