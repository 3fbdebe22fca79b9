"""Generation: a model goes on from a prompt, token by token.

tokens[t] ~ softmax(filtered logits(tokens[:t]) / temperature)        at temperature 0: argmax logits
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError
from tt_text.generation.arguments import count, token_set
from tt_text.generation.quiet import Quiet
from tt_text.generation.run import Run

__all__ = ["generate"]


def generate(
    model: Any,
    prompt: Any,
    max_new_tokens: int = 100,
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
    pad_token_id: int | None = None,
    with_prompt: bool = True,
) -> Any:
    """The prompt and what the model says next.

    Args:
        model: a LanguageModel. It predicts in evaluation, and is afterwards as it was; nothing is recorded.
        prompt: text (with a tokenizer) or tokens, one or many. Of many, a row is what it would be alone.
        max_new_tokens: the most tokens to generate.
        temperature: below 1 likely tokens become likelier; 0 takes the likeliest, always.
        top_k: draw from the k likeliest only.
        top_p: draw from the likeliest that sum to this probability; the one that crosses it belongs to them.
        min_p: draw from those at least so likely, in parts of the likeliest.
        repetition_penalty: logits of tokens in the text (prompt included), if positive, are divided by this, else
            multiplied.
        frequency_penalty, presence_penalty: taken off a token's logit for each time that it was generated, and
            if it ever was.
        no_repeat_ngram_size: so many tokens in a row come only once in a text, prompt included; 0: as often as they do.
        min_new_tokens: before so many tokens no end token is drawn.
        do_sample: False takes the likeliest, whatever the temperature.
        stop: where a text ends: a string, a list of tokens, or a list of such. A stop is no part of what comes back,
            nor is, where tokens come back, the token in which a string begins.
        eos_token_id: a token that ends a text, or several; it is part of the tokens. By default the tokenizer's; () for
            none.
        seed: the same seed gives the same tokens. Each row has a stream of random numbers of its own, so others in the
            batch change nothing; a list has one seed for each row.
        generator: draws instead, a tt_tensor.Generator; by default the one that `manual_seed` seeds.
        tokenizer: turns text into tokens and back; has `encode` and `decode_bytes` as tt_text.tokenizers.Tokenizer.
        cache: True for the model's own, False for none (then each token costs a forward over all of the text), or an
            empty one. Where a text is longer than the model's context, the model reads its last tokens only, and no
            cache is of use any more.
        assistant_model: a quicker model with the same tokens, which proposes some at a time; this one reads all of
            them in one forward and corrects the first that it would not say (see tt_text.generation.assisted). Greedily
            the tokens are those without it, ties within rounding apart; else they have the same distribution, though
            not those of the same seed. It pays where a forward over a few tokens takes little longer than over one,
            which is so for a large model, and the assistant takes a fraction of that: `tt_perf.quantize` makes one of
            the model itself. A model of few layers and channels is quicker alone. For one text at a time, with a cache.
            Instead of a model, anything with the method of tt_text.generation.Draft.
        num_assistant_tokens: how many it proposes at a time, 5 by default.
        prompt_lookup_num_tokens: without a second model: so many tokens that followed when the last few stood in the
            text before. It pays where a text repeats what it has, as in a summary or a program.
        pad_token_id: what fills up rows of an array that ended earlier; by default the tokenizer's, else eos_token_id.
        with_prompt: whether the prompt is part of what comes back.

    Returns what the prompt is: a str for a str, a list of tokens for a list, a list of either for many, and for an
    array (T,) or (N, T) of tokens an int64 array of as many axes, the rows filled up at the right.

    Raises ArgumentError for a prompt of no tokens and for values out of range, DTypeError for arguments of another
    kind, IndexingError for tokens that the model does not have.
    """
    most = count("generate", "max_new_tokens", max_new_tokens)
    run = Run(
        "generate",
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
    padding = _padding(run, pad_token_id, tokenizer, model.vocab_size)
    step = run.step
    with Quiet(model, assistant_model):
        for _ in range(most):
            if not run.active:
                break
            step()
    run.finish()
    return _as_given(run, padding, with_prompt)


def _padding(run: Run, pad_token_id: Any, tokenizer: Any, vocab_size: int) -> int:
    """What fills up rows that ended."""
    if pad_token_id is not None:
        found = token_set("generate", "pad_token_id", pad_token_id, vocab_size)
        if len(found) != 1:
            raise ArgumentError(f"generate: pad_token_id is one token, not {pad_token_id!r}")
        return found[0]
    for one in (getattr(tokenizer, "pad_id", None), *run.eos):
        if one is not None:
            return int(one)
    if run.prompts.array and len(run.rows) > 1 and run.stops:
        raise ArgumentError(
            "generate: rows may end at their stop before others do, and an array has rows of one length; "
            "pass pad_token_id=..., or the prompts as lists"
        )
    return 0


def _as_given(run: Run, padding: int, with_prompt: bool) -> Any:
    """What was generated, in the form in which the prompts came."""
    prompts = run.prompts
    if prompts.text:
        texts = ["".join(row.pieces) for row in run.rows]
        if with_prompt:
            texts = [before + text for before, text in zip(prompts.texts, texts, strict=True)]
        return texts[0] if prompts.single else texts
    rows = [row.pieces for row in run.rows]
    if with_prompt:
        rows = [before + new for before, new in zip(prompts.rows, rows, strict=True)]
    if prompts.array:
        width = max(map(len, rows), default=0)
        array = np.full((len(rows), width), padding, np.int64)
        for line, row in zip(array, rows, strict=True):
            line[: len(row)] = row
        return array[0] if prompts.single else array
    return rows[0] if prompts.single else rows
