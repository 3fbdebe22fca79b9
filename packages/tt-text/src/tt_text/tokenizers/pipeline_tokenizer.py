"""Any tokenizer of a tokenizer.json, part by part as it says: for those that are no plain byte-level or ▁ ones.

encode = model of each word of pre_tokenizer(normalizer(text)), between added tokens
decode = decoder(names of tokens)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from os import PathLike
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import checked_id, checked_text, checked_tokens
from tt_text.tokenizers.pipeline.bpe_model import BPEModel
from tt_text.tokenizers.pipeline.decoders import decoder
from tt_text.tokenizers.pipeline.normalizers import moves_the_start, normalizer
from tt_text.tokenizers.pipeline.parts import flat
from tt_text.tokenizers.pipeline.pre_tokenizers import pre_tokenizer
from tt_text.tokenizers.pipeline.word_models import WordModel
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.tokenizer import Tokenizer

__all__ = ["PipelineTokenizer"]

CONTEXT = 4
"""So many tokens before one say how it is decoded in their midst."""


class PipelineTokenizer(Tokenizer):
    """BPE, WordPiece or WordLevel with the parts of a tokenizer.json.

    Args:
        normalizer, pre_tokenizer, model, decoder: its JSON objects, or None; a model there has to be.
        where: for errors.
        added, bos_token, eos_token, pad_token, unk_token, prefix, suffix: see Tokenizer.

    Not every text comes back: a normalizer may change it, and where there is no unknown token, characters that are no
    tokens are left out, as the `tokenizers` library does.
    Raises TokenizerError that names the part which is not supported.
    """

    kind = "pipeline"

    def __init__(
        self,
        *,
        normalizer: Any = None,
        pre_tokenizer: Any = None,
        model: Any,
        decoder: Any = None,
        where: Any = "PipelineTokenizer",
        added: Iterable[AddedToken] = (),
        **roles: Any,
    ) -> None:
        if not isinstance(model, dict):
            raise TokenizerError(f"{where}: a model is an object, not {str(model)[:80]!r}")
        self._parts = {"normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "decoder": decoder}
        kind = model.get("type", "BPE")  # old files leave it out
        if kind not in ("BPE", "WordPiece", "WordLevel"):
            raise TokenizerError(
                f"{where}: the model is {kind!r:.60}; supported are BPE, WordPiece and WordLevel"
            )
        self._model = BPEModel(model, where) if kind == "BPE" else WordModel(model, where)
        super().__init__(
            ((number, name, _utf8(name, where)) for name, number in self._model.vocab.items()), added, **roles
        )
        self._build(where)
        checked_text(json.dumps(self._parts, ensure_ascii=False), str(where))  # or it could not be written
        self._written = dict(self._names)
        for token in self.added.by_id.values():
            if (
                token.normalized
            ):  # in the library these have the name by which they are found in normalized text
                self._written[token.id] = self._normalized(token.content)
                if not self._written[token.id]:
                    raise TokenizerError(
                        f"{where}: the normalizer leaves nothing of the added token {token.content!r}, which is not "
                        "supported: it would be found everywhere"
                    )

    def _build(self, where: Any) -> None:
        before, cuts, after = (
            flat(self._parts[name], name, where) for name in ("normalizer", "pre_tokenizer", "decoder")
        )
        self._normalizer, self._words = normalizer(before, where), pre_tokenizer(cuts, where)
        self._text = decoder(after, where)
        for part in before:
            if moves_the_start(part) and any(cut.get("prepend_scheme") == "first" for cut in cuts):
                raise TokenizerError(
                    f"{where}: the normalizer {part['type']} before a Metaspace with prepend_scheme='first' is not "
                    "supported"
                )

    @classmethod
    def from_tokenizer_json(cls, path: str | PathLike[str]) -> PipelineTokenizer:
        """Hugging Face's tokenizer.json, part by part. Raises TokenizerError that names what is not supported."""
        from tt_text.tokenizers.json_files import read_json
        from tt_text.tokenizers.tokenizer_json import from_document

        return from_document(read_json(path), path, quick=False)  # type: ignore[return-value]

    def save_tokenizer_json(self, path: str | PathLike[str]) -> None:
        """Write a tokenizer.json that the `tokenizers` library reads, and gives the same tokens. Raises OSError."""
        from tt_text.tokenizers.json_files import write_json
        from tt_text.tokenizers.tokenizer_json_writing import pipeline_document

        write_json(path, pipeline_document(self), indent=2)

    def __getstate__(self) -> dict[str, Any]:
        """For another process: the parts are built there anew."""
        built = ("_normalizer", "_words", "_text")
        return {name: value for name, value in self.__dict__.items() if name not in built}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._build("PipelineTokenizer")

    # --- text to tokens -----------------------------------------------------------------------------------------

    def _normalized(self, text: str) -> str:
        return text if self._normalizer is None else self._normalizer(text)

    def _ordinary(self, text: str, first: bool) -> list[int]:
        return list(chain.from_iterable(map(self._model.tokens, self._words(text, first))))

    # --- tokens to text -----------------------------------------------------------------------------------------

    def _shown(self, ids: list[int], skip: bool, marked: bool) -> str:
        if skip:
            ids = [one for one in ids if one not in self.added.special_ids]
        try:
            names = list(map(self._written.__getitem__, ids))
        except KeyError as error:
            raise self._unknown_id(error.args[0], "decode") from None
        return self._text(names, marked)

    def decode(self, tokens: Any, *, skip_special_tokens: bool = False, errors: str = "replace") -> str:
        """The text of tokens: see Tokenizer. errors="replace" marks bytes that are no UTF-8 as the library does."""
        ids = checked_tokens(tokens, "decode")
        if errors == "replace":
            return self._shown(ids, skip_special_tokens, True)
        return self._decoded(self._data(ids, skip_special_tokens), errors)

    def _data(self, ids: list[int], skip: bool) -> bytes:
        return self._shown(ids, skip, False).encode("utf-8", "surrogateescape")

    def token_bytes(self, id: int) -> bytes:
        """The bytes that a token stands for in the midst of a text; they need not be whole characters."""
        number = checked_id(id, "token_bytes")
        if number not in self._names:
            raise self._unknown_id(number, "token_bytes")
        return self._data([number, number], False)[len(self._data([number], False)) :]

    def _chunks(self, tokens: Iterable[int], before: list[int], skip: bool) -> Iterator[bytes]:
        context = [one for one in before if not (skip and one in self.added.special_ids)][-CONTEXT:]
        for token in tokens:
            number = checked_id(token, "stream")
            if skip and number in self.added.special_ids:
                continue
            known = len(self._data(context, False))
            yield self._data([*context, number], False)[known:]
            context = [*context, number][-CONTEXT:]

    # --- files --------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {**self._parts, "model": self._model.fields()}

    @classmethod
    def _from_state(cls, state: Mapping[str, Any], rest: Mapping[str, Any]) -> PipelineTokenizer:
        parts: dict[str, Any] = {
            name: state.get(name) for name in ("normalizer", "pre_tokenizer", "model", "decoder")
        }
        return cls(**parts, **rest)


def _utf8(name: str, where: Any) -> bytes:
    try:
        return name.encode("utf-8")
    except UnicodeEncodeError:
        raise TokenizerError(f"{where}: the token {name[:40]!r} has a lone surrogate") from None
