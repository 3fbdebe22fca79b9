"""Hugging Face's tokenizer.json: the library's tokens, what is written, and what is refused by name."""

from __future__ import annotations

import copy
import json

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import BPETokenizer, MetaspaceBPETokenizer, load_tokenizer
from tt_text.tokenizers.tokenizer_json import from_document

NAMES = (
    "gpt2",
    "roberta",
    "llama3",
    "digits, NFKC",
    "llama",
    "metaspace always",
    "metaspace first",
    "metaspace never",
)
FIRST_SPACES = ("  low  lower ", "▁ ▁▁x")
"""Where the library's Metaspace decoder drops all spaces of the first token, and ours one."""


@pytest.mark.parametrize("name", NAMES)
def test_the_librarys_tokens_and_text(name, goldens):
    golden = goldens["files"][name]
    tokenizer = from_document(golden["document"], name)
    for text, tokens, decoded in golden["cases"]:
        assert tokenizer.encode(text, allowed_special="all") == tokens, text
        ours = tokenizer.decode(tokens, skip_special_tokens=True)
        if name == "metaspace first" and text in FIRST_SPACES:
            assert ours == " " + decoded
        else:
            assert ours == decoded, text


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_is_the_same(name, goldens, tmp_path):
    golden = goldens["files"][name]
    tokenizer = from_document(golden["document"], name)
    tokenizer.save(tmp_path / "own.json")
    tokenizer.save_tokenizer_json(tmp_path / "tokenizer.json")
    for path in (tmp_path / "own.json", tmp_path / "tokenizer.json"):
        again = load_tokenizer(path)
        assert again.get_vocab() == tokenizer.get_vocab()
        for text, tokens, _ in golden["cases"]:
            assert again.encode(text, allowed_special="all") == tokens


def test_each_class_reads_its_own(goldens, tmp_path):
    for name, right, wrong in (
        ("gpt2", BPETokenizer, MetaspaceBPETokenizer),
        ("llama", MetaspaceBPETokenizer, BPETokenizer),
    ):
        (tmp_path / "tokenizer.json").write_text(json.dumps(goldens["files"][name]["document"]))
        assert type(right.from_tokenizer_json(tmp_path / "tokenizer.json")) is right
        with pytest.raises(TokenizerError, match=f"holds a {right.__name__}"):
            wrong.from_tokenizer_json(tmp_path / "tokenizer.json")


def test_merges_as_text_and_as_pairs(goldens):
    document = copy.deepcopy(goldens["files"]["gpt2"]["document"])
    merges = document["model"]["merges"]
    document["model"]["merges"] = [
        " ".join(pair) if isinstance(pair, list) else pair.split(" ") for pair in merges
    ]
    one, other = (from_document(each, "") for each in (document, goldens["files"]["gpt2"]["document"]))
    assert one.merges == other.merges


@pytest.mark.parametrize("scheme", ["always", "first", "never"])
def test_a_decoder_that_is_not_of_one_mind_with_the_pre_tokenizer(goldens, scheme):
    """Each Metaspace keeps to its own scheme: that of the decoder says whether the first space is dropped."""
    document = copy.deepcopy(goldens["files"]["metaspace first"]["document"])
    space = document["model"]["vocab"]["▁"]
    document["decoder"] = {"type": "Metaspace", "prepend_scheme": scheme}
    document["pre_tokenizer"]["prepend_scheme"] = "always" if scheme == "never" else "never"
    expected = " x" if scheme == "never" else "x"
    assert from_document(document, "").decode([space, document["model"]["vocab"]["x"]]) == expected


