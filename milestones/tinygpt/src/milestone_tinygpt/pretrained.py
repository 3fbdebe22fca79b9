"""Models that others trained: a folder as Hugging Face has it, or a file of llama2.c, writing to the terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from milestone_kit import Session, UsageError
from milestone_tinygpt.album import maps
from milestone_tinygpt.networks import parameters
from milestone_tinygpt.writing import Sampling, shown
from tt_tensor.errors import TTError
from tt_text import GPT, LanguageModel, Llama, Llama2cTokenizer, Tokenizer, load_tokenizer, stream
from tt_text.errors import TokenizerError
from tt_text.models.config_file import ConfigFile
from tt_text.models.llama_files import KINDS as LLAMAS

__all__ = ["Pretrained", "load", "run"]

GPTS = {"gpt2": "GPT2LMHeadModel"}

LOOKED_AT = 16
"""Tokens of the prompt whose attention is drawn."""


@dataclass(frozen=True)
class Pretrained:
    """A model, what cuts text into its tokens, and the tokens that end a text."""

    model: LanguageModel
    tokenizer: Tokenizer
    ends: tuple[int, ...]


def load(place: Path, tokenizer_file: Path | None = None) -> Pretrained:
    """The model in a folder with config.json, or in a file of llama2.c's, and its tokenizer, which lies beside it.

    Args:
        place: the folder or the file.
        tokenizer_file: the tokenizer, where it lies elsewhere.

    Raises UsageError where a file is missing, damaged, or of a kind that is not known.
    """
    try:
        model = _of_folder(place) if place.is_dir() else Llama.from_llama2c(place)
    except (TTError, OSError) as error:
        raise UsageError(f"argument --pretrained: {error}") from error
    try:
        tokenizer = load_tokenizer(tokenizer_file or _beside(place, model.vocab_size))
    except (TTError, OSError) as error:
        raise UsageError(
            f"argument {'--pretrained' if tokenizer_file is None else '--tokenizer-file'}: {error}"
        ) from error
    if tokenizer.vocab_size > model.vocab_size:
        raise UsageError(
            f"argument --tokenizer-file: the tokenizer has {tokenizer.vocab_size:,} tokens, but the model in {place} "
            f"knows {model.vocab_size:,}; give the one that it was trained with"
        )
    model.eval()
    ends = {tokenizer.eos_id}
    if isinstance(tokenizer, Llama2cTokenizer):
        ends.add(tokenizer.bos_id)  # with which the next story begins
    return Pretrained(model, tokenizer, tuple(sorted(token for token in ends if token is not None)))


def _of_folder(folder: Path) -> LanguageModel:
    kind = ConfigFile(folder).kind(GPTS | LLAMAS)
    return GPT.from_pretrained(folder) if kind in GPTS else Llama.from_pretrained(folder)


def _beside(place: Path, vocab_size: int) -> Path:
    """The tokenizer of a model: in its folder, or beside its file as llama2.c names it."""
    if place.is_dir():
        return place
    names = [f"tok{vocab_size}.bin", "tokenizer.bin"]
    found = next((place.with_name(name) for name in names if place.with_name(name).is_file()), None)
    if found is None:
        raise UsageError(
            f"argument --pretrained: there is no tokenizer beside {place}, neither {' nor '.join(names)}; name it with "
            "--tokenizer-file"
        )
    return found


def run(session: Session) -> None:
    """Load it, write what comes after the prompt as it comes, and note how fast."""
    options = session.options
    started = time.perf_counter()
    found = load(options.pretrained, options.tokenizer_file)
    name = type(found.model).__name__
    session.say(
        f"{name} with {parameters(found.model):,} parameters and {found.model.vocab_size:,} tokens, loaded in "
        f"{time.perf_counter() - started:.2f} s from {options.pretrained}"
    )
    prompt = found.tokenizer.encode(options.prompt)
    if not prompt:
        raise UsageError("argument --prompt: must have at least one character, for the model to go on from")
    count, seconds, first = _stream(session, found, prompt)
    session.figure("parameters", parameters(found.model))
    session.figure("tokens read", len(prompt))
    session.figure("tokens written", count, at_least=1)
    if count > 1:
        session.figure("time to the first token", first, "s")
        session.figure("writes", (count - 1) / (seconds - first), "tokens/s")
    if len(prompt) > 1:
        session.picture("attention.png", maps(found.model, found.tokenizer, prompt[:LOOKED_AT]))


def _stream(session: Session, found: Pretrained, prompt: list[int]) -> tuple[int, float, float]:
    """Tokens written, seconds in all, and seconds to the first."""
    options, screen = session.options, session.screen
    times: list[float] = []
    started = time.perf_counter()

    def tokens() -> Iterator[int]:
        for token in stream(
            found.model,
            prompt,
            options.max_new_tokens,
            eos_token_id=found.ends,
            **Sampling.of(options).arguments,
        ):
            times.append(time.perf_counter() - started)
            if _has_text(found.tokenizer, token):
                yield token

    def put(text: str) -> None:
        if not screen.quiet:
            screen.stream.write(shown(text, screen.stream))
            screen.stream.flush()

    put(options.prompt)
    try:
        for piece in found.tokenizer.stream(tokens(), after=prompt):
            put(piece)
    finally:
        put("\n")
    return (len(times), times[-1], times[0]) if times else (0, 0.0, 0.0)


def _has_text(tokenizer: Tokenizer, token: int) -> bool:
    """False for a row of the model's table that was added to fill it up: no token of the tokenizer has its number."""
    try:
        tokenizer.token_bytes(token)
    except TokenizerError:
        return False
    return True
