"""Training with the Trainer: the same code for the MLP and for the convolutional network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from milestone_cifar10.images import Images, plain, sample, training_loader
from milestone_cifar10.recipe import Recipe
from milestone_cifar10.watching import Clock
from milestone_kit import Progress
from milestone_kit.training import Live, resumable
from tt_nn import CrossEntropyLoss, Module
from tt_optim import SGD
from tt_optim.lr_scheduler import LambdaLR
from tt_optim.training import Accuracy, CheckpointStore, Every, History, NonFiniteError, Trainer
from tt_tensor import manual_seed
from tt_vision.models import CifarCNN, mlp

__all__ = ["Result", "convolutional", "perceptron", "train"]

WHITENED_BY = 5000
HIDDEN = (512,)
MLP_LR = 0.02


@dataclass
class Result:
    """What one network reached."""

    model: Module
    logits: npt.NDArray[np.float32]
    """Of the test images."""
    history: History
    seconds: float = math.nan
    """Spent on training, the looks at the test images not counted."""
    reached: dict[float, float] = field(default_factory=dict)
    """Accuracy in percent → after how many seconds of training a look found it."""
    accuracy: float = math.nan
    """Share of the test images that it gets right, in percent."""
    mirrored: float = math.nan
    """The same for the mean of the probabilities for each image and its mirror image."""
    diverged: str = ""

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return sum(parameter.size for parameter in self.model.parameters())


def convolutional(recipe: Recipe, images: Images, seed: int) -> Module:
    """The recipe's network, its first layer set to whiten patches of the training images."""
    manual_seed(seed)
    return CifarCNN(10, recipe.stem, recipe.blocks).whiten(sample(images.train, WHITENED_BY, seed))


def perceptron(seed: int) -> Module:
    """3072-512-10: what came before convolutions."""
    manual_seed(seed)
    return mlp(3 * 32 * 32, HIDDEN, 10)


def train(
    model: Module,
    images: Images,
    recipe: Recipe,
    seed: int,
    bar: Progress,
    steps: int | None = None,
    folder: Path | None = None,
    resume: bool = False,
) -> Result:
    """SGD with Nesterov momentum over the recipe's schedule, or its first `steps`, to the end: nothing is chosen by
    the test images, which are looked at only to tell when an accuracy was reached.

    With a `folder`, checkpoints go there, on Ctrl-C too; with `resume` it goes on from the newest.

    Raises UsageError where the checkpoints are of another run or none can be read, Interrupted on Ctrl-C.
    """
    loader = training_loader(images.train, recipe, seed)
    total = recipe.epochs * len(loader)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = SGD(
        learned, lr=recipe.lr, momentum=recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay
    )
    clock = Clock()
    trainer = Trainer(
        model,
        CrossEntropyLoss(label_smoothing=recipe.label_smoothing),
        optimizer,
        scheduler=LambdaLR(optimizer, lambda step: recipe.rate(step, total)),
        metrics=[Accuracy()],
        keep_best=False,
        checkpoints=None if folder is None else CheckpointStore(folder, keep_last=2),
        checkpoint_every=Every(epochs=1),
        callbacks=[clock, Live(bar, "test")],
        progress=False,  # the milestone has a display of its own
        seed=seed,
    )
    looks = Every(steps=max(1, len(loader) // recipe.looks), epochs=1)
    try:
        with resumable(trainer, folder):
            trainer.fit(
                loader,
                plain(images.test),
                epochs=recipe.epochs,
                steps=steps,
                evaluate_every=looks,
                resume=resume,
            )
    except NonFiniteError as error:
        nothing = np.zeros((len(images.test), 10), np.float32)
        return Result(model, nothing, trainer.history, diverged=str(error))
    logits = np.asarray(trainer.predict(plain(images.test)))
    flipped = np.asarray(trainer.predict(_mirrored(images)))
    targets = images.test.targets
    both = _probabilities(logits) + _probabilities(flipped)
    return Result(
        model,
        logits,
        trainer.history,
        clock.seconds,
        clock.reached,
        _percent(logits, targets),
        _percent(both, targets),
    )


def _mirrored(images: Images) -> Any:
    """The test images turned left to right, as batches of inputs."""
    return (batch[..., ::-1] for batch, _ in plain(images.test))


def _percent(scores: npt.NDArray[Any], targets: npt.NDArray[np.int64]) -> float:
    return float((scores.argmax(axis=1) == targets).mean()) * 100


def _probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    powers = np.exp(logits.astype(float) - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