# ruff: noqa: E501  (a table)
REPLACE = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
BERT = {"type": "BertProcessing", "sep": ["<s>", 0], "cls": ["<s>", 0]}
REFUSED = [
    ("gpt2", {"model.type": "WordPiece"}, "the model is 'WordPiece'"),
    ("gpt2", {"model.type": "Unigram"}, "Unigram"),
    ("gpt2", {"model.dropout": 0.1}, "model.dropout=0.1"),
    ("gpt2", {"model.continuing_subword_prefix": "##"}, "model.continuing_subword_prefix='##'"),
    ("gpt2", {"model.end_of_word_suffix": "</w>"}, "model.end_of_word_suffix='</w>'"),
    ("gpt2", {"model.byte_fallback": True}, "model.byte_fallback with ByteLevel"),
    ("gpt2", {"model.unk_token": "a"}, "model.unk_token='a'"),
    ("gpt2", {"model.unk_token": "<s>", "model.fuse_unk": True, "model.vocab": {"a": 1}, "model.merges": []},
     "model.fuse_unk with ByteLevel"),
    ("gpt2", {"model.unk_token": 3}, "model.unk_token is a string"),
    ("gpt2", {"model.merges": None}, "merges are a list"),
    ("gpt2", {"model.merges": ["a b c"]}, "merge 0 is two tokens"),
    ("gpt2", {"model.merges": [["a", 1]]}, "merge 0 is two tokens"),
    ("gpt2", {"model.merges": ["q q"]}, "merge 0 is of b'q' and b'q'"),
    ("gpt2", {"model.vocab": {"a": "0"}}, "id of 'a' is an int"),
    ("gpt2", {"model.vocab": [1]}, "model.vocab is an object"),
    ("gpt2", {"model.vocab": {"a": 2**40}}, "id of 'a' is an int"),
    ("gpt2", {"model": None}, "has no model"),
    ("gpt2", {"normalizer": {"type": "Lowercase"}}, "the normalizer 'Lowercase'"),
    ("gpt2", {"normalizer": "NFC"}, "normalizer is an object with a type"),
    ("gpt2", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, {"type": "ByteLevel"}]}},
     "the pre_tokenizer 'Whitespace'"),
    ("gpt2", {"pre_tokenizer": {"type": "Sequence"}}, "pre_tokenizer is a Sequence without parts"),
    ("gpt2", {"pre_tokenizer": None}, "the pre_tokenizer is not"),
    ("gpt2", {"decoder": {"type": "WordPiece"}}, "the decoder 'WordPiece'"),
    ("gpt2", {"post_processor": {"type": "Nothing"}}, "the post_processor 'Nothing'"),
    ("gpt2", {"post_processor": {"type": "BertProcessing", "sep": ["<x>", 1], "cls": ["<s>", 0]}}, "post_processor names"),
    ("gpt2", {"post_processor": {"type": "TemplateProcessing", "single": [], "special_tokens": {}}}, "the text 0 times"),
    ("gpt2", {"post_processor": {"type": "Sequence", "processors": [BERT, BERT]}}, "two parts that add special tokens"),
    ("gpt2", {"added_tokens": [{"id": 0, "content": "<s>", "single_word": True}]}, "'<s>' with single_word"),
    ("gpt2", {"added_tokens": [{"id": 7, "content": "<s>"}]}, "'<s>' has id 7"),
    ("gpt2", {"added_tokens": {}}, None),
    ("gpt2", {"added_tokens": [3]}, "an added token is an object"),
    ("llama3", {"pre_tokenizer.pretokenizers": [{"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated",
                                                 "invert": False}, {"type": "ByteLevel", "use_regex": False,
                                                                    "add_prefix_space": False}]}, "is no pattern"),
    ("llama3", {"pre_tokenizer.pretokenizers": [{"type": "Split", "pattern": {"Regex": "a"}, "behavior": "MergedWithNext",
                                                 "invert": False}, {"type": "ByteLevel"}]}, "behavior='MergedWithNext'"),
    ("llama3", {"pre_tokenizer.pretokenizers": [{"type": "Split", "pattern": {"Regex": r"\S+"}, "behavior": "Removed",
                                                 "invert": True}, {"type": "ByteLevel", "add_prefix_space": False}]},
     r"Split removes what '\\\\S\+' does not match"),
    ("llama3", {"pre_tokenizer.pretokenizers": [{"type": "Split", "pattern": {"Regex": "[a&&[^b]]+"}, "behavior": "Isolated",
                                                 "invert": False}, {"type": "ByteLevel", "add_prefix_space": False}]},
     "is not supported"),
    ("llama3", {"pre_tokenizer.pretokenizers": [{"type": "Split", "pattern": {"String": "a"}}, {"type": "ByteLevel"}]},
     "pattern.Regex"),
    ("llama3", {"pre_tokenizer.pretokenizers": [{"type": "Digits"}, {"type": "ByteLevel", "add_prefix_space": True}]},
     "add_prefix_space after another one"),
    ("llama3", {"pre_tokenizer.pretokenizers": [{"type": "ByteLevel", "add_prefix_space": False}, {"type": "Digits"}]},
     r"a pre_tokenizer \(Digits\) after ByteLevel"),
    ("llama", {"normalizer": None}, "BPE is supported with the pre_tokenizer ByteLevel"),
    ("llama", {"normalizer": {"type": "Prepend", "prepend": "_"}}, "the normalizer 'Prepend'"),
    ("llama", {"decoder": {"type": "Strip", "content": " ", "start": 2, "stop": 0}}, "is not supported"),
    ("llama", {"decoder": {"type": "CTC"}}, "the decoder 'CTC'"),
    ("llama", {"decoder.decoders": [REPLACE, STRIP, {"type": "ByteFallback"}, {"type": "Fuse"}]}, "'Strip'.* is not supported"),
    ("llama", {"decoder.decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}, "leaves ▁ as it is"),
    ("llama", {"decoder.decoders": [REPLACE, {"type": "Fuse"}]}, "decoder has no ByteFallback"),
    ("llama", {"model.byte_fallback": False}, "decoder has a ByteFallback"),
    ("llama", {"model.ignore_merges": True}, "model.ignore_merges with ▁"),
    ("llama", {"added_tokens": [{"id": 0, "content": "<unk>", "special": True, "normalized": True}]}, "looked for in normalized"),
    ("llama", {"model.unk_token": "<nothing>"}, "'<nothing>' is not in the vocabulary"),
    ("metaspace first", {"normalizer": {"type": "Prepend", "prepend": "▁"}}, "the pre_tokenizer 'Metaspace'"),
    ("metaspace first", {"pre_tokenizer.replacement": "_"}, "the pre_tokenizer 'Metaspace'"),
    ("metaspace first", {"pre_tokenizer.prepend_scheme": "last"}, "prepend_scheme='last'"),
    ("metaspace first", {"decoder": {"type": "Metaspace", "prepend_scheme": "last"}}, "decoder Metaspace with prepend"),
    ("metaspace first", {"decoder": {"type": "Metaspace", "replacement": "_"}}, "the decoder 'Metaspace'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "match"), REFUSED)
def test_what_is_not_supported_is_named(name, changes, match, goldens):
    document = copy.deepcopy(goldens["files"][name]["document"])
    for path, value in changes.items():
        place = document
        *folders, last = path.split(".")
        for folder in folders:
            place = place[folder]
        place[last] = value
    if match is None:
        from_document(document, "file")
        return
    with pytest.raises(TokenizerError, match=match):
        from_document(document, "file")


def test_parts_in_parts_without_end(goldens):
    document = copy.deepcopy(goldens["files"]["gpt2"]["document"])
    for _ in range(500):
        document["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [document["pre_tokenizer"]]}
    with pytest.raises(TokenizerError, match="pre_tokenizer"):
        from_document(document, "file")


def test_the_flags_of_added_tokens_come_back(goldens, tmp_path):
    document = copy.deepcopy(goldens["files"]["gpt2"]["document"])
    flags = {"special": False, "lstrip": True, "rstrip": False, "normalized": True}
    document["added_tokens"].append({"id": 5000, "content": "<x>", "single_word": False, **flags})
    tokenizer = from_document(document, "")
    tokenizer.save(tmp_path / "own.json")
    tokenizer.save_tokenizer_json(tmp_path / "tokenizer.json")
    for name in ("own.json", "tokenizer.json"):
        token = load_tokenizer(tmp_path / name).added.by_content["<x>"]
        assert {flag: getattr(token, flag) for flag in flags} == flags


def test_a_word_that_is_special_and_ordinary():
    """The byte `a` stays a token where the text `a` is a special one of the same id."""
    vocab = {bytes([byte]): byte for byte in range(256)}
    tokenizer = BPETokenizer(vocab, [], special_tokens={"a": 97})
    assert tokenizer.encode("ab") == tokenizer.encode("ab", allowed_special="all") == [97, 98]
    assert tokenizer.decode([97, 98], skip_special_tokens=True) == "b"


def test_what_a_tokenizer_json_cannot_say(tmp_path):
    tokenizer = BPETokenizer({b"a": 0}, [], pattern=None, add_prefix_space=True)
    tokenizer.save_tokenizer_json(tmp_path / "tokenizer.json")
    with pytest.raises(TokenizerError, match="add_prefix_space"):
        BPETokenizer({b"a": 0}, [], pattern="a", add_prefix_space=True).save_tokenizer_json(
            tmp_path / "other.json"
        )
    assert not (tmp_path / "other.json").exists()
