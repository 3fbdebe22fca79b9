"""ALiBi: no positions in the embeddings; instead each head looks less at what is further away.

    scores + bias,  bias[h, t, s] = -m_h |position of t - s|

Source: Press, Smith, Lewis, "Train Short, Test Long: Attention with Linear Biases Enables Input Length Extrapolation",
2021, arXiv:2108.12409.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tt_tensor import Tensor
from tt_tensor.arguments import whole_number
from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import DTypeError
from tt_tensor.tensor import wrap

__all__ = ["alibi_bias", "alibi_slopes"]


def alibi_slopes(heads: int) -> npt.NDArray[np.float64]:
    """m_h = 2^(-8 h / H) for heads h = 1, …, H where H is a power of two; (H,), float64.

    For another H, with P the greatest power of two below: the P slopes of P heads, then every second of the slopes of
    2 P heads, from the first, until there are H (as in the authors' code).

    Raises ArgumentError for a number of heads below 1.

    >>> alibi_slopes(8).tolist()
    [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625]
    """
    count = whole_number("alibi_slopes", "heads", heads, 1)
    power = 1 << (count.bit_length() - 1)
    slopes = 2.0 ** (-8.0 * np.arange(1, power + 1) / power)
    between = 2.0 ** (-8.0 * np.arange(1, 2 * power + 1, 2) / (2 * power))
    return np.concatenate((slopes, between[: count - power]))


def alibi_bias(
    heads: int, queries: int, keys: int | None = None, offset: int = 0, dtype: Any = np.float32
) -> Tensor:
    """bias[h, t, s] = -m_h |t + offset - s|, to be added to scores (H, T, S): `attn_mask` of
    `scaled_dot_product_attention`. It hides no key; for a causal model add a causal mask.

    Args:
        heads: H.
        queries: T; query t stands at position t + offset.
        keys: S, at positions 0 to S - 1; by default T + offset.
        offset: how many keys there are before the first query, with a cache.
        dtype: floating; the same as that of queries and keys.

    Raises ArgumentError for numbers that are none, DTypeError for a dtype that is not floating.

    >>> alibi_bias(2, 3)[0].tolist()
    [[-0.0, -0.0625, -0.125], [-0.0625, -0.0, -0.0625], [-0.125, -0.0625, -0.0]]
    """
    count = whole_number("alibi_bias", "queries", queries)
    start = whole_number("alibi_bias", "offset", offset)
    seen = count + start if keys is None else whole_number("alibi_bias", "keys", keys)
    kind = check_dtype(dtype, "alibi_bias")
    if kind.kind != "f":
        raise DTypeError(f"alibi_bias: a bias needs a floating dtype, not {kind}")
    distance = np.abs(np.arange(start, start + count)[:, None] - np.arange(seen))
    return wrap((-alibi_slopes(heads)[:, None, None] * distance).astype(kind, copy=False))
