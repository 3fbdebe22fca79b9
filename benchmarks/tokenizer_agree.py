"""Our tokenizers against tiktoken and the `tokenizers` library: the same tokens, the same text, the same merges.

    GPT-2         = tiktoken on N random texts (Unicode, code, emoji, white space, ...) and the whole of the corpus
    tokenizer.json as we write it, read by `tokenizers`: the same tokens, the same text
    training      = BpeTrainer of `tokenizers`: the same vocabulary and merges

The peers' tables of Unicode may be of another version than the `regex` module's, so that a code point that became a
letter lately is a letter for one of them only. Texts that differ and have one that this Python's tables do not know are
counted apart; texts for training are cleaned of such. Exits 1 if anything else differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path
from time import perf_counter
from typing import Any

from duel import MET, MISSED
from tokenizer_texts import EMOJI, random_text, texts

from tt_text import BPETokenizer
from tt_text.tokenizers.tokenizer_json import from_document

HERE = Path(__file__).parent


def ask(python: str, **job: Any) -> Any:
    done = subprocess.run(
        [python, str(HERE / "tokenizer_peer.py")],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"the peer failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def is_new(text: str, tables: Any = unicodedata) -> bool:
    """Whether a code point is unassigned in these tables of Unicode."""
    return any(tables.category(character) == "Cn" for character in text)


def told(name: str, ours: list[Any], theirs: list[Any], given: list[str], tables: Any = unicodedata) -> int:
    """Print how many differ, and the first. Returns the number."""
    wrong = [at for at, (one, two) in enumerate(zip(ours, theirs, strict=True)) if one != two]
    new = [at for at in wrong if is_new(given[at], tables)]
    wrong = [at for at in wrong if at not in new]
    print(
        f"{name}: {len(ours):,} compared, {len(wrong):,} differ, {len(new):,} more by the version of Unicode"
    )
    for at in wrong[:3]:
        print(f"   {given[at]!r:.200}\n      ours   {ours[at]!r:.300}\n      theirs {theirs[at]!r:.300}")
    return len(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--peer-python", required=True, help="an interpreter that has tiktoken and tokenizers"
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder with gpt2-bpe and tinyshakespeare"
    )
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = options.data / "gpt2-bpe"
    corpus = (options.data / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    given = [corpus, *texts(options.texts, options.seed, corpus)]
    gpt2 = BPETokenizer.from_gpt2(folder)
    chance = random.Random(options.seed)
    ids = [[chance.randrange(50257) for _ in range(chance.randrange(20))] for _ in range(2000)]

    start = perf_counter()
    tokens = [gpt2.encode(text) for text in given]
    seconds = perf_counter() - start
    peer = ask(options.peer_python, what="tiktoken", vocab=str(folder / "encoder.json"),
               merges=str(folder / "vocab.bpe"), texts=given, ids=ids)  # fmt: skip
    print(f"GPT-2: {sum(map(len, tokens)):,} tokens; ours {seconds:.1f} s, tiktoken {peer['seconds']:.1f} s")
    wrong = told("GPT-2, tokens of tiktoken", tokens, peer["tokens"], given)
    special = [gpt2.encode(text, allowed_special="all") for text in given[:2000]]
    wrong += told("GPT-2, special tokens allowed", special, peer["special"], given)
    wrong += told(
        "GPT-2, random tokens decoded",
        [gpt2.decode(one) for one in ids],
        peer["decoded"],
        [str(one) for one in ids],
    )

    mixed = [text for text in (random_text(chance, corpus) + EMOJI for _ in range(6000)) if not is_new(text)]
    for name, corpora, size, least, special_tokens in (
        ("tiny Shakespeare, 1,000", [corpus], 1000, 2, []),
        ("tiny Shakespeare, 5,000", [corpus], 5000, 2, ["<s>", "<pad>"]),
        ("random texts, 3,000, all pairs", mixed, 3000, 0, []),
    ):
        start = perf_counter()
        made = BPETokenizer.train(corpora, size, min_frequency=least, special_tokens=special_tokens)
        seconds = perf_counter() - start
        peer = ask(options.peer_python, what="train", texts=corpora, vocab_size=size, min_frequency=least,
                   special_tokens=special_tokens)  # fmt: skip
        print(f"training on {name}: ours {seconds:.1f} s, tokenizers {peer['seconds']:.1f} s")
        state = made._state()
        merges = [list(pair) for pair in state["merges"]]
        wrong += told("   merges", merges, [list(pair) for pair in peer["merges"]], list(map(str, merges)))
        vocab = {**state["vocab"], **made.special_tokens}
        wrong += told("   vocabulary", [vocab], [peer["vocab"]], [""])

    few = given[1:20_001]
    for name, made in (
        ("GPT-2", gpt2),
        ("trained, another pattern, BOS and EOS",
         BPETokenizer.train(corpus, 700, pattern=r"\p{N}{1,3}|\p{L}+|\s|[^\s\p{L}\p{N}]", special_tokens=["<b>", "<e>"],
                            prefix=["<b>"], suffix=["<e>"])),
        ("trained, a space before, NFC", BPETokenizer.train(corpus, 700, add_prefix_space=True, normalization="NFC")),
    ):  # fmt: skip
        with tempfile.TemporaryDirectory() as home:
            file = Path(home) / "tokenizer.json"
            made.save_tokenizer_json(file)
            again = BPETokenizer.from_tokenizer_json(file)
            tokens = [made.encode(text, allowed_special="all") for text in few]
            wrong += told(
                f"tokenizer.json, {name}: read by us",
                [again.encode(text, allowed_special="all") for text in few],
                tokens,
                few,
            )
            peer = ask(
                options.peer_python, what="tokenizers", file=str(file), texts=few, around=True, ids=tokens
            )
            # What normalizes in `tokenizers` knows an old Unicode: U+07FD of 2018 has no class of combining there.
            tables = unicodedata.ucd_3_2_0 if made.normalization else unicodedata
            wrong += told(f"tokenizer.json, {name}: read by tokenizers", tokens, peer["tokens"], few, tables)
            text = [made.decode(one, skip_special_tokens=True) for one in tokens]
            wrong += told("   decoded", text, peer["decoded"], few)
    goldens = HERE.parent / "packages/tt-text/tests/tokenizers/goldens.json"
    for name, golden in json.loads(goldens.read_text(encoding="ascii"))["files"].items():
        made = from_document(golden["document"], name)
        with tempfile.TemporaryDirectory() as home:
            file = Path(home) / "tokenizer.json"
            made.save_tokenizer_json(file)
            tokens = [made.encode(text, allowed_special="all") for text in few]
            peer = ask(
                options.peer_python, what="tokenizers", file=str(file), texts=few, around=True, ids=tokens
            )
        tables = unicodedata.ucd_3_2_0 if golden["document"]["normalizer"] else unicodedata
        wrong += told(f"the library's {name}, loaded and written by us", tokens, peer["tokens"], few, tables)
        text = [made.decode(one, skip_special_tokens=True) for one in tokens]
        wrong += told("   decoded", text, peer["decoded"], few)
    return MISSED if wrong else MET


if __name__ == "__main__":
    sys.exit(main())
