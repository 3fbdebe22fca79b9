"""EmbeddingBag: of the rows that a bag of tokens reads in a table, the sum, the mean, or the largest of each."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from tt_nn import Module
from tt_nn.init import without_init
from tt_tensor import Function, Tensor, as_tensor, matmul, stack
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_text.embedding import Embedding, checked_ids, embedding, padding_row
from tt_text.kernels.add_rows import rows_added

__all__ = ["BagSum", "EmbeddingBag", "embedding_bag"]

MODES = ("sum", "mean", "max")


class BagSum(Function):
    """y[b] = Σ x[i] over the i whose bag is b, of x (T, D); dx[i] = grad[bag of i].

    Args:
        bag: of each row its bag, integers (T,).
        count: how many bags there are.
    """

    def __init__(self, bag: Any, count: int) -> None:
        self.bag, self.count = bag, count

    def forward(self, x: Any) -> Any:
        return rows_added(x, self.bag, self.count)

    def backward(self, grad: Any) -> Any:
        return grad[self.bag]

    def composite(self, x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        return matmul((np.arange(self.count)[:, None] == self.bag).astype(x.dtype), x)


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    *,
    mode: str = "mean",
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """For each of B bags of ids the sum, mean or maximum of their rows, (B, D); zeros for a bag of none.

    Args:
        input: ids (B, N), a bag in each row; or (T,), all bags one after the other.
        weight: the table (V, D).
        offsets: where each bag begins in an input (T,), integers (B,), the first 0.
        max_norm, norm_type: see `embedding`.
        mode: "sum", "mean" or "max".
        per_sample_weights: of input's shape; what each row is multiplied by, in a sum.
        include_last_offset: `offsets` has one more at its end, where the last bag ends.
        padding_idx: an id that counts as nothing; a negative one counts from the end.

    Raises ArgumentError, ShapeError or DTypeError for what does not fit, IndexingError for an id out of range.

    >>> embedding_bag([0, 2, 1], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0, 2]).tolist()
    [[3.0, 4.0], [3.0, 4.0]]
    """
    what = "embedding_bag"
    if mode not in MODES:
        raise ArgumentError(f"{what}: mode is one of {MODES}, not {mode!r}")
    weight, ids = as_tensor(weight), as_tensor(input).array
    if weight.ndim != 2 or ids.ndim not in (1, 2):
        raise ShapeError(
            f"{what}: an input of shape {ids.shape} and a weight of shape {weight.shape}; they are (B, N) or (T,), and "
            "(V, D)"
        )
    ids, bag, count = checked_ids(ids, len(weight)), *_bags(ids.shape, offsets, include_last_offset)
    scales = None
    if per_sample_weights is not None:
        scales = as_tensor(per_sample_weights)
        if mode != "sum" or scales.shape != ids.shape:
            raise ArgumentError(
                f"{what}: per_sample_weights are for mode='sum', and of the shape of input, {ids.shape}; here they are "
                f"{scales.shape}, with mode={mode!r}"
            )
        scales = scales.reshape(-1)
    ids = ids.reshape(-1)
    if padding_idx is not None:
        real = (ids != padding_row(what, padding_idx, len(weight))).nonzero()[0]
        ids, bag, scales = ids[real], bag[real], None if scales is None else scales[real]
    x = embedding(ids, weight, None, max_norm, norm_type)
    if scales is not None:
        x = x * scales[:, None].astype(x.dtype)
    if mode == "max":
        edges = np.searchsorted(bag, np.arange(count + 1))
        tops = [x[a:b].max(axis=0) if b > a else x[:0].sum(axis=0) for a, b in pairwise(edges)]
        return stack(tops) if tops else x[:0]
    y = BagSum(bag, count)(x)
    sizes = np.maximum(np.bincount(bag, minlength=count), 1)
    return y / sizes[:, None].astype(y.dtype) if mode == "mean" else y


def _bags(shape: tuple[int, ...], offsets: Any, include_last: bool) -> tuple[Any, int]:
    """Of each id its bag (T,), and how many bags there are."""
    if len(shape) == 2:
        if offsets is not None:
            raise ArgumentError(
                f"embedding_bag: an input of shape {shape} has a bag in each row, and no offsets"
            )
        return np.repeat(np.arange(shape[0]), shape[1]), shape[0]
    if offsets is None:
        raise ArgumentError(f"embedding_bag: an input of shape {shape} needs offsets, where each bag begins")
    starts = as_tensor(offsets).array
    if starts.dtype.kind not in "iu" and starts.size:
        raise DTypeError(f"embedding_bag: offsets are whole numbers, not {starts.dtype}")
    if starts.ndim != 1 or (include_last and not starts.size):
        raise ShapeError(f"embedding_bag: offsets are (B,), not {starts.shape}")
    ends = starts[1:] if include_last else np.append(starts[1:], shape[0])
    starts = starts[: len(ends)].astype(np.intp)
    sizes = ends.astype(np.intp) - starts
    if (sizes < 0).any() or (len(starts) and starts[0]) or sizes.sum() != shape[0]:
        raise ArgumentError(
            f"embedding_bag: offsets begin with 0 and grow to at most {shape[0]}, the length of input: every id is "
            f"in a bag; they are {np.array2string(as_tensor(offsets).array, threshold=8)}"
        )
    return np.repeat(np.arange(len(starts)), sizes), len(starts)


class EmbeddingBag(Module):
    """A table that gives one row for each bag of ids: see `embedding_bag` for what is not said here.

    Args:
        num_embeddings, embedding_dim: V and D.
        max_norm, norm_type, mode, include_last_offset, padding_idx: see `embedding_bag`.
        dtype: of the table; float32 by default.

    Parameter: `weight` (V, D), drawn from the normal distribution N(0, 1), the padding's row zeros.

    >>> EmbeddingBag(10, 3, mode="sum")([[1, 2], [4, 5]]).shape
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        *,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        dtype: Any = None,
    ) -> None:
        if mode not in MODES:
            raise ArgumentError(f"EmbeddingBag: mode is one of {MODES}, not {mode!r}")
        table = Embedding(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, dtype=dtype)
        self.num_embeddings, self.embedding_dim = table.num_embeddings, table.embedding_dim
        self.padding_idx, self.max_norm, self.norm_type = table.padding_idx, table.max_norm, table.norm_type
        self.mode, self.include_last_offset = mode, bool(include_last_offset)
        self.weight = table.weight

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None, **options: Any
    ) -> EmbeddingBag:
        """One with these weights (V, D), copied; with `freeze` they are not trained. `options`: see the class.

        Raises as Embedding.from_pretrained does.
        """
        table = Embedding.from_pretrained(embeddings, freeze, padding_idx)
        with without_init():
            made = cls(table.num_embeddings, table.embedding_dim, padding_idx=padding_idx, **options)
        made.weight = table.weight
        return made

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Tensor:
        """The bags' rows, (B, D)."""
        return embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}"
