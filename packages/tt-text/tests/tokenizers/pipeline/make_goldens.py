"""Writes goldens.json: what the `tokenizers` library makes of texts with each kind of part that a tokenizer.json has.

    python make_goldens.py

with an interpreter that has tokenizers 0.23.3. Some models are trained; each tokenizer is one of them with parts of its
own, and what the file says of it is that alone.
"""

# ruff: noqa: E501  (tables)

from __future__ import annotations

import copy
import json
import random
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = Path(__file__).parent
CORPUS = [
    "First Citizen: Before we proceed any further, hear me speak. All: Speak, speak.",
    "low lower lowest, new newer newest; wide wider widest!  It's 1999, isn't it? We'll see 2024 or 12345.",
    "naïve café, Straße, привет мир, 世界 こんにちは, e\u0301 \ufb01 ½ ² 😀 aaaaaaaaaaaaa ▁▁a",
] * 3
TEXTS = [
    "", " ", "a", "  low  lower ", "Hello, world!", "It's we'll they'RE", "x  \n\n  y\t\tz ", "12345 1 22 333 4444", "naïve café e\u0301 \ufb01",
    "世界 こんにちは 안녕", "😀👩‍💻", "aaaaaaaaaaaa", "\u00a0\u3000 \u2028", "def f(x):\n    return x\n", "▁ ▁▁x", "a<s>b", "<s> a </s>b", "ςΣ İ ǅ",
    "tool tools a_tool, tool", "speak...!?«low»", "<unk>é<0x41>ü", "x=1+2~3", "Ġa </w> ##b", "low <x>  low",
]  # fmt: skip
FALLBACK = [f"<0x{byte:02X}>" for byte in range(256)]


def split(
    pattern: str, behavior: str = "Isolated", invert: bool = False, kind: str = "Regex"
) -> dict[str, Any]:
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def cuts(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(parts)}


def changes(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(parts)}


def steps(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "decoders": list(parts)}


def byte_level(space: bool = False, regex: bool = True) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": True, "use_regex": regex}


def replace(old: str, new: str, kind: str = "String") -> dict[str, Any]:
    return {"type": "Replace", "pattern": {kind: old}, "content": new}


def strip(start: int, stop: int) -> dict[str, Any]:
    return {"type": "Strip", "content": " ", "start": start, "stop": stop}


def metaspace(scheme: str, cut: bool) -> dict[str, Any]:
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}


def added(number: int, content: str, **flags: bool) -> dict[str, Any]:
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": content, **usual, **flags}


PUNCTUATION = {"type": "Punctuation", "behavior": "Isolated"}
DIGITS = {"type": "Digits", "individual_digits": True}
PREPEND, NFC, NFD, NFKC, LOWER = (
    {"type": "Prepend", "prepend": "▁"}, {"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "Lowercase"},
)  # fmt: skip
BERT = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}
BYTES, FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}
LLAMA, LLAMA_BACK = changes(PREPEND, replace(" ", "▁")), steps(replace("▁", " "), BYTES, FUSE, strip(1, 0))
UNKNOWN = {"unk_token": "<unk>"}
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

