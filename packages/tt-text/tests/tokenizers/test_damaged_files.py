"""Damaged files of every kind: a TokenizerError, or a tokenizer that works.

benchmarks/tokenizer_mutations.py has 10,000 of them.
"""

from __future__ import annotations

import contextlib
import json
import random

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import load_tokenizer


def damaged(chance, whole):
    data = bytearray(whole)
    match chance.randrange(5):
        case 0:
            for _ in range(chance.choice((1, 1, 8))):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case 1:
            del data[chance.randrange(len(data)) :]
        case 2:
            start, length = chance.randrange(len(data)), chance.choice((1, 8, 64))
            data[start : start + length] = chance.randbytes(chance.choice((0, length)))
        case 3:
            at, start = chance.randrange(len(data)), chance.randrange(len(data))
            data[at:at] = data[start : start + chance.choice((1, 16, 200))]
        case _:
            at = chance.randrange(len(data))
            data[at : at + 4] = chance.choice(
                (b"\xff\xff\xff\x7f", b"9999", b"null", b'"",1', b"[[[[", b"\0\0\0\0")
            )
    return bytes(data)


@pytest.mark.parametrize("name", ["char", "gpt2", "roberta", "llama", "llama2c"])
def test_a_damaged_file_is_refused_or_works(name, goldens, tokenizers, tmp_path):
    path = tmp_path / "tokenizer.json"
    if name in goldens["files"]:
        path.write_text(json.dumps(goldens["files"][name]["document"]))
    else:
        tokenizers[name].save(path)
    whole = path.read_bytes()
    chance = random.Random(name)
    refused = 0
    for _ in range(60):
        path.write_bytes(damaged(chance, whole))
        try:
            found = load_tokenizer(path)
        except TokenizerError:
            refused += 1
            continue
        # The vocabulary may lack characters now, but nothing else may fail.
        with contextlib.suppress(TokenizerError):
            found.decode(found.encode("low <s> 1"))
        with contextlib.suppress(TokenizerError):
            found.decode(range(found.vocab_size) if found.vocab_size < 1000 else [0])
    assert refused > 15
