"""Masks as PyTorch's modules have them, True where a key may NOT be seen, or numbers that are added to the scores.

`scaled_dot_product_attention` has the opposite meaning of True, and so have PyTorch's two. `may_see` goes from one to
the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor import Tensor, as_tensor
from tt_tensor.arguments import whole_number
from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import DTypeError, ShapeError

__all__ = ["all_of", "check_mask", "generate_square_subsequent_mask", "is_causal_mask", "may_see"]


def generate_square_subsequent_mask(sz: int, dtype: Any = None) -> Tensor:
    """The causal mask (sz, sz): 0 where j ≤ i, else -inf; to be added to scores.

    Raises ArgumentError for a size that is none, DTypeError for a dtype that is not floating.
    """
    sz = whole_number("generate_square_subsequent_mask", "sz", sz)
    kind = check_dtype(np.float32 if dtype is None else dtype, "generate_square_subsequent_mask")
    if kind.kind != "f":
        raise DTypeError(
            f"generate_square_subsequent_mask: -inf needs a floating dtype, not {kind}; float32 is the default"
        )
    return as_tensor(np.triu(np.full((sz, sz), -np.inf, kind), 1))


def is_causal_mask(mask: Any) -> bool:
    """Does a mask say j ≤ i, all of it and nothing else? One that wants a gradient says more."""
    mask = as_tensor(mask)
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1] or mask.requires_grad:
        return False
    ahead = np.triu(np.ones(mask.shape, bool), 1)
    if mask.dtype.kind == "b":
        return bool(np.array_equal(mask.array, ahead))
    return bool(np.array_equal(mask.array == -np.inf, ahead) and not mask.array[~ahead].any())


def check_mask(where: str, name: str, mask: Tensor, shapes: list[tuple[int, ...]]) -> None:
    """Raise DTypeError unless `mask` is of bools or floating numbers, ShapeError unless it has one of `shapes`."""
    if mask.dtype.kind not in "bf":
        raise DTypeError(
            f"{where}: {name} is of bools (True: may not be seen) or of floating numbers that are added, not "
            f"{mask.dtype}; use mask == 0, for example, where 0 stands for padding"
        )
    if mask.shape not in shapes:
        raise ShapeError(f"{where}: {name} has shape {' or '.join(map(str, shapes))} here, not {mask.shape}")


def may_see(mask: Tensor) -> Any:
    """Bools with the opposite meaning, True where a key may be seen; numbers as they are."""
    return ~mask.array if mask.dtype.kind == "b" else mask


def all_of(first: Any, second: Any, dtype: Any) -> Any:
    """Two masks (True: may be seen) as one, bools only if both are; None stands for no mask."""
    if first is None or second is None:
        return second if first is None else first
    if first.dtype.kind == second.dtype.kind == "b":
        return first & second
    first, second = (_added(mask, dtype) for mask in (first, second))
    return first + second


def _added(mask: Any, dtype: Any) -> Any:
    """As numbers to be added: 0 where a key may be seen, else -inf."""
    if mask.dtype.kind != "b":
        return mask
    return np.where(getattr(mask, "array", mask), 0, -np.inf).astype(dtype)
