"""1958, told by running it: the same unit, the same images, two rules, and what each of them learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from milestone_kit import Progress, Session
from milestone_kit.digits import Split, folds, load_digits
from milestone_kit.pictures import digit_grid, weights_image
from milestone_perceptron.unit import Unit, Watch, by_gradient, by_rosenblatt
from tt_tensor import Tensor, manual_seed, tensor

__all__ = ["tell"]

FOLDS = 5
BAR = 98.0
SHOWN = 24
DARKEST = 16.0
ROSENBLATT, GRADIENT = "Rosenblatt's rule", "gradient descent"


Train = Callable[[Tensor, Tensor, Watch], Unit]


@dataclass
class Result:
    """What one rule reached, fold by fold: the unit, its mistakes on the way, its held-out answers."""

    units: list[Unit] = field(default_factory=list)
    mistakes: list[list[int]] = field(default_factory=list)
    right: list[np.ndarray] = field(default_factory=list)

    @property
    def accuracy(self) -> float:
        """The share of the held-out images that were answered rightly, in percent."""
        return float(np.concatenate(self.right).mean()) * 100


def tell(session: Session, classes: tuple[int, int], epochs: int, steps: int, lr: float) -> None:
    """Train by both rules, note the accuracy on held-out images, draw what was learned.

    The images are dealt into five folds. Each fold is held out once, so that the accuracy rests on every
    image, each seen only by a unit that did not learn from it.
    """
    images, labels = load_digits()
    chosen = np.isin(labels, classes)
    splits = folds(images[chosen], labels[chosen], FOLDS, session.options.seed)
    count = int(np.count_nonzero(chosen))
    session.say(f"{count} images of {classes[0]} and {classes[1]}, each held out once in {FOLDS} folds")
    generator = np.random.default_rng(session.options.seed)
    manual_seed(session.options.seed)

    def rosenblatt(images: Tensor, targets: Tensor, watch: Watch) -> Unit:
        return by_rosenblatt(images, targets, epochs, generator, watch)

    def gradient(images: Tensor, targets: Tensor, watch: Watch) -> Unit:
        return by_gradient(images, targets, steps, lr, watch)

    results = {
        name: _over_folds(session, name, splits, classes[1], train)
        for name, train in ((ROSENBLATT, rosenblatt), (GRADIENT, gradient))
    }
    for name, result in results.items():
        session.figure(f"{name}: held out, right", result.accuracy, "%", at_least=BAR)
    session.figure("held-out images", count)
    passes = [len(mistakes) for mistakes in results[ROSENBLATT].mistakes]
    session.figure(f"{ROSENBLATT}: passes over the images", max(passes))
    _draw(session, splits[0], classes, results)


def _over_folds(session: Session, name: str, splits: list[Split], fire: int, train: Train) -> Result:
    """Train a unit for each fold with the images that are not in it, and ask it about those that are."""
    result = Result()
    with session.progress(len(splits), f"{name:17}", unit="folds") as bar:
        for index, part in enumerate(splits):
            mistakes: list[int] = []
            images, targets = _tensors(part.train_images, part.train_labels, fire)
            unit = train(images, targets, _telling(bar, index, mistakes))
            images, targets = _tensors(part.test_images, part.test_labels, fire)
            result.units.append(unit)
            result.mistakes.append(mistakes)
            result.right.append(unit.fires(images) == (targets.numpy() > 0.5))
            bar.update(index + 1, held_out=f"{result.accuracy:.2f} %")
    return result


def _telling(bar: Progress, folds_done: int, mistakes: list[int]) -> Watch:
    def watch(done: int, count: int) -> None:
        mistakes.append(count)
        bar.update(folds_done, passes=done, mistakes=count)

    return watch


def _tensors(images: np.ndarray, labels: np.ndarray, fire: int) -> tuple[Tensor, Tensor]:
    """Images (N, 8, 8) as float32 (N, 64) between 0 and 1; 1 for those the unit has to fire for, else 0."""
    flat = (images.reshape(len(images), -1) / DARKEST).astype(np.float32)
    return tensor(flat), tensor((labels == fire).astype(np.float32))


def _draw(session: Session, part: Split, classes: tuple[int, int], results: dict[str, Result]) -> None:
    """The weights and the answers, both of the first fold."""
    weights = {name: result.units[0].weight.numpy().reshape(8, 8) for name, result in results.items()}
    low, high = (f"speaks for {digit}" for digit in classes)
    title = f"What the unit looks for: {classes[0]} or {classes[1]}"
    session.picture("weights.png", weights_image(weights, title, low, high))

    right = results[ROSENBLATT].right[0]
    order = np.argsort(right, kind="stable")[:SHOWN]  # the mistakes first, so that they are shown
    labels, wrong = part.test_labels[order], ~right[order]
    answers = np.where(wrong, sum(classes) - labels, labels)
    title = f"Held-out images and the answers by {ROSENBLATT}"
    picture = digit_grid(part.test_images[order], answers.tolist(), title, wrong=wrong.tolist())
    session.picture("held-out.png", picture)
