"""Generation as a stream: each token, or piece of text, as soon as it is certain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tt_tensor.errors import ArgumentError
from tt_text.generation.arguments import count
from tt_text.generation.quiet import Quiet
from tt_text.generation.run import Run

__all__ = ["stream"]


def stream(
    model: Any,
    prompt: Any,
    max_new_tokens: int | None = 100,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
    frequency_penalty: float = 0.0,
    presence_penalty: float = 0.0,
    no_repeat_ngram_size: int = 0,
    min_new_tokens: int = 0,
    do_sample: bool | None = None,
    stop: Any = None,
    eos_token_id: Any = None,
    seed: Any = None,
    generator: Any = None,
    tokenizer: Any = None,
    cache: Any = True,
    assistant_model: Any = None,
    num_assistant_tokens: int | None = None,
    prompt_lookup_num_tokens: int | None = None,
) -> Iterator[Any]:
    """What `generate` would add to the prompt, as it comes: pieces of text for a text, tokens for tokens.

    A character is given when its last byte is there, and what may be the beginning of a stop is held back until it is
    none. Between two pieces the model is the caller's: its training mode is as it was, and operations are recorded. The
    stream may be left at any time.

    Args:
        model: see `generate`, also for all that is not said here.
        prompt: one text, or one list or array of tokens.
        max_new_tokens: the most tokens to generate; None goes on for as long as someone listens.

    Returns an iterator. Raises as `generate` does, at once, and ArgumentError for several prompts.
    """
    most = None if max_new_tokens is None else count("stream", "max_new_tokens", max_new_tokens)
    run = Run(
        "stream",
        model,
        prompt,
        stop=stop,
        eos_token_id=eos_token_id,
        seed=seed,
        generator=generator,
        tokenizer=tokenizer,
        cache=cache,
        most=most,
        no_repeat_ngram_size=no_repeat_ngram_size,
        min_new_tokens=min_new_tokens,
        assistant_model=assistant_model,
        num_assistant_tokens=num_assistant_tokens,
        prompt_lookup_num_tokens=prompt_lookup_num_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        frequency_penalty=frequency_penalty,
        presence_penalty=presence_penalty,
        do_sample=do_sample,
    )
    if not run.prompts.single:
        raise ArgumentError(
            f"stream: one prompt, not {len(run.rows)}; open a stream for each, or use generate for a batch"
        )
    return _pieces(run, Quiet(model, assistant_model), most)


def _pieces(run: Run, quiet: Quiet, most: int | None) -> Iterator[Any]:
    (row,) = run.rows
    made = 0
    while run.active and (most is None or made < most):
        with quiet:
            run.step()
        made += 1
        if row.pieces:
            pieces, row.pieces = row.pieces, []
            yield from pieces
    run.finish()
    yield from row.pieces
