"""How fast tokenizers are, and that their time grows as the text does.

    GPT-2 on the corpus       MB/s with nothing cached, and again; bar: at least 1 MB/s with nothing cached
    time(2n) / time(n)        up to 1 MB: the corpus, one letter, spaces, é, letters without a space; bar: at most 2.3
    training                  1,000 tokens from the corpus

Time is the processor's, so that other processes count little; each is the best of some runs, with a new tokenizer where
nothing is to be cached.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from time import process_time

from duel import MET, MISSED

from tt_text import BPETokenizer, Llama2cTokenizer
from tt_text.tokenizers import Tokenizer
from tt_text.tokenizers.word_cache import WordCache

LENGTHS = (125_000, 250_000, 500_000, 1_000_000)
FASTEST, GROWTH = 1.0, 2.3


def seconds(tokenizer: Tokenizer, texts: Sequence[str], runs: int, cold: bool = True) -> list[float]:
    """The least processor time of some runs for each text.

    The texts take turns, so that a slow minute of the machine meets all of them. A collector's pass is no part of it.
    """
    best = [float("inf")] * len(texts)
    for _ in range(runs):
        for at, text in enumerate(texts):
            if cold:
                tokenizer._cache = WordCache()
            gc.collect()
            gc.disable()
            start = process_time()
            tokenizer.encode(text)
            best[at] = min(best[at], process_time() - start)
            gc.enable()
    return best


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder with gpt2-bpe, tinyshakespeare, stories260K"
    )
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    corpus = (options.data / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    start = process_time()
    gpt2 = BPETokenizer.from_gpt2(options.data / "gpt2-bpe")
    print(f"GPT-2's files: read in {process_time() - start:.2f} s")
    missed = False
    for name, cold in (("nothing cached", True), ("again", False)):
        speed = len(corpus.encode()) / 1e6 / seconds(gpt2, [corpus], options.runs, cold)[0]
        print(f"GPT-2 on tiny Shakespeare, {name}: {speed:.2f} MB/s")
        missed |= cold and speed < FASTEST
    chance = random.Random(0)
    letters = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=LENGTHS[-1]))
    kinds = {"English": corpus * 2, "one letter": "a" * LENGTHS[-1], "spaces": " " * LENGTHS[-1],
             "é": "é" * LENGTHS[-1], "letters": letters}  # fmt: skip
    llama = Llama2cTokenizer.from_file(options.data / "stories260K" / "tok512.bin")
    for who, tokenizer in (("GPT-2", gpt2), ("tok512.bin", llama)):
        for kind, text in kinds.items():
            times = seconds(tokenizer, [text[:length] for length in LENGTHS], options.runs)
            ratios = [after / before for before, after in pairwise(times)]
            print(f"{who}, {kind}, {LENGTHS[-1]:,} characters: {times[-1]:.2f} s; twice the text takes "
                  + ", ".join(f"{ratio:.2f}" for ratio in ratios))  # fmt: skip
            missed |= max(ratios) > GROWTH
    start = process_time()
    trained = BPETokenizer.train(corpus, 1000)
    print(f"training on tiny Shakespeare: {trained.vocab_size:,} tokens in {process_time() - start:.2f} s")
    return MISSED if missed else MET


if __name__ == "__main__":
    sys.exit(main())
