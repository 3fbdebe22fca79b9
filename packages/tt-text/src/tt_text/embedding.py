"""Embedding: a table with one row for each token; to embed a token is to read its row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import Module, Parameter, init
from tt_nn.init import without_init
from tt_tensor import Function, Tensor, as_tensor, memory, random
from tt_tensor.arguments import positive, whole_number
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_text.kernels.add_rows import rows_added

__all__ = ["Embedding", "EmbeddingFunction", "checked_ids", "embedding", "padding_row"]


class EmbeddingFunction(Function):
    """y[…] = W[ids[…]]: dW[i] = Σ grad[…] over the places where ids is i; none for the ids.

    The row `padding_idx` gets no gradient, whatever was read there.
    """

    def __init__(self, padding_idx: int | None = None) -> None:
        self.padding_idx = padding_idx

    def forward(self, ids: Any, weight: Any) -> Any:
        if weight.ndim != 2:
            raise ShapeError(
                f"embedding: a weight of shape {weight.shape}; it must be (num_embeddings, embedding_dim)"
            )
        self.ids, self.rows = checked_ids(ids, len(weight)), len(weight)
        # take() is quicker than indexing, but would copy a table of another order as a whole.
        return weight.take(self.ids, 0) if weight.flags.c_contiguous else weight[self.ids]

    def backward(self, grad: Any) -> Any:
        if not self.wants(1):
            return None, None
        dweight = rows_added(grad.reshape(self.ids.size, grad.shape[-1]), self.ids.reshape(-1), self.rows)
        if self.padding_idx is not None:
            dweight[self.padding_idx] = 0
        return None, dweight

    def composite(self, ids: Any, weight: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        places = ids.array if isinstance(ids, Tensor) else np.asarray(ids)
        if self.padding_idx is None:
            return weight[places]
        padding = (places == self.padding_idx)[..., None]
        return np.where(padding, weight.detach()[places], weight[places])  # type: ignore[return-value]


def checked_ids(ids: Any, rows: int) -> Any:
    """Ids as integers that NumPy indexes with.

    Raises DTypeError for other than integers, IndexingError for one that is not from 0 to rows - 1.
    """
    if ids.dtype.kind not in "iu":
        raise DTypeError(
            f"embedding: ids are whole numbers, not {ids.dtype} (shape {ids.shape}); a tokenizer gives int64, or "
            "use astype('int64')"
        )
    if ids.size and not (ids.min() >= 0 and ids.max() < rows):
        # Which one: the first of them.
        place = np.unravel_index(int(((ids < 0) | (ids >= rows)).argmax()), ids.shape)
        at = f" at position {tuple(map(int, place))}" if place else ""
        raise IndexingError(
            f"embedding: id {int(ids[place])}{at} is out of range for a table of {rows} rows (ids 0 to {rows - 1}); "
            "the tokenizer has more tokens than the table, or is another one"
        )
    return ids.astype(np.intp, copy=False)


def shorten(ids: Any, weight: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows that `ids` name and that are longer than `max_norm` down to it, in place and without history."""
    rows = np.unique(checked_ids(ids, len(weight)))
    norms = np.linalg.norm(weight.array[rows], norm_type, axis=1)
    long = norms > max_norm
    if long.any():
        factors = max_norm / (norms[long] + 1e-7)  # as in PyTorch
        weight.array[rows[long]] *= factors[:, None].astype(weight.dtype)
        memory.mark_written(weight.array)


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
) -> Tensor:
    """y[…] = weight[input[…]]: integers of any shape (…) and a table (V, D) give (…, D).

    Args:
        input: ids from 0 to V - 1.
        weight: the table.
        padding_idx: an id whose row gets no gradient; a negative one counts from the end.
        max_norm: rows that are read and are longer are first shortened to it, in the table itself.
        norm_type: p of the p-norm that says how long a row is.

    Raises IndexingError for an id out of range (it names the id and its position), DTypeError for ids that are no
    integers, ShapeError for a weight of other than two axes, ArgumentError for a padding_idx that is no row.

    >>> embedding([2, 0], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).tolist()
    [[5.0, 6.0], [1.0, 2.0]]
    """
    weight = as_tensor(weight)
    input = as_tensor(input)
    rows = weight.shape[0] if weight.ndim else 0
    function = EmbeddingFunction(padding_row("embedding", padding_idx, rows))
    if max_norm is not None and weight.ndim == 2:
        shorten(input.array, weight, *_norm("embedding", max_norm, norm_type))
    return function(input, weight)


