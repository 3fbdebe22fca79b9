"""Training with the Trainer: the linear model in one go, the network with checkpoints, so that it can go on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milestone_kit import Progress
from milestone_kit.training import Live, resumable
from milestone_spirals.batches import Shuffled, whole
from milestone_spirals.networks import linear, network, probabilities
from milestone_spirals.plane import Frame
from milestone_spirals.spirals import Points, Problem
from milestone_spirals.watching import Film
from tt_nn import CrossEntropyLoss, Module
from tt_optim import AdamW
from tt_optim.lr_scheduler import OneCycleLR
from tt_optim.training import Accuracy, CheckpointStore, Every, History, NonFiniteError, Trainer

__all__ = ["Plan", "Result", "train_linear", "train_network"]

WEIGHT_DECAY, CLIP_NORM = 0.01, 1.0
LINEAR_LR, LINEAR_EPOCHS = 0.05, 10


@dataclass(frozen=True)
class Plan:
    """How to train: the learning rate rises to `lr` and falls to nothing over all epochs (OneCycleLR)."""

    epochs: int
    lr: float
    batch: int = 50

    def steps(self, problem: Problem) -> int:
        """Steps of the optimizer in all."""
        return self.epochs * -(-len(problem.train) // self.batch)


@dataclass
class Result:
    """What one network reached."""

    model: Module
    right: npt.NDArray[np.bool_]
    """Which of the held-out points it gets right, with its best weights."""
    history: History
    best_step: int = 0
    seconds: float = math.nan
    frames: list[Frame] = field(default_factory=list)
    diverged: str = ""
    """Why the training came to no end, if it did not."""

    @property
    def accuracy(self) -> float:
        """The share of held-out points that it gets right, in percent; NaN where it diverged."""
        return math.nan if self.diverged else float(self.right.mean()) * 100


def train_linear(problem: Problem, seed: int) -> Result:
    """The linear model, to where its loss no longer falls (the loss is convex: there is one such place)."""
    model = linear(seed)
    optimizer = AdamW(model.parameters(), lr=LINEAR_LR, weight_decay=0.0)
    trainer = Trainer(model, CrossEntropyLoss(), optimizer, metrics=[Accuracy()], progress=False, seed=seed)
    with resumable(trainer, None):
        history = trainer.fit(Shuffled(problem.train, 50, seed), whole(problem.choose), epochs=LINEAR_EPOCHS)
    return Result(model, _right(model, problem.held_out), history)


def train_network(
    problem: Problem, seed: int, plan: Plan, folder: Path, bar: Progress, resume: bool = False
) -> Result:
    """The network: AdamW on batches in a new order each epoch, the best weights by the loss on the points to choose by.

    A checkpoint every few epochs, at each best loss and on Ctrl-C goes into `folder`; with `resume` it goes on
    from the newest, bit for bit. Without it, what an earlier run left there is removed.

    Raises UsageError where the checkpoints are of another run or none can be read, Interrupted on Ctrl-C.
    """
    store = CheckpointStore(folder, keep_last=2)
    if not resume:
        store.clear()
    steps = plan.steps(problem)
    model = network(seed)
    optimizer = AdamW(model.parameters(), lr=plan.lr, weight_decay=WEIGHT_DECAY)
    film = Film(steps, problem.choose)
    trainer = Trainer(
        model,
        CrossEntropyLoss(),
        optimizer,
        scheduler=OneCycleLR(optimizer, plan.lr, total_steps=steps) if plan.lr > 0 else None,
        metrics=[Accuracy()],
        clip_norm=CLIP_NORM,
        checkpoints=store,
        checkpoint_every=Every(epochs=5),
        callbacks=[film, Live(bar, "right")],
        progress=False,  # the milestone has a display of its own
        seed=seed,
    )
    batches = Shuffled(problem.train, plan.batch, seed)
    try:
        with resumable(trainer, folder):
            trainer.fit(batches, whole(problem.choose), epochs=plan.epochs, resume=resume)
    except NonFiniteError as error:
        nothing = np.zeros(len(problem.held_out), bool)
        return Result(model, nothing, trainer.history, diverged=str(error))
    best = trainer.restore_best()
    right = _right(model, problem.held_out)
    return Result(model, right, trainer.history, best, trainer.seconds, film.frames())


def _right(model: Module, points: Points) -> npt.NDArray[np.bool_]:
    answers: npt.NDArray[np.bool_] = probabilities(model, points.places).argmax(axis=1) == points.arms
    return answers
