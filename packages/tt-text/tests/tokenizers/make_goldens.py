"""Writes goldens.json: tokenizers and tokens of tiktoken and the `tokenizers` library, for the tests beside it.

    python make_goldens.py FOLDER_OF_GPT2_FILES

with an interpreter that has both packages. The versions they had are in the file.
"""

# ruff: noqa: E501  (tables)

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import tiktoken
from tiktoken.load import data_gym_to_mergeable_bpe_ranks
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

HERE = Path(__file__).parent
CORPUS = [
    "First Citizen: Before we proceed any further, hear me speak. All: Speak, speak.",
    "low lower lowest, new newer newest; wide wider widest!  It's 1999, isn't it? We'll see 2024 or 12345.",
    "def forward(self, x):\n    return np.tanh(x @ self.weight.T + self.bias)\n\n\tpass",
    "naïve café, Straße, привет мир, 世界 こんにちは, e\u0301 \ufb01 ½ ² 😀👩‍💻 aaaaaaaaaaaaa",
] * 3
TEXTS = [
    "", " ", "a", "low", " low", "  low  lower ", "Hello, world!", "It's we'll they'RE", "x  \n\n  y\t\tz ",
    "12345 1 22 333 4444", "naïve café e\u0301 \ufb01", "世界 こんにちは 안녕", "😀👩‍💻🏳️‍🌈", "aaaaaaaaaaaaaaaa", "\u00a0\u3000 \u2028",
    "def f(x):\n    return x\n", "\0\x01\x7f", "▁ ▁▁x", "<s>", "a<s>b", "<s> a </s>b", "before <mask> after", "say tool tool!",
    " <s> ", "speak" * 20,
]  # fmt: skip
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def trained(size: int, special: list[str], alphabet: list[str], **parts: object) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(**parts.pop("model", {})))
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def changed(tokenizer: Tokenizer, **model: object) -> Tokenizer:
    """With other fields of the model."""
    document = json.loads(tokenizer.to_str())
    document["model"].update(model)
    return Tokenizer.from_str(json.dumps(document))


def byte_level() -> dict[str, Tokenizer]:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    plain = {
        "pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=False),
        "decoder": decoders.ByteLevel(),
    }
    found = {"gpt2": trained(340, ["<s>"], alphabet, **plain)}
    roberta = trained(300, ["<s>", "</s>"], alphabet, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True),
                      decoder=decoders.ByteLevel())  # fmt: skip
    roberta.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    roberta.add_tokens([AddedToken("tool", rstrip=True, normalized=False)])
    roberta.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    found["roberta"] = roberta
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    llama3 = trained(320, ["<s>"], alphabet, pre_tokenizer=split, decoder=decoders.ByteLevel())
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 0)]),
    ])  # fmt: skip
    document = json.loads(llama3.to_str())
    document["model"]["vocab"]["Hello"] = 320  # a word that no merges make
    document["model"]["ignore_merges"] = True
    found["llama3"] = Tokenizer.from_str(json.dumps(document))
    digits = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])  # fmt: skip
    found["digits, NFKC"] = trained(300, [], alphabet, pre_tokenizer=digits, decoder=decoders.ByteLevel(),
                                    normalizer=normalizers.NFKC())  # fmt: skip
    return found


def metaspace() -> dict[str, Tokenizer]:
    special = ["<unk>", "<s>", "</s>"]
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    prepend = {
        "normalizer": normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        "decoder": decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                      decoders.Strip(" ", 1, 0)]),
    }  # fmt: skip

    def added(tokenizer: Tokenizer) -> Tokenizer:
        """Only the three are special; the bytes are ordinary tokens, as in Llama's file."""
        document = json.loads(tokenizer.to_str())
        document["added_tokens"] = [
            token for token in document["added_tokens"] if token["content"] in special
        ]
        return Tokenizer.from_str(json.dumps(document))

    llama = added(trained(400, special + fallback, [], model={"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True},
                          **prepend))  # fmt: skip
    llama.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])
    found = {"llama": llama}
    for scheme, split in (("always", True), ("first", False), ("never", True)):
        found[f"metaspace {scheme}"] = trained(
            200, special, [], model={"unk_token": "<unk>", "fuse_unk": split},
            pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split),
            decoder=decoders.Metaspace(prepend_scheme=scheme, split=split),
        )  # fmt: skip
    return found


def gpt2(folder: Path) -> list[list[object]]:
    ranks = data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
    encoding = tiktoken.Encoding("gpt2", pat_str=pattern, mergeable_ranks=ranks,
                                 special_tokens={"<|endoftext|>": 50256})  # fmt: skip
    return [
        [text, encoding.encode(text, disallowed_special=())]
        for text in [*TEXTS, *CORPUS[:4], "a<|endoftext|>"]
    ]


def main() -> None:
    found = {
        "versions": {name: version(name) for name in ("tiktoken", "tokenizers")},
        "corpus": CORPUS,
        "gpt2": gpt2(Path(sys.argv[1])),
        "files": {},
    }
    for name, tokenizer in {**byte_level(), **metaspace()}.items():
        cases = []
        for text in TEXTS:
            ids = tokenizer.encode(text).ids
            cases.append([text, ids, tokenizer.decode(ids, skip_special_tokens=True)])
        found["files"][name] = {"document": json.loads(tokenizer.to_str()), "cases": cases}
    (HERE / "goldens.json").write_text(json.dumps(found, separators=(",", ":")), encoding="ascii")


if __name__ == "__main__":
    main()
