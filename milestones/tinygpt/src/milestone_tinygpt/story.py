"""2017 to 2020, told by running it: a transformer that is asked for nothing but the next character learns to write.

Sources: A. Vaswani et al., Attention is all you need, NeurIPS 2017. A. Radford et al., Language models are
unsupervised multitask learners, 2019. T. Brown et al., Language models are few-shot learners, NeurIPS 2020.
The recipe and its figure: A. Karpathy, nanoGPT, 2022.
"""

from __future__ import annotations

import math
from dataclasses import replace

from milestone_kit import Session, UsageError
from milestone_kit.writing import write_together
from milestone_tinygpt.album import draw
from milestone_tinygpt.corpus import CHARACTERS, Corpus, shakespeare
from milestone_tinygpt.networks import network, parameters
from milestone_tinygpt.recipes import RECIPES, Recipe, bits
from milestone_tinygpt.training import Result, train
from milestone_tinygpt.writing import Sampling, above, speed_of
from tt_perf import accelerated, compiled_operations
from tt_text.errors import TokenizerError

__all__ = ["MOST_PARAMETERS", "PUBLISHED", "planned", "tell"]

PUBLISHED = 1.88
"""nanoGPT's validation loss after this recipe, as its author has it."""

MOST_PARAMETERS = 850_000
"""Of a network of characters."""

SHORT = 63
"""Tokens of a sample on the way: all from the cache."""


def tell(session: Session) -> None:
    """Cut the text into tokens, train, read the whole validation split, write, draw."""
    options = session.options
    corpus = shakespeare(options.tokenizer, options.vocab_size)
    recipe = planned(session)
    _refuse_prompt(options.prompt, corpus)
    _introduce(session, corpus, recipe)
    result = _trained(session, corpus, recipe)
    if result.diverged:
        session.say(f"it stopped: {result.diverged}")
    else:
        _write(session, corpus, result)
    _note(session, corpus, result)
    draw(session, corpus, result, PUBLISHED if options.tokenizer == "char" else _per_token(PUBLISHED, corpus))


def planned(session: Session) -> Recipe:
    """The recipe that the options ask for."""
    options = session.options
    recipe = RECIPES[options.recipe]
    steps = options.steps or (recipe.quick_steps if options.quick else recipe.steps)
    if steps != recipe.steps:
        recipe = recipe.shortened(steps)
    if options.lr is not None:
        share = options.lr / recipe.lr
        recipe = replace(recipe, lr=options.lr, muon_lr=recipe.muon_lr * share)
    return recipe


def _per_token(per_character: float, corpus: Corpus) -> float:
    return per_character * corpus.characters_per_token


def _refuse_prompt(prompt: str, corpus: Corpus) -> None:
    try:
        tokens = corpus.tokenizer.encode(prompt)
    except TokenizerError as error:
        raise UsageError(f"argument --prompt: {error}") from error
    if not tokens:
        raise UsageError("argument --prompt: must have at least one character, for the model to go on from")


def _introduce(session: Session, corpus: Corpus, recipe: Recipe) -> None:
    session.say(
        f"tiny Shakespeare: {len(corpus.train):,} tokens to learn from, {len(corpus.val):,} to judge by, "
        f"{corpus.vocab_size} different ones, {corpus.characters_per_token:.2f} characters each"
    )
    model = network(recipe, corpus.vocab_size, session.options.seed)
    session.say(
        f"recipe {recipe.name}: {parameters(model):,} parameters, {recipe.steps:,} steps of {recipe.batch} blocks of "
        f"{recipe.block} tokens; who guesses evenly has a loss of {math.log(corpus.vocab_size):.2f}"
    )
    if session.options.tokenizer == "bpe":
        more = (corpus.vocab_size - CHARACTERS) * recipe.width
        session.say(
            f"the table of {corpus.vocab_size} tokens has {more:,} numbers more than one of {CHARACTERS} characters; "
            "losses per token do not compare, bits per character do"
        )


def _trained(session: Session, corpus: Corpus, recipe: Recipe) -> Result:
    options = session.options
    folder = options.out / "checkpoints" / f"{recipe.name}-{options.tokenizer}-seed-{options.seed}"
    sampling = Sampling.of(options)
    short = min(SHORT, options.max_new_tokens)
    with session.progress(recipe.steps, recipe.name) as bar:
        return train(
            recipe,
            corpus,
            options.seed,
            folder,
            bar,
            above(session),
            lambda model: sampling.text(model, corpus.tokenizer, options.prompt, short),
            _per_token(PUBLISHED, corpus),
            options.resume,
        )


def _write(session: Session, corpus: Corpus, result: Result) -> None:
    options = session.options
    text = Sampling.of(options).text(result.model, corpus.tokenizer, options.prompt, options.max_new_tokens)
    say = above(session)
    say("it has learned to write:")
    for line in text.splitlines():
        say(f"  │ {line}")
    path = options.out / "sample.txt"
    write_together({path: (text + "\n").encode()})
    session.say(f"wrote {path}")


def _note(session: Session, corpus: Corpus, result: Result) -> None:
    """The figures: one bar on the loss of characters, or on bits per character, which all tokenizers share."""
    recipe, options = result.recipe, session.options
    least, most = recipe.quick_band if options.quick else (None, recipe.bar)
    of_characters = options.tokenizer == "char"
    session.figure(
        "validation loss, whole split",
        result.loss,
        "nats per token",
        at_least=least if of_characters else None,
        at_most=most if of_characters else None,
    )
    session.figure(
        "bits per character",
        bits(result.loss / corpus.characters_per_token),
        "bits",
        at_most=None if of_characters else bits(most),
    )
    session.figure(
        "parameters",
        parameters(result.model),
        at_most=MOST_PARAMETERS if of_characters else None,
    )
    if result.diverged:
        return
    session.figure("validation loss, estimated", result.estimate, "nats per token")
    losses = result.history["loss"]
    session.figure("training loss, since the estimate before", losses[-1], "nats per token")
    session.figure("training time", result.seconds, "s")
    if math.isfinite(result.tokens_per_second):
        session.figure("learns", result.tokens_per_second, "tokens/s")
    if result.reached_step:
        name = f"time to {PUBLISHED}" + ("" if of_characters else " nats per character")
        session.figure(name, result.reached_seconds, "s")
    session.figure("writes, one by one", speed_of(result.model), "tokens/s")
    if accelerated():
        session.figure("operations on compiled kernels", len(compiled_operations()))