# name: model, normalizer, pre_tokenizer, decoder, what else of the model, more added tokens
KINDS: dict[str, tuple[Any, ...]] = {
    "falcon": ("bytes", None, cuts({"type": "Punctuation", "behavior": "Contiguous"}, byte_level(), {"type": "Digits", "individual_digits": False}, split("[0-9][0-9][0-9]")), byte_level(), {}, []),
    "bloom": ("bytes", None, cuts(split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), byte_level(regex=False)), byte_level(), {}, []),
    "gpt-neox": ("bytes", NFC, byte_level(), byte_level(), {}, [added(1000, "  ", normalized=True, special=False), added(1001, "é", normalized=True, special=False)]),
    "clip": ("suffix", changes(NFC, replace(r"\s+", " ", "Regex"), LOWER), cuts(split(CLIP, "Removed", True), byte_level()), byte_level(), UNKNOWN, []),
    "words with spaces": ("bytes", None, cuts({"type": "WhitespaceSplit"}, byte_level(True)), byte_level(), {}, []),
    "strings": ("bytes", None, cuts(split("a", "MergedWithPrevious", kind="String"), split(" ", "MergedWithNext", kind="String"), byte_level(regex=False)), byte_level(), {}, []),
    "contiguous": ("bytes", None, cuts(split(r"\w", "Contiguous"), byte_level()), byte_level(), {}, []),
    "inverted": ("bytes", None, cuts(split(r"\w+", "MergedWithPrevious", True), byte_level()), byte_level(), {}, []),
    "delimiters": ("bytes", None, cuts(PUNCTUATION, {"type": "CharDelimiterSplit", "delimiter": "e"}, {"type": "FixedLength", "length": 3}, byte_level()), byte_level(), {}, []),
    "bytes in the normalizer": ("bytes", {"type": "ByteLevel"}, None, byte_level(), {}, []),
    "strange names": ("bytes", None, byte_level(), byte_level(), {"ignore_merges": True}, [added(1000, "Ġa"), added(1001, "é"), added(1002, "tool", single_word=True, lstrip=True, special=False), added(1003, "<x>", rstrip=True)]),
    "few bytes": ("characters", None, byte_level(), byte_level(), {}, []),
    "few bytes, unknown": ("characters", None, byte_level(), byte_level(), {**UNKNOWN, "fuse_unk": True}, []),
    "gpt": ("suffix", BERT, {"type": "BertPreTokenizer"}, {"type": "BPEDecoder", "suffix": "</w>"}, UNKNOWN, []),
    "word pieces": ("prefix", BERT, {"type": "Whitespace"}, {"type": "WordPiece", "prefix": "##", "cleanup": True}, UNKNOWN, []),
    "no decoder": ("characters", changes(NFKC, {"type": "Strip", "strip_left": True, "strip_right": True}), {"type": "Whitespace"}, None, UNKNOWN, []),
    "accents": ("characters", changes(NFD, {"type": "StripAccents"}), cuts(DIGITS, metaspace("always", True)), metaspace("always", True), UNKNOWN, []),
    "llama": ("characters", LLAMA, None, LLAMA_BACK, {**UNKNOWN, "fuse_unk": True, "byte_fallback": True}, []),
    "llama, normalized": ("characters", LLAMA, None, LLAMA_BACK, {**UNKNOWN, "byte_fallback": True}, [added(1000, "<x>", normalized=True, special=False), added(1001, "low", normalized=True, special=False, single_word=True)]),
    "phi": ("characters", LLAMA, None, LLAMA_BACK, {**UNKNOWN, "byte_fallback": True}, [added(1000, "<x>", rstrip=True)]),
    "gemma": ("characters", replace(" ", "▁"), split(" ", "MergedWithPrevious", kind="String"), steps(replace("▁", " "), BYTES, FUSE), {**UNKNOWN, "fuse_unk": True, "byte_fallback": True}, []),
    "merges ignored": ("characters", LLAMA, None, LLAMA_BACK, {**UNKNOWN, "byte_fallback": True, "ignore_merges": True}, []),
    "no unknown token": ("characters", LLAMA, None, LLAMA_BACK, {}, []),
    "bytes that stay": ("characters", None, metaspace("first", False), metaspace("first", False), {**UNKNOWN, "byte_fallback": True}, []),
    "first": ("characters", None, metaspace("first", True), steps(BYTES, metaspace("first", True)), {**UNKNOWN, "byte_fallback": True}, []),
    "never": ("characters", None, metaspace("never", True), metaspace("never", True), UNKNOWN, []),
    "many spaces": ("characters", LLAMA, None, steps(replace("▁+", " ", "Regex"), strip(2, 0), BYTES, FUSE, strip(1, 0)), {**UNKNOWN, "byte_fallback": True}, []),
    "bert": ("pieces", BERT, {"type": "BertPreTokenizer"}, {"type": "WordPiece", "prefix": "##", "cleanup": True}, UNKNOWN, []),
    "short words": ("pieces", None, {"type": "Whitespace"}, None, {**UNKNOWN, "max_input_chars_per_word": 5}, []),
    "words": ("words", None, {"type": "Whitespace"}, {"type": "WordPiece", "prefix": "##", "cleanup": False}, UNKNOWN, []),
}  # fmt: skip


