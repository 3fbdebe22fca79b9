"""What a text begins with: one or many texts, lists or arrays of tokens, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError

__all__ = ["Prompts"]


class Prompts:
    """Prompts as rows of tokens, and the kind they were given as, which is the kind that comes back.

    Args:
        prompt: a str or a list of them; a list, tuple or 1-D array of tokens; a list of such, of any lengths, or an
            array (N, T).
        tokenizer: what makes tokens of a str.
        vocab_size: how many tokens the model has.

    Raises ArgumentError for a prompt of no tokens (a tokenizer with a BOS token begins with that one) and for text
    without a tokenizer, DTypeError for what are no tokens, IndexingError for one out of range.
    """

    def __init__(self, where: str, prompt: Any, tokenizer: Any, vocab_size: int) -> None:
        self.where, self.tokenizer, self.vocab_size = where, tokenizer, vocab_size
        self.text = self.single = self.array = False
        self.texts: list[str] = []
        if isinstance(prompt, Tensor):
            prompt = prompt.numpy()
        if isinstance(prompt, np.ndarray):
            if prompt.ndim not in (1, 2):
                raise ShapeError(
                    f"{where}: an array of tokens is (T,), or (N, T) for N texts, not {prompt.shape}"
                )
            self.array, self.single = True, prompt.ndim == 1
            given: list[Any] = [prompt] if self.single else list(prompt)
        elif isinstance(prompt, str):
            self.text = self.single = True
            given = [prompt]
        elif isinstance(prompt, Iterable) and not isinstance(prompt, bytes):
            given = list(prompt)
            self.text = bool(given) and all(isinstance(one, str) for one in given)
            self.single = not self.text and all(isinstance(one, int | float | np.number) for one in given)
            given = [given] if self.single else given
        else:
            raise DTypeError(
                f"{where}: a prompt is text, or tokens (a list, or an array), not {type(prompt).__name__}"
            )
        if self.text:
            if tokenizer is None:
                raise ArgumentError(
                    f"{where}: the prompt is text, so pass tokenizer=..., or give its tokens: {given[0]!r:.60}"
                )
            self.texts = given
        self.rows = [self._row(one) for one in given]

    def _row(self, given: Any) -> list[int]:
        """The tokens of one prompt."""
        if self.text:
            prefix = getattr(self.tokenizer, "prefix_ids", ())
            given = [*prefix, *self.tokenizer.encode(given, add_special_tokens=False)]
        elif isinstance(given, str | bytes) or not hasattr(given, "__len__"):
            raise DTypeError(
                f"{self.where}: prompts are all texts, or all lists of tokens; there is {given!r:.60}"
            )
        if not len(given):
            begin = getattr(self.tokenizer, "bos_id", None)
            if begin is None:
                raise ArgumentError(
                    f"{self.where}: a prompt has no tokens, and there is nothing to go on from; "
                    "begin with one, a newline for example, or with a tokenizer that has a BOS token"
                )
            given = [begin]
        try:
            array = np.asarray(given)
        except ValueError:
            array = np.empty(0, object)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise DTypeError(
                f"{self.where}: a prompt is a flat list of whole numbers, tokens, not {given!r:.60}"
            )
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= self.vocab_size:
            wrong = low if low < 0 else high
            raise IndexingError(
                f"{self.where}: a prompt has the token {wrong}, but the model's tokens are 0 to {self.vocab_size - 1}"
                + ("; is it this model's tokenizer?" if self.text else "")
            )
        return array.tolist()

    def arrays(self) -> tuple[Any, Any]:
        """The tokens (N, T), shorter rows filled up at the left, and a mask of what is real; None if all is."""
        width = max(map(len, self.rows), default=0)
        tokens, mask = np.zeros((len(self.rows), width), np.int64), np.zeros((len(self.rows), width), bool)
        for row, real, given in zip(tokens, mask, self.rows, strict=True):
            row[width - len(given) :] = given
            real[width - len(given) :] = True
        return tokens, None if mask.all() else mask
