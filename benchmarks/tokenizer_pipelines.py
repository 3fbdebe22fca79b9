"""Tokenizers made of random parts against the `tokenizers` library: normalizers, pre-tokenizers, decoders, flags of
BPE, added tokens, in any number and order. Each is read by both and takes random texts and random tokens.

What the library itself refuses, or panics at, is left out, and so are texts with code points that this Python's tables
of Unicode do not know. The library's tables are older, so a code point that became a mark lately is one for us only;
that, at most, differs. Exits 1 if more than one tokenizer in a thousand does.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

from duel import MET, MISSED
from tokenizer_agree import ask, is_new
from tokenizer_texts import random_text

from tt_text.errors import TokenizerError
from tt_text.tokenizers.tokenizer_json import from_document

GOLDENS = Path(__file__).parent.parent / "packages/tt-text/tests/tokenizers/pipeline/goldens.json"
BEHAVIORS = ("Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext")
SPLITS = (
    r"\s+", r"\p{N}{1,3}", r"\w+|[^\w\s]+", r"[a-m]", r"\p{L}+", r"(?i:HE|s)", r"[^a-z]", r"x*", r" ?[^(\s|[.,!?])]+",
    r"'s|'t| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
)  # fmt: skip
WORDS = ("<x>", "tool", "low", " a", "é", "A", "  ", "▁b", "x<", "<s> ", "er", "Ġt", "word")
Part = dict[str, Any]


def normalizer(chance: random.Random) -> Part:
    yes, other, also = (chance.random() < 0.5 for _ in range(3))
    string, regex = (
        chance.choice((" ", "a", "▁", "lo", "\n")),
        chance.choice((r"\s+", r"\d", "^.", ".$", "(?<=l)o")),
    )
    return chance.choice(
        (
            *({"type": kind} for kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "ByteLevel")),
            {"type": "Strip", "strip_left": yes, "strip_right": other},
            {"type": "Prepend", "prepend": chance.choice(("▁", " ", "x"))},
            {"type": "Replace", "pattern": {"String": string}, "content": chance.choice(("▁", "", "b", " "))},
            {"type": "Replace", "pattern": {"Regex": regex}, "content": chance.choice((" ", "", "#"))},
            {"type": "BertNormalizer", "clean_text": yes, "handle_chinese_chars": other, "strip_accents": None,
             "lowercase": also},
        )
    )  # fmt: skip


def pre_tokenizer(chance: random.Random) -> Part:
    yes, other = (chance.random() < 0.5 for _ in range(2))
    split = {"type": "Split", "behavior": chance.choice(BEHAVIORS), "invert": chance.random() < 0.4}
    return chance.choice(
        (
            {"type": "ByteLevel", "add_prefix_space": yes, "trim_offsets": True, "use_regex": other},
            metaspace(chance),
            split | {"pattern": {"Regex": chance.choice(SPLITS)}},
            split | {"pattern": {"String": chance.choice((" ", "a", "lo", "▁", "Ġ"))}},
            {"type": "Digits", "individual_digits": yes},
            {"type": "Punctuation", "behavior": chance.choice(BEHAVIORS)},
            {"type": "CharDelimiterSplit", "delimiter": chance.choice("ae ")},
            *({"type": kind} for kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer")),
        )
    )


def decoder(chance: random.Random) -> Part:
    string, regex = chance.choice("▁aĠ"), chance.choice(("▁+", r"\s", "o$"))
    return chance.choice(
        (
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            metaspace(chance),
            {"type": "Replace", "pattern": {"String": string}, "content": chance.choice((" ", "", "b"))},
            {"type": "Replace", "pattern": {"Regex": regex}, "content": chance.choice((" ", "", "b"))},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": chance.choice(" ▁a"), "start": chance.randrange(3), "stop": 0},
            {"type": "WordPiece", "prefix": "##", "cleanup": chance.random() < 0.5},
            {"type": "BPEDecoder", "suffix": "</w>"},
        )
    )


def metaspace(chance: random.Random) -> Part:
    scheme = chance.choice(("always", "first", "never"))
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": chance.random() < 0.5}


def document(chance: random.Random, models: dict[str, Part]) -> Part:
    """A tokenizer.json."""

    def parts(one: Any, inside: str) -> Any:
        many = [one(chance) for _ in range(chance.randrange(4))]
        return {"type": "Sequence", inside: many} if many else None

    model = dict(models[chance.choice(sorted(models))])
    model["unk_token"] = chance.choice((None, "<unk>")) if model["type"] == "BPE" else "<unk>"
    if model["type"] == "BPE":
        model |= {flag: chance.random() < 0.4 for flag in ("fuse_unk", "byte_fallback", "ignore_merges")}
    ids = dict(model["vocab"])
    added = []
    for word in ("<unk>", "<s>", "</s>", *chance.sample(WORDS, chance.randrange(5))):
        names = ("single_word", "lstrip", "rstrip", "normalized", "special")
        flags = {flag: len(added) > 2 and chance.random() < 0.4 for flag in names}
        added.append({"id": ids.setdefault(word, max(ids.values()) + 1), "content": word, **flags})
    return {
        "version": "1.0", "truncation": None, "padding": None, "post_processor": None, "added_tokens": added,
        "normalizer": parts(normalizer, "normalizers"), "pre_tokenizer": parts(pre_tokenizer, "pretokenizers"),
        "decoder": parts(decoder, "decoders"), "model": model,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer-python", required=True, help="an interpreter that has tokenizers")
    parser.add_argument("--tokenizers", type=int, default=1000)
    parser.add_argument("--texts", type=int, default=30, help="for each of them")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    models = json.loads(GOLDENS.read_text("ascii"))["models"]
    jobs = []
    for _ in range(options.tokenizers):
        made = document(chance, models)
        ids = sorted({*made["model"]["vocab"].values(), *(token["id"] for token in made["added_tokens"])})
        texts = [random_text(chance, "low lower <s> tool <x> word é 12 it's\n") for _ in range(options.texts)]
        jobs.append(
            {
                "document": made,
                "texts": [text[:200] for text in texts if not is_new(text)],
                "ids": [[chance.choice(ids) for _ in range(chance.randrange(6))] for _ in texts],
            }
        )
    answers = ask(options.peer_python, what="pipelines", jobs=jobs)["answers"]
    refused = compared = wrong = 0
    for job, answer in zip(jobs, answers, strict=True):
        if answer is None:
            continue
        try:
            tokenizer = from_document(job["document"], "it", chance.random() < 0.5)
        except TokenizerError:
            refused += 1
            continue
        pairs = [
            (text, tokenizer.encode(text, allowed_special="all"), theirs)
            for text, theirs in zip(job["texts"], answer["tokens"], strict=True)
        ]
        pairs += [
            (tokens, tokenizer.decode(tokens), theirs)
            for tokens, theirs in zip(job["ids"], answer["decoded"], strict=True)
        ]
        pairs = [(given, ours, theirs) for given, ours, theirs in pairs if theirs is not None]
        compared += len(pairs)
        differ = [pair for pair in pairs if pair[1] != pair[2]]
        wrong += bool(differ)
        if differ:
            rest = {key: value for key, value in job["document"].items() if key != "model"}
            print(f"{json.dumps(rest, ensure_ascii=False)[:600]}\n   {differ[0]!r:.600}")
    print(
        f"{len(jobs):,} tokenizers: {wrong} differ, {refused} are refused by name; "
        f"{compared:,} texts and lists of tokens compared"
    )
    return MET if wrong <= len(jobs) / 1000 else MISSED


if __name__ == "__main__":
    raise SystemExit(main())
