"""Hugging Face's tokenizer.json: the library's tokens, what is written, and what is refused by name."""

from __future__ import annotations

import copy
import json

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import BPETokenizer, MetaspaceBPETokenizer, PipelineTokenizer, load_tokenizer
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


@pytest.mark.parametrize("name", NAMES)
def test_the_librarys_tokens_and_text(name, goldens):
    golden = goldens["files"][name]
    tokenizer = from_document(golden["document"], name)
    for text, tokens, decoded in golden["cases"]:
        assert tokenizer.encode(text, allowed_special="all") == tokens, text
        assert tokenizer.decode(tokens, skip_special_tokens=True) == decoded, text


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
FIRST = {"type": "Metaspace", "prepend_scheme": "first"}
BERT = {"type": "BertProcessing", "sep": ["<s>", 0], "cls": ["<s>", 0]}
REFUSED = [
    ("gpt2", {"model.type": "WordPiece"}, "model.unk_token and model.continuing_subword_prefix are strings"),
    ("gpt2", {"model.type": "WordLevel", "model.unk_token": "a", "model.vocab": {"a": 1.5}}, "id of 'a' is an int"),
    ("gpt2", {"model.type": ["BPE"]}, "the model is"),
    ("gpt2", {"model.type": "Unigram"}, "Unigram"),
    ("gpt2", {"model.dropout": 0.1}, "model.dropout=0.1"),
    ("gpt2", {"model.unk_token": 3}, "model.unk_token is a string"),
    ("gpt2", {"model.merges": None}, "merges are a list"),
    ("gpt2", {"model.merges": ["a b c"]}, "merge 0 is two tokens"),
    ("gpt2", {"model.merges": [["a", 1]]}, "merge 0 is two tokens"),
    ("gpt2", {"model.merges": ["q q"]}, "merge 0 is of b'q' and b'q'"),
    ("gpt2", {"model.vocab": {"a": "0"}}, "id of 'a' is an int"),
    ("gpt2", {"model.vocab": [1]}, "model.vocab is an object"),
    ("gpt2", {"model.vocab": {"a": 2**40}}, "id of 'a' is an int"),
    ("gpt2", {"model": None}, "has no model"),
    ("gpt2", {"normalizer": "NFC"}, "normalizer is an object with a type"),
    ("gpt2", {"pre_tokenizer": {"type": "Sequence"}}, "pre_tokenizer is a Sequence without parts"),
    ("gpt2", {"post_processor": {"type": "Nothing"}}, "the post_processor 'Nothing'"),
    ("gpt2", {"post_processor": {"type": "BertProcessing", "sep": ["<x>", 1], "cls": ["<s>", 0]}}, "post_processor names"),
    ("gpt2", {"post_processor": {"type": "TemplateProcessing", "single": [], "special_tokens": {}}}, "the text 0 times"),
    ("gpt2", {"post_processor": {"type": "Sequence", "processors": [BERT, BERT]}}, "two parts that add special tokens"),
    ("gpt2", {"added_tokens": [{"id": 7, "content": "<s>"}]}, "'<s>' has id 7"),
    ("gpt2", {"added_tokens": {}}, None),
    ("gpt2", {"added_tokens": [3]}, "an added token is an object"),
    ("llama3", {"pre_tokenizer.pretokenizers": [{"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated",
                                                 "invert": False}, {"type": "ByteLevel", "use_regex": False,
                                                                    "add_prefix_space": False}]}, "is no pattern"),
    ("llama3", {"pre_tokenizer.pretokenizers": [{"type": "Split", "pattern": {"Regex": "[a&&[^b]]+"}, "behavior": "Isolated",
                                                 "invert": False}, {"type": "ByteLevel", "add_prefix_space": False}]},
     "is not supported"),
    ("llama", {"decoder": {"type": "CTC"}}, "the decoder 'CTC'"),
    ("metaspace first", {"pre_tokenizer.prepend_scheme": "last"}, "prepend_scheme='last'"),
    ("metaspace first", {"decoder": {"type": "Metaspace", "prepend_scheme": "last"}}, "decoder Metaspace with prepend"),
    ("gpt2", {"normalizer": {"type": "Nmt"}}, "the normalizer 'Nmt'"),
    ("gpt2", {"normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}}, "the normalizer 'Precompiled'"),
    ("gpt2", {"normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "a"}}, "pattern of the normalizer Replace"),
    ("gpt2", {"normalizer": {"type": "Replace", "pattern": {"Regex": "("}, "content": "a"}}, "is no pattern"),
    ("gpt2", {"normalizer": {"type": "Prepend", "prepend": 1}}, "prepend of the normalizer Prepend is text"),
    ("gpt2", {"normalizer": {"type": "Prepend", "prepend": "\ud800"}}, "prepend of the normalizer Prepend.* surrogate"),
    ("gpt2", {"normalizer": {"type": "Strip", "strip_left": "no"}}, "strip_left of the normalizer Strip is true or false"),
    ("gpt2", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}, {"type": "ByteLevel"}]}},
     "the pre_tokenizer 'UnicodeScripts'"),
    ("gpt2", {"pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Kept", "invert": False}}, "'Kept'"),
    ("gpt2", {"pre_tokenizer": {"type": "FixedLength", "length": 0}}, "the pre_tokenizer 'FixedLength'"),
    ("gpt2", {"pre_tokenizer": {"type": "CharDelimiterSplit", "delimiter": "ab"}}, "delimiter of the pre_tokenizer .* one character"),
    ("gpt2", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, FIRST]}}, "'first' after another one"),
    ("gpt2", {"normalizer": {"type": "StripAccents"}, "pre_tokenizer": FIRST}, "StripAccents before a Metaspace"),
    ("gpt2", {"normalizer": {"type": "Replace", "pattern": {"Regex": " +"}, "content": "▁"}, "pre_tokenizer": FIRST},
     "Replace before a Metaspace"),
    ("gpt2", {"normalizer": {"type": "Strip"}, "added_tokens": [{"id": 7000, "content": "  ", "normalized": True}]},
     "leaves nothing of the added token '  '"),
    ("gpt2", {"decoder": {"type": "WordPiece", "prefix": None}}, "prefix of the decoder WordPiece is text"),
    ("gpt2", {"decoder": {"type": "BPEDecoder", "suffix": ""}}, "empty suffix"),
    ("gpt2", {"model.continuing_subword_prefix": 3}, "continuing_subword_prefix is a string"),
    ("gpt2", {"model.continuing_subword_prefix": "##"}, "merge .* is of"),
    ("gpt2", {"normalizer": {"type": "Lowercase"}, "model.vocab": {"a": 1, "b": 1}, "model.merges": []}, "have one id"),
    ("llama", {"decoder": {"type": "Strip", "content": " ", "start": -1, "stop": 0}}, "the decoder 'Strip'"),
    ("metaspace first", {"pre_tokenizer.replacement": "__"}, "replacement of the pre_tokenizer Metaspace is one character"),
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


