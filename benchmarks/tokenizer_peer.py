"""What tiktoken and the `tokenizers` library say: run by tokenizer_agree.py and tokenizer_pipelines.py under the
peer's interpreter.

One JSON object comes on standard input, one goes to standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def gpt2_of_tiktoken(vocab: str, merges: str) -> Any:
    """GPT-2 as tiktoken has it, from OpenAI's two files (tiktoken itself would download them)."""
    import tiktoken
    from tiktoken.load import data_gym_to_mergeable_bpe_ranks

    ranks = data_gym_to_mergeable_bpe_ranks(vocab_bpe_file=merges, encoder_json_file=vocab)
    pattern = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
    return tiktoken.Encoding(
        "gpt2", pat_str=pattern, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 50256}
    )


def by_tiktoken(job: dict[str, Any]) -> Any:
    encoding = gpt2_of_tiktoken(job["vocab"], job["merges"])
    start = time.perf_counter()
    tokens = [encoding.encode(text, disallowed_special=()) for text in job["texts"]]
    return {
        "tokens": tokens,
        "seconds": time.perf_counter() - start,
        "special": [encoding.encode(text, allowed_special="all") for text in job["texts"][:2000]],
        "decoded": [encoding.decode(ids) for ids in job["ids"]],
    }


def by_tokenizers(job: dict[str, Any]) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(job["file"])
    return {
        "tokens": [tokenizer.encode(text, add_special_tokens=job["around"]).ids for text in job["texts"]],
        "decoded": [tokenizer.decode(ids, skip_special_tokens=True) for ids in job.get("ids", [])],
    }


def by_pipelines(job: dict[str, Any]) -> Any:
    """For each document the tokens of texts and the text of tokens, null where the library ends in an error."""
    os.environ["RUST_BACKTRACE"] = "0"  # each takes a while
    from tokenizers import Tokenizer

    def tried(call: Any, given: Any) -> Any:
        try:
            return call(given)
        except BaseException as error:  # a panic is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            return None

    answers = []
    for one in job["jobs"]:
        tokenizer = tried(Tokenizer.from_str, json.dumps(one["document"]))
        answers.append(
            tokenizer
            and {
                "tokens": [
                    tried(lambda text, made=tokenizer: made.encode(text).ids, text) for text in one["texts"]
                ],
                "decoded": [
                    tried(lambda ids, made=tokenizer: made.decode(ids, skip_special_tokens=False), ids)
                    for ids in one["ids"]
                ],
            }
        )
    return {"answers": answers}


def trained(job: dict[str, Any]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=job["vocab_size"],
        min_frequency=job["min_frequency"],
        special_tokens=job["special_tokens"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    start = time.perf_counter()
    tokenizer.train_from_iterator(job["texts"], trainer)
    seconds = time.perf_counter() - start
    model = json.loads(tokenizer.to_str())["model"]
    return {"vocab": model["vocab"], "merges": model["merges"], "seconds": seconds}


if __name__ == "__main__":
    told = json.load(sys.stdin)
    kinds = {
        "tiktoken": by_tiktoken,
        "tokenizers": by_tokenizers,
        "pipelines": by_pipelines,
        "train": trained,
    }
    json.dump(kinds[told["what"]](told), sys.stdout)
