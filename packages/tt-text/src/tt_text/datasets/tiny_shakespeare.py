"""TinyShakespeare: a megabyte of Shakespeare, in 364 kB that come with the package."""

from __future__ import annotations

import hashlib
import lzma
from importlib import resources
from typing import Any

from tt_data.errors import DatasetError
from tt_tensor.errors import ArgumentError

__all__ = ["TinyShakespeare"]

FILE = "tiny_shakespeare.txt.xz"
SHA256 = "4e017ad54e3fba2f09e1fa249a7ab40a4730f2ce1adfeebdf66296f85b076e15"
SPLITS = ("train", "val", "all")


class TinyShakespeare:
    """Scenes from Shakespeare's plays as one text of 1,115,394 characters, 65 different ones, all of them ASCII.

    Args:
        split: "train" (the first 90 % of the characters, 1,003,854), "val" (the rest, 111,540) or "all": the same split
            as nanoGPT's, so that losses compare.
        root: taken so that TinyShakespeare can stand where another dataset stands; nothing is looked for or fetched.

    Attributes: `text`, a str; `split`.

    Raises DatasetError if the file that came with the package is missing or damaged, ArgumentError for another split.

    Source: Karpathy, char-rnn, https://github.com/karpathy/char-rnn, data/tinyshakespeare/input.txt; the text is in the
    public domain (see TINY-SHAKESPEARE-LICENSE beside this file).

    >>> print(TinyShakespeare("train").text[:57])
    First Citizen:
    Before we proceed any further, hear me spe
    """

    def __init__(self, split: str = "train", root: Any = None) -> None:
        if split not in SPLITS:
            raise ArgumentError(f"TinyShakespeare: split is one of {SPLITS}, not {split!r}")
        self.split = split
        text = lzma.decompress(_verified()).decode("ascii")
        cut = int(len(text) * 0.9)
        self.text = {"train": text[:cut], "val": text[cut:], "all": text}[split]

    def __len__(self) -> int:
        """How many characters."""
        return len(self.text)

    def __repr__(self) -> str:
        return f"TinyShakespeare({self.split!r}: {len(self):,} characters)"


def _verified() -> bytes:
    file = resources.files("tt_text.datasets") / FILE
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {file}: {error.strerror or error}; reinstall tt-text") from error
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise DatasetError(f"{file} is damaged: expected sha256 {SHA256}, found {found}; reinstall tt-text")
    return data
