"""BPE tokenizers as the JSON object of a tokenizer.json."""

from __future__ import annotations

from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.bpe_tokenizer import BPETokenizer
from tt_text.tokenizers.byte_alphabet import written
from tt_text.tokenizers.metaspace_tokenizer import SPACE, MetaspaceBPETokenizer
from tt_text.tokenizers.oniguruma import to_ruby
from tt_text.tokenizers.pipeline_tokenizer import PipelineTokenizer
from tt_text.tokenizers.split_patterns import GPT2
from tt_text.tokenizers.tokenizer import Tokenizer

__all__ = ["byte_level_document", "metaspace_document", "pipeline_document"]


def byte_level_document(tokenizer: BPETokenizer) -> dict[str, Any]:
    """What the `tokenizers` library makes the same tokenizer from.

    Special tokens are among the model's tokens too, so that their ids stay theirs. The library finds special tokens
    in text always; `encode` here only where `allowed_special` has them.
    """
    names = {number: written(data) for data, number in tokenizer.vocab.items()}
    names.update({token.id: token.content for token in tokenizer.added.by_id.values()})
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": tokenizer.unk_token,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": tokenizer.ignore_merges,
        "vocab": {names[number]: number for number in sorted(names)},
        "merges": [f"{written(left)} {written(right)}" for left, right in tokenizer.merges],
    }
    nothing = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    normalizer = {"type": tokenizer.normalization} if tokenizer.normalization else None
    return {
        **_beginning(tokenizer),
        "normalizer": normalizer,
        "pre_tokenizer": _pre_tokenizer(tokenizer),
        "post_processor": _post_processor(tokenizer) or nothing,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": model,
    }


def metaspace_document(tokenizer: MetaspaceBPETokenizer) -> dict[str, Any]:
    """The same for BPE over characters, as Llama's is written."""
    state = tokenizer._state()
    names = {number: text for text, number in state["vocab"].items()}
    names.update({token.id: token.content for token in tokenizer.added.by_id.values()})
    prefix = state["prefix_space"]
    replaced = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    front = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if state["strip"] else []
    return {
        **_beginning(tokenizer),
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, replaced]}
        if prefix == "prepend"
        else None,
        "pre_tokenizer": None
        if prefix == "prepend"
        else {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": prefix, "split": state["split"]},
        "post_processor": _post_processor(tokenizer),
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                *([{"type": "ByteFallback"}] if state["byte_fallback"] else []),
                {"type": "Fuse"},
                *front,
            ],
        }
        if not state["strip_token"]
        else {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": state["split"]},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": state["unknown"],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": state["fuse_unk"],
            "byte_fallback": state["byte_fallback"],
            "ignore_merges": False,
            "vocab": {names[number]: number for number in sorted(names)},
            "merges": [f"{left} {right}" for left, right in state["merges"]],
        },
    }


def pipeline_document(tokenizer: PipelineTokenizer) -> dict[str, Any]:
    """The parts as they were read."""
    return {
        **_beginning(tokenizer),
        **tokenizer._state(),
        "post_processor": _post_processor(tokenizer),
    }


def _beginning(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": token.id,
                "content": token.content,
                "single_word": token.single_word,
                "lstrip": token.lstrip,
                "rstrip": token.rstrip,
                "normalized": token.normalized,
                "special": token.special,
            }
            for token in sorted(tokenizer.added.by_id.values(), key=lambda token: token.id)
        ],
    }


def _pre_tokenizer(tokenizer: BPETokenizer) -> dict[str, Any]:
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": tokenizer.add_prefix_space,
        "trim_offsets": True,
        "use_regex": tokenizer.patterns == (GPT2,),
    }
    if tokenizer.patterns in ((), (GPT2,)):
        return byte_level
    splits = [
        {"type": "Split", "pattern": {"Regex": to_ruby(pattern)}, "behavior": "Isolated", "invert": False}
        for pattern in tokenizer.patterns
    ]
    if tokenizer.add_prefix_space:
        raise TokenizerError(
            "save_tokenizer_json: add_prefix_space beside another pattern than GPT-2's is nothing that a "
            "tokenizer.json says: there every word would get a space; save() keeps it"
        )
    return {"type": "Sequence", "pretokenizers": [*splits, byte_level]}


def _post_processor(tokenizer: Tokenizer) -> dict[str, Any] | None:
    around = [
        [tokenizer.id_to_token(one) for one in ids] for ids in (tokenizer.prefix_ids, tokenizer.suffix_ids)
    ]
    if not any(around):
        return None

    def template(number: int) -> list[dict[str, Any]]:
        name = "AB"[number]
        before, after = (
            [{"SpecialToken": {"id": token, "type_id": number}} for token in tokens] for tokens in around
        )
        return [*before, {"Sequence": {"id": name, "type_id": number}}, *after]

    return {
        "type": "TemplateProcessing",
        "single": template(0),
        "pair": template(0) + template(1),
        "special_tokens": {
            token: {"id": token, "ids": [tokenizer.token_to_id(token)], "tokens": [token]}
            for tokens in around
            for token in tokens
        },
    }
