"""Every text comes back: all Unicode scalars and a million random texts, through each tokenizer that knows every text.

For N random texts (the tokenizers take turns) and all 1,112,064 scalars (in order, shuffled, and each alone):
decode(encode(text)) == text. Exits 1 at the first that does not.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from time import perf_counter

from duel import MET, MISSED
from tokenizer_texts import scalars, texts

from tt_text import BPETokenizer, ByteTokenizer, Llama2cTokenizer
from tt_text.tokenizers import Tokenizer


def first_lost(tokenizer: Tokenizer, given: str) -> bool:
    """Whether `given` does not come back; says so."""
    back = tokenizer.decode(tokenizer.encode(given))
    if back != given:
        print(f"{tokenizer}: {given[:200]!r} came back as {back[:200]!r}")
    return back != given


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder with gpt2-bpe, tinyshakespeare, stories260K"
    )
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--no-scalars", action="store_true", help="random texts only")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    corpus = (options.data / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    tokenizers: dict[str, Tokenizer] = {
        "GPT-2": BPETokenizer.from_gpt2(options.data / "gpt2-bpe"),
        "trained": BPETokenizer.train(corpus, 1000),
        "trained, no pattern": BPETokenizer.train(corpus[:20_000], 400, pattern=None),
        "bytes": ByteTokenizer(),
        "tok512.bin": Llama2cTokenizer.from_file(options.data / "stories260K" / "tok512.bin"),
    }
    every = scalars()
    shuffled = list(every)
    random.Random(options.seed).shuffle(shuffled)
    for name, tokenizer in ({} if options.no_scalars else tokenizers).items():
        start = perf_counter()
        if first_lost(tokenizer, every) or first_lost(tokenizer, "".join(shuffled)):
            return MISSED
        if any(first_lost(tokenizer, one) for one in every):
            return MISSED
        print(
            f"{name}: {len(every):,} scalars came back, together and alone; {perf_counter() - start:.0f} s",
            flush=True,
        )
    start = perf_counter()
    names = list(tokenizers)
    sizes = dict.fromkeys(tokenizers, 0)
    for number, text in enumerate(texts(options.texts, options.seed, corpus)):
        name = names[number % len(names)]
        if first_lost(tokenizers[name], text):
            return MISSED
        sizes[name] += 1
    for name, size in sizes.items():
        print(f"{name}: {size:,} random texts came back")
    print(f"{perf_counter() - start:.0f} s")
    return MET


if __name__ == "__main__":
    sys.exit(main())
