"""The training code, one for both networks: `train(network, …)`. It can be stopped anywhere and goes on there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from milestone_kit import Progress
from milestone_kit.training import Live, resumable
from milestone_mnist.images import Problem, batches
from milestone_mnist.networks import Network, logits
from milestone_mnist.watching import Stopwatch
from tt_data import LoaderStateError
from tt_nn import CrossEntropyLoss, Module
from tt_optim import AdamW, OneCycleLR
from tt_optim.training import Accuracy, CheckpointStore, Every, History, NonFiniteError, Trainer

__all__ = ["Plan", "Result", "images_per_second", "train", "trainer_of"]

WEIGHT_DECAY = 0.01
CALM_LR = 1e-4
"""For measuring how fast it is, which does not depend on the learning rate unless it diverges."""


@dataclass(frozen=True)
class Plan:
    """How to train: the learning rate rises to `lr` and falls to nothing over all epochs (OneCycleLR)."""

    epochs: int
    lr: float
    batch: int
    smoothing: float = 0.0
    """So much of a label is spread over all classes: what nobody can read shall not be learned by heart."""

    def steps(self, problem: Problem) -> int:
        """Steps of the optimizer in all."""
        return self.epochs * -(-len(problem.train) // self.batch)


@dataclass
class Result:
    """What one network reached."""

    network: Network
    model: Module
    logits: npt.NDArray[np.float32]
    """What it says of the test images, with its best weights: (N, 10)."""
    right: npt.NDArray[np.bool_]
    """Which of them it gets right."""
    history: History
    best_step: int = 0
    seconds: float = math.nan
    diverged: str = ""
    """Why the training came to no end, if it did not."""

    @property
    def accuracy(self) -> float:
        """The share of test images that it gets right, in percent; NaN where it diverged."""
        return math.nan if self.diverged else float(self.right.mean()) * 100

    @property
    def parameters(self) -> int:
        """Numbers that were trained."""
        return sum(parameter.size for parameter in self.model.parameters())


def train(
    network: Network,
    problem: Problem,
    seed: int,
    plan: Plan,
    folder: Path,
    bar: Progress,
    resume: bool = False,
) -> Result:
    """Train, take the weights of the least loss on the images to choose by, and look at the test images once.

    A checkpoint after each epoch, at each best loss and on Ctrl-C goes into `folder`; with `resume` it goes on from
    the newest, bit for bit. Without it, what an earlier run left there is removed.

    Raises UsageError where the checkpoints are of another run or none can be read, Interrupted on Ctrl-C.
    """
    store = CheckpointStore(folder, keep_last=2)
    if not resume:
        store.clear()
    model = network.make(seed)
    trainer = trainer_of(
        model,
        plan,
        plan.steps(problem),
        metrics=[Accuracy()],
        checkpoints=store,
        checkpoint_every=Every(epochs=max(plan.epochs // 10, 1)),
        callbacks=[Live(bar, "right", form="{:.2%}")],
        seed=seed,
    )
    try:
        with resumable(trainer, folder, LoaderStateError):
            trainer.fit(
                batches(problem.train, plan.batch, seed),
                batches(problem.choose),
                epochs=plan.epochs,
                resume=resume,
            )
    except NonFiniteError as error:
        nothing = np.zeros((len(problem.test), 10), np.float32)
        return Result(network, model, nothing, nothing[:, 0] > 0, trainer.history, diverged=str(error))
    best = trainer.restore_best()
    said = logits(model, problem, problem.test.data)
    right = said.argmax(axis=1) == problem.test.targets
    return Result(network, model, said, right, trainer.history, best, trainer.seconds)


def images_per_second(
    network: Network, problem: Problem, seed: int, plan: Plan, batch: int, seconds: float
) -> float:
    """How many images it learns from in a second, in batches of `batch`; measured for about `seconds`."""
    watch = Stopwatch(seconds)
    plan = replace(plan, batch=batch, lr=CALM_LR)
    steps = max(plan.steps(problem), Stopwatch.FEWEST)
    trainer = trainer_of(network.make(seed), plan, steps, callbacks=[watch], seed=seed)
    with resumable(trainer, None):
        trainer.fit(batches(problem.train, batch, seed), steps=steps)
    return batch / watch.step_seconds


def trainer_of(model: Module, plan: Plan, steps: int, **how: Any) -> Trainer:
    """AdamW on the cross entropy; the milestone has a display of its own."""
    optimizer = AdamW(model.parameters(), lr=plan.lr, weight_decay=WEIGHT_DECAY)
    scheduler = OneCycleLR(optimizer, plan.lr, total_steps=steps) if plan.lr > 0 else None
    loss_fn = CrossEntropyLoss(label_smoothing=plan.smoothing)
    return Trainer(model, loss_fn, optimizer, scheduler=scheduler, progress=False, **how)