def _norm(what: str, max_norm: Any, norm_type: Any) -> tuple[float, float]:
    """Both numbers, checked."""
    return positive(what, "max_norm", max_norm), positive(what, "norm_type", norm_type)


def padding_row(what: str, padding_idx: Any, rows: int) -> int | None:
    """The row that is padding, counted from the front."""
    if padding_idx is None:
        return None
    row = whole_number(what, "padding_idx", padding_idx, None)
    if not -rows <= row < rows:
        raise ArgumentError(f"{what}: padding_idx={row} is no row of a table of {rows}")
    return row % rows


class Embedding(Module):
    """y[…] = W[ids[…]]: a table of `num_embeddings` rows of `embedding_dim` numbers; ids (…) give (…, D).

    Args:
        num_embeddings: V, how many ids there are: 0 to V - 1.
        embedding_dim: D, how many numbers stand for each.
        padding_idx: an id that stands for nothing: its row begins as zeros and gets no gradient.
        max_norm, norm_type: rows that are read and are longer than max_norm are first shortened to it; see `embedding`.
        dtype: of the table; float32 by default.

    Parameter: `weight` (V, D), drawn from the normal distribution N(0, 1), as PyTorch does.

    A language model may share the table with its head (Press, Wolf 2017, arXiv:1608.05859): set
    `head.weight = embedding.weight` with head = Linear(D, V). It is then one parameter, stepped and saved once, whose
    gradient is the sum of both.

    Raises ArgumentError for sizes that are none, IndexingError for an id out of range, DTypeError for ids that are no
    integers.

    >>> from tt_nn import Linear
    >>> table = Embedding(65, 8)
    >>> table([[1, 2, 3], [3, 2, 1]]).shape
    (2, 3, 8)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        *,
        dtype: Any = None,
    ) -> None:
        self.num_embeddings = whole_number("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = whole_number("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = padding_row("Embedding", padding_idx, self.num_embeddings)
        self.max_norm, self.norm_type = max_norm, norm_type
        if max_norm is not None:
            self.max_norm, self.norm_type = _norm("Embedding", max_norm, norm_type)
        self.weight = Parameter(np.zeros((self.num_embeddings, self.embedding_dim), np.float32), dtype=dtype)
        if init.wanted():
            self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
    ) -> Embedding:
        """An Embedding with these weights (V, D), copied; with `freeze` they are not trained.

        Raises ShapeError for other than two axes, DTypeError for other than floating numbers.
        """
        table = as_tensor(embeddings)
        if table.ndim != 2:
            raise ShapeError(
                f"Embedding.from_pretrained: weights of shape {table.shape}; they must be (num_embeddings, "
                "embedding_dim)"
            )
        if table.dtype.kind != "f":
            raise DTypeError(
                f"Embedding.from_pretrained: the weights are {table.dtype}; use astype('float32') first"
            )
        with without_init():
            made = cls(len(table), table.shape[1], padding_idx, max_norm, norm_type)
        made.weight = Parameter(table, requires_grad=not freeze)
        return made

    def reset_parameters(self) -> None:
        """Draw the table anew from the default generator; the padding's row is zeros."""
        drawn = random.normal(0.0, 1.0, self.weight.shape, dtype=self.weight.dtype)
        if self.padding_idx is not None:
            drawn[self.padding_idx] = 0
        self.weight.write(drawn)

    def forward(self, input: Any) -> Tensor:
        if self.max_norm is not None:
            input = as_tensor(input)
            shorten(input.array, self.weight, self.max_norm, self.norm_type)
        return self.compute(EmbeddingFunction(self.padding_idx), input, self.weight)

    def infer(self, x: Any, *rest: Any) -> Any:
        weight = self.weight.array
        if self.max_norm is not None:
            shorten(x, self.weight, self.max_norm, self.norm_type)
        if x.size == 1 and x.dtype.kind in "iu" and 0 <= x.item() < len(weight) and weight.flags.c_contiguous:
            return weight.take(x, 0)
        return EmbeddingFunction(self.padding_idx).forward(x, weight)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        longest = "" if self.max_norm is None else f", max_norm={self.max_norm:g}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}{longest}"
