"""Writing a model's folder in the format that the transformers library reads."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tt_nn import save
from tt_tensor.files import whole_file
from tt_text.errors import PretrainedError

__all__ = ["write_folder"]


def write_folder(
    folder: str | os.PathLike[str], config: Mapping[str, Any], state: Mapping[str, Any], tokenizer: Any = None
) -> None:
    """Write model.safetensors, tokenizer.json if there is a tokenizer, and config.json, each aside and then renamed.

    config.json comes last, so that a new folder in which it is has everything.

    Args:
        folder: made, if its parent exists.
        config: the fields of config.json; the weights' dtype is added, and the ids of the tokenizer's ends.
        state: the tensors by the names of the transformers library.
        tokenizer: a BPETokenizer, or what else has its `save_tokenizer_json`, `vocab_size`, `bos_id`, …

    Raises PretrainedError for a tokenizer that cannot be written so or has more tokens than the model, OSError where
    the disk refuses.
    """
    target = Path(folder)
    if tokenizer is not None and not hasattr(tokenizer, "save_tokenizer_json"):
        raise PretrainedError(
            f"save_pretrained: {type(tokenizer).__name__} is none that tokenizer.json can hold; leave it out and save "
            "it by itself"
        )
    if tokenizer is not None and tokenizer.vocab_size > config["vocab_size"]:
        raise PretrainedError(
            f"save_pretrained: the tokenizer has {tokenizer.vocab_size} tokens, the model {config['vocab_size']}; they "
            "do not belong together"
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT,
            "save_pretrained: the parent of the folder does not exist; make it first",
            str(target.parent),
        )
    target.mkdir(exist_ok=True)
    dtypes = {str(array.dtype) for array in state.values()}
    # The library asks for "pt" before it reads a file.
    save(state, target / "model.safetensors", {"format": "pt"})
    if tokenizer is not None:
        tokenizer.save_tokenizer_json(target / "tokenizer.json")
    ends = {f"{end}_token_id": getattr(tokenizer, f"{end}_id", None) for end in ("bos", "eos", "pad")}
    fields = {**config, **ends, "dtype": dtypes.pop() if len(dtypes) == 1 else "float32"}
    with whole_file(target / "config.json") as file:
        file.write((json.dumps(fields, indent=2, sort_keys=True) + "\n").encode())