def trained() -> dict[str, dict[str, Any]]:
    """Models as the library writes them."""
    found = {}
    for name, size, options, alphabet, pre_tokenizer in (
        ("bytes", 310, {}, pre_tokenizers.ByteLevel.alphabet(), pre_tokenizers.ByteLevel(add_prefix_space=False)),
        ("suffix", 160, {"end_of_word_suffix": "</w>"}, [], pre_tokenizers.Whitespace()),
        ("prefix", 160, {"continuing_subword_prefix": "##"}, [], pre_tokenizers.Whitespace()),
        ("characters", 400, {}, [], pre_tokenizers.Metaspace()),
    ):  # fmt: skip
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", **options))
        tokenizer.pre_tokenizer = pre_tokenizer
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.decoder = decoders.Fuse()
        special = ["<unk>", "<s>", "</s>", *(FALLBACK if name == "characters" else [])]
        trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=2, special_tokens=special, initial_alphabet=alphabet,
                                      show_progress=False, **options)  # fmt: skip
        tokenizer.train_from_iterator(CORPUS, trainer)
        model = json.loads(tokenizer.to_str())["model"]
        model["unk_token"] = None
        found[name] = model
    for name, empty, trainer in (
        ("pieces", models.WordPiece(unk_token="<unk>"), trainers.WordPieceTrainer(vocab_size=120, special_tokens=special[:3], show_progress=False)),
        ("words", models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=40, special_tokens=special[:3], show_progress=False)),
    ):  # fmt: skip
        tokenizer = Tokenizer(empty)
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.train_from_iterator(CORPUS, trainer)
        found[name] = json.loads(tokenizer.to_str())["model"]
    return found


def main() -> None:
    found: dict[str, Any] = {
        "version": version("tokenizers"),
        "models": trained(),
        "texts": TEXTS,
        "kinds": {},
    }
    draw = random.Random(0)
    for name, (model, normalizer, pre_tokenizer, decoder, settings, more) in KINDS.items():
        document = {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                *(added(number, content) for number, content in enumerate(("<unk>", "<s>", "</s>"))),
                *more,
            ],
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": None,
            "decoder": decoder,
        }
        whole = copy.deepcopy(document | {"model": found["models"][model] | settings})
        ids = dict(whole["model"]["vocab"])
        for token in document["added_tokens"]:  # as the library numbers them, whatever a file says
            token["id"] = ids.setdefault(token["content"], max(ids.values()) + 1)
        whole["added_tokens"] = document["added_tokens"]
        tokenizer = Tokenizer.from_str(json.dumps(whole))
        ids = sorted(tokenizer.get_vocab().values())
        random_ids = [[draw.choice(ids) for _ in range(draw.randrange(1, 9))] for _ in range(12)]
        found["kinds"][name] = {
            "model": model,
            "settings": settings,
            "document": document,
            "tokens": [tokenizer.encode(text).ids for text in TEXTS],
            "decoded": [
                [ids, tokenizer.decode(ids, skip_special_tokens=False)]
                for ids in [*(tokenizer.encode(text).ids for text in TEXTS), *random_ids]
            ],
        }
    text = json.dumps(found, separators=(",", ":"))
    (HERE / "goldens.json").write_text(text + "\n", encoding="ascii")
    print(len(text))


if __name__ == "__main__":
    main()