def test_the_token_that_fills_up_is_the_one_of_the_padding(goldens):
    """How far, and where texts are cut, are arguments, as in transformers."""
    document = copy.deepcopy(goldens["files"]["roberta"]["document"])
    document["padding"] = {"strategy": {"Fixed": 9}, "direction": "Left", "pad_id": 1, "pad_token": "</s>"}
    document["truncation"] = {"max_length": 3, "direction": "Right", "strategy": "LongestFirst", "stride": 0}
    tokenizer = from_document(document, "")
    assert tokenizer.pad_token == "</s>"
    assert tokenizer.encode_batch(["a", "low low"]).ids[0, -1] == 1
    document["padding"]["pad_token"] = "<none>"
    assert from_document(document, "").pad_token is None


def test_where_all_bytes_are_tokens_nothing_is_unknown(goldens):
    """As in what transformers 5 writes of Llama's."""
    golden = goldens["files"]["llama"]
    for unknown in (None, "<nothing>"):
        document = copy.deepcopy(golden["document"])
        document["model"]["unk_token"] = unknown
        tokenizer = from_document(document, "")
        assert type(tokenizer) is MetaspaceBPETokenizer
        for text, tokens, _ in golden["cases"]:
            assert tokenizer.encode(text, allowed_special="all") == tokens
        del document["model"]["vocab"]["<0xF0>"]
        assert type(from_document(document, "")) is PipelineTokenizer


def test_an_empty_match_after_another_is_none():
    """As Oniguruma finds them; here it would put a border between two words that are joined."""
    split = {"type": "Split", "pattern": {"Regex": "x*"}, "behavior": "MergedWithNext", "invert": False}
    model = {"type": "BPE", "vocab": {"x": 0, "a": 1, "xa": 2}, "merges": ["x a"]}
    tokenizer = from_document({"pre_tokenizer": split, "model": model}, "")
    assert tokenizer.encode("axa") == [1, 2]


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
