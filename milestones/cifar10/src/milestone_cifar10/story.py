"""1998 to today, told by running it: where an MLP ends, and what a convolutional network makes of the same images."""

from __future__ import annotations

import math
from dataclasses import replace

from milestone_cifar10.export import export
from milestone_cifar10.images import Images, sample
from milestone_cifar10.recipe import Recipe
from milestone_cifar10.singly import images_a_second
from milestone_cifar10.training import MLP_LR, Result, convolutional, perceptron, train
from milestone_cifar10.watching import MARKS
from milestone_kit import Session
from tt_optim.training import CheckpointStore, draw_curves
from tt_perf import accelerated, compiled_operations
from tt_vision.pictures import confusion_counts, confusion_matrix, feature_maps, worst_mistakes

__all__ = ["QUICK_STEPS", "tell"]

QUICK_STEPS = 60
QUICK_BAND = (30.0, 62.0)
"""What the network has after the first steps; more would mean that it was told the answers."""
CEILING = 60.0
"""In percent: what an MLP does not reach in so little training."""
MLP_EPOCHS = 2
LOOK = 1.5
"""Seconds for each rate of images."""


def tell(session: Session, images: Images, recipe: Recipe, resume: bool) -> None:
    """Measure, train both, note the figures with their bars, draw."""
    options = session.options
    quick = options.quick
    session.say(f"{len(images.train):,} images to learn from, {len(images.test):,} to be tested on")
    _rates(session, images, recipe)
    flat = _perceptron(session, images, recipe, QUICK_STEPS // 2 if quick else None)
    deep = _convolutional(session, images, recipe, QUICK_STEPS if quick else None, resume)

    name = "convolutional network: test images right"
    session.figure("MLP 3072-512-10: test images right", flat.accuracy, "%", at_most=CEILING)
    session.figure("MLP: parameters", flat.parameters)
    if quick:
        low, high = QUICK_BAND
        session.figure(f"{name} after {QUICK_STEPS} steps", deep.accuracy, "%", at_least=low, at_most=high)
    else:
        session.figure(name, deep.accuracy, "%", at_least=recipe.bar)
    session.figure("with the mirror image, mean of both", deep.mirrored, "%")
    session.figure("convolutional network: parameters", deep.parameters)
    for mark in MARKS:
        if mark in deep.reached:
            session.figure(f"training time to {mark:.0f} %", deep.reached[mark], "s")
    session.figure("training time", deep.seconds, "s")
    if accelerated():
        session.figure("operations on compiled kernels", len(compiled_operations()))
    _draw(session, images, deep)
    if options.export is not None:
        export(session, deep, recipe, images)


def _rates(session: Session, images: Images, recipe: Recipe) -> None:
    """One image at a time, then batches."""
    seconds = LOOK / 5 if session.options.quick else LOOK
    single = images_a_second(images, recipe, 1, seconds)
    batch = images_a_second(images, recipe, recipe.batch, seconds)
    session.figure("images a second, one at a time", single)
    session.figure(f"images a second, {recipe.batch} at a time", batch)
    session.figure("batches are faster by a factor of", batch / single)


def _perceptron(session: Session, images: Images, recipe: Recipe, steps: int | None) -> Result:
    plan = replace(recipe, epochs=min(MLP_EPOCHS, recipe.epochs), lr=MLP_LR if recipe.lr else 0.0, looks=1)
    total = steps or plan.epochs * (len(images.train) // plan.batch)
    with session.progress(total, "MLP 3072-512-10") as bar:
        return train(perceptron(session.options.seed), images, plan, session.options.seed, bar, steps)


def _convolutional(
    session: Session, images: Images, recipe: Recipe, steps: int | None, resume: bool
) -> Result:
    seed = session.options.seed
    folder = session.options.out / "checkpoints"
    if not resume:
        CheckpointStore(folder).clear()
    total = steps or recipe.epochs * (len(images.train) // recipe.batch)
    with session.progress(total, "convolutional network") as bar:
        result = train(convolutional(recipe, images, seed), images, recipe, seed, bar, steps, folder, resume)
    if result.diverged:
        session.say(f"it stopped: {result.diverged}")
    return result


def _draw(session: Session, images: Images, result: Result) -> None:
    if math.isnan(result.accuracy):
        return
    test, seed = images.test, session.options.seed
    title = f"CIFAR-10, seed {seed}: {result.accuracy:.1f} % of the test images right"
    session.picture("curves.png", draw_curves(result.history, ["loss", "accuracy"], title))
    counts = confusion_counts(test.targets, result.logits.argmax(axis=1), len(test.classes))
    session.picture("confusion.png", confusion_matrix(counts, test.classes, title=title))
    shown = test.data.transpose(0, 2, 3, 1)
    session.picture(
        "mistakes.png",
        worst_mistakes(shown.transpose(0, 3, 1, 2), test.targets, result.logits, test.classes, 32),
    )
    session.picture("features.png", feature_maps(result.model, sample(images.test, 1, seed)[0], "relu1"))
