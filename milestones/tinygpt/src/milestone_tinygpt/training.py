"""The training code, one for all recipes. It can be stopped anywhere and goes on there, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milestone_kit import Progress
from milestone_kit.training import Live, resumable
from milestone_tinygpt.corpus import Corpus, batches, estimate, whole
from milestone_tinygpt.networks import SHARDS, network, optimizer
from milestone_tinygpt.recipes import Recipe
from milestone_tinygpt.watching import Reached, Samples, Speed
from tt_data import LoaderStateError
from tt_nn import CrossEntropyLoss, shards
from tt_optim import LambdaLR
from tt_optim.training import CheckpointStore, Every, History, NonFiniteError, Trainer
from tt_tensor import concatenate
from tt_text import LanguageModel

__all__ = ["COMPILED", "Result", "forward", "train", "trainer_of"]

LOG_EVERY = 10

COMPILED = (
    "matrix_product", "attention", "layer_norm", "rms_norm", "gelu", "silu", "cross_entropy", "add_rows", "add_up",
    "sum_of_squares", "adam",
)  # fmt: skip
"""Operations of a training that have compiled kernels."""


@dataclass
class Result:
    """What one training reached."""

    recipe: Recipe
    model: LanguageModel
    history: History
    loss: float = math.nan
    """On the whole validation split, in nats per token; NaN where it diverged."""
    estimate: float = math.nan
    """The last estimate of it."""
    seconds: float = math.nan
    """Of the training, with estimates and samples, without looks at the whole split."""
    tokens_per_second: float = math.nan
    """Of the steps alone."""
    reached_step: int = 0
    """The first evaluation at which the loss on the whole split was the bar's; 0: none."""
    reached_seconds: float = math.nan
    diverged: str = ""
    """Why the training came to no end, if it did not."""


def forward(model: Any, batch: Any) -> tuple[Any, Any]:
    """Logits (N · T, V) and the tokens that come next (N · T,).

    The Trainer cuts batches of the training; those that are only judged are cut here, a thread for each part.
    """
    tokens, targets = batch
    logits = model(tokens) if model.training else _side_by_side(model, tokens)
    return logits.reshape(-1, model.vocab_size), targets.reshape(-1)


def _side_by_side(model: Any, tokens: Any) -> Any:
    middle = len(tokens) // SHARDS
    done: list[Any] = [None] * SHARDS

    def body(start: int, stop: int, part: int) -> None:
        done[part] = model(tokens[start:stop])

    shards.run_parts(body, [(0, middle), (middle, len(tokens))] if middle else [(0, len(tokens))])
    return concatenate([part for part in done if part is not None])


def trainer_of(recipe: Recipe, model: LanguageModel, **how: Any) -> Trainer:
    """The recipe's optimizer and schedule on the cross entropy; the milestone has a display of its own."""
    moving = optimizer(recipe, model)
    return Trainer(
        model,
        CrossEntropyLoss(),
        moving,
        scheduler=LambdaLR(moving, recipe.height),
        forward=forward,
        shards=SHARDS,
        clip_norm=recipe.clip,
        ema=recipe.ema,
        keep_best=False,
        progress=False,
        **how,
    )


def train(
    recipe: Recipe,
    corpus: Corpus,
    seed: int,
    folder: Path,
    bar: Progress,
    say: Callable[[str], None],
    write: Callable[[LanguageModel], str],
    reach: float,
    resume: bool = False,
) -> Result:
    """Train all steps, then read the whole validation split once; the weights are the last ones.

    A checkpoint every minute and on Ctrl-C goes into `folder`; with `resume` it goes on from the newest. Without it,
    what an earlier run left there is removed.

    Args:
        say: prints a line.
        write: what the model writes, for a look at it after each evaluation.
        reach: the loss on the whole split at which the clock is read.

    Raises UsageError where the checkpoints are of another run or none can be read, Interrupted on Ctrl-C.
    """
    store = CheckpointStore(folder, keep_last=2, keep_best=False)
    if not resume:
        store.clear()
    model = network(recipe, corpus.vocab_size, seed)
    all_of_it = whole(corpus.val, recipe.judged_in)

    def with_average() -> Any:
        return nullcontext() if trainer.ema is None else trainer.ema.swapped()

    def text() -> str:
        with with_average():
            return write(model)

    reached = Reached(reach, lambda: float(trainer.evaluate(all_of_it)["loss"]))
    speed = Speed()
    trainer = trainer_of(
        recipe,
        model,
        checkpoints=store,
        checkpoint_every=Every(seconds=60),
        callbacks=[Live(bar, "validation", "val_loss", "~{:.3f}"), reached, Samples(say, text), speed],
        log_every=LOG_EVERY,
        seed=seed,
    )
    try:
        with resumable(trainer, folder, LoaderStateError):
            trainer.fit(
                batches(corpus, recipe, seed),
                estimate(corpus.val, recipe.judged_in),
                steps=recipe.steps,
                resume=resume,
            )
    except NonFiniteError as error:
        return Result(recipe, model, trainer.history, diverged=str(error))
    seconds = trainer.seconds - reached.looked
    at, loss = reached.last
    if at != trainer.step:
        loss = reached.measure()
    if trainer.ema is not None:
        trainer.ema.copy_to_model()
    model.eval()
    per_second = speed.steps * recipe.batch * recipe.block / speed.seconds if speed.steps else math.nan
    return Result(
        recipe,
        model,
        trainer.history,
        loss,
        float(trainer.results["val_loss"]),
        seconds,
        per_second,
        reached.step,
        reached.seconds,
    )
