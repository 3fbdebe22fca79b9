"""TokenDataset: a corpus of token ids cut in blocks, each with the same block one token later."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_data import Dataset
from tt_tensor import Tensor
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_tensor.tensor import as_array, wrap
from tt_text.datasets.token_file import TokenFile

__all__ = ["TokenDataset"]


class TokenDataset(Dataset[tuple[Tensor, Tensor]]):
    """dataset[i] = (x, y), x = tokens[i s : i s + B], y = tokens[i s + 1 : i s + 1 + B]: at each place the next token.

    Args:
        tokens: ids in one array, Tensor or list; or a TokenFile, of which only what is asked for is read. Not copied.
        block_size: B, how many tokens a block has.
        stride: s, from one block to the next. By default B: each token is a target once, in order; with 1 a block
            begins at every token, which is what random blocks want (see RandomBlocks).

    A block is int64 of shape (B,), a batch (N, B), with memory of its own. There are ⌊(n - 1 - B) / s⌋ + 1 blocks of n
    tokens; what is left at the end is in none.

    Raises ArgumentError where the tokens do not fill one block and the token after it, ShapeError for other than one
    axis, DTypeError for other than whole numbers, IndexingError for an index out of range.

    >>> x, y = TokenDataset([5, 3, 8, 1, 9, 2, 7], block_size=3)[1]
    >>> x.tolist(), y.tolist()
    ([1, 9, 2], [9, 2, 7])
    """

    def __init__(self, tokens: Any, block_size: int, stride: int | None = None) -> None:
        self.block_size = whole_number("TokenDataset", "block_size", block_size, 1)
        self.stride = self.block_size if stride is None else whole_number("TokenDataset", "stride", stride, 1)
        self.source = tokens if isinstance(tokens, TokenFile) else _array(tokens)
        if len(self.tokens) < self.block_size + 1:
            raise ArgumentError(
                f"TokenDataset: {len(self.tokens)} tokens are too few for a block of {self.block_size} and the token "
                "after it; take a smaller block_size or more text"
            )
        self._blocks = self._cut()

    @property
    def tokens(self) -> Any:
        """All ids, an array (n,)."""
        return self.source.tokens if isinstance(self.source, TokenFile) else self.source

    def _cut(self) -> Any:
        """A view (blocks, B + 1) of the tokens."""
        windows = np.lib.stride_tricks.sliding_window_view(self.tokens, self.block_size + 1)
        return windows[:: self.stride]

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        try:
            at = range(len(self))[operator.index(index)]
        except (IndexError, TypeError) as error:
            raise self._wrong(index) from error
        block = self._blocks[at]
        return wrap(block[:-1].astype(np.int64)), wrap(block[1:].astype(np.int64))

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        try:
            blocks = self._blocks[np.asarray(indices, np.intp)]
        except (IndexError, TypeError, ValueError) as error:
            raise self._wrong(indices) from error
        # Two copies: a step that writes into one batch must not change the other.
        return wrap(blocks[..., :-1].astype(np.int64)), wrap(blocks[..., 1:].astype(np.int64))

    def _wrong(self, index: Any) -> IndexingError:
        return IndexingError(f"TokenDataset: {index!r} is no index into {len(self)} blocks")

    def __getstate__(self) -> dict[str, Any]:
        # The view would be pickled as a copy of every block.
        return {name: value for name, value in self.__dict__.items() if name != "_blocks"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._blocks = self._cut()

    def __repr__(self) -> str:
        return (
            f"TokenDataset({len(self.tokens):,} tokens: {len(self):,} blocks of {self.block_size}, "
            f"stride {self.stride})"
        )


def _array(tokens: Any) -> Any:
    array = tokens.array if isinstance(tokens, Tensor) else as_array(tokens, "TokenDataset")
    if array.ndim != 1:
        raise ShapeError(f"TokenDataset: tokens of shape {array.shape}; they must be one text, (n,)")
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"TokenDataset: tokens are whole numbers, not {array.dtype}")
    return array
