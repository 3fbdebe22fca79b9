"""1969, told by running it: first what fails, then what works, then the pictures of both.

Source of the problem: M. Minsky, S. Papert, Perceptrons, MIT Press, 1969. Of the way out: D. Rumelhart,
G. Hinton, R. Williams, Learning representations by back-propagating errors, Nature 323, 1986.
"""

from __future__ import annotations

import math
import statistics
import time
from functools import partial

import numpy as np

from milestone_kit import Session
from milestone_kit.boundary import Frame, Plane, film
from milestone_kit.pictures import curves
from milestone_xor.training import (
    CASES,
    MARGIN,
    TARGETS,
    History,
    hidden_layer,
    probability,
    single_layer,
    train,
)
from tt_nn import Sequential

__all__ = ["tell"]

# When to look at the plane, as shares of the training: closer together where more happens.
LEARNING = (0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.4, 1)
STUCK = (0, 0.02, 0.08, 1)
PLANE = Plane(-0.5, 1.5)
SECONDS = 30.0
TIMED_SEEDS = 100
LAST_SEED = 2**32


def tell(session: Session, seeds: int, steps: int, lr: float) -> None:
    """Train both networks from `seeds` seeds, note the figures with their bars, draw the pictures."""
    started = time.perf_counter()
    singles = _train_all(session, "single layer", seeds, steps, lr)
    hiddens = _train_all(session, "2-8-1", seeds, steps, lr)
    seconds = time.perf_counter() - started

    of_seeds = f"of {seeds} seed{'s' if seeds > 1 else ''}"
    session.figure("single layer: best accuracy", max(h.best_accuracy for h in singles), "%", at_most=75)
    session.figure("2-8-1: all four cases right", sum(h.solved for h in hiddens), of_seeds, at_least=seeds)
    worst = float(np.max([h.errors[-1] for h in hiddens]))  # np.max, unlike max, keeps NaN
    session.figure("2-8-1: largest |probability - target|", worst, at_most=MARGIN)
    solved = [h.steps_to_solve for h in hiddens if math.isfinite(h.steps_to_solve)]
    if solved:
        session.figure("2-8-1: steps to solve, median", int(statistics.median(solved)), "steps")
        session.figure("2-8-1: steps to solve, slowest seed", int(max(solved)), "steps")
    bar = SECONDS if seeds <= TIMED_SEEDS else None
    session.figure("training time, all seeds", seconds, "s", at_most=bar)
    _draw(session, steps, lr)


def _train_all(session: Session, name: str, seeds: int, steps: int, lr: float) -> list[History]:
    build = single_layer if name == "single layer" else hidden_layer
    histories = []
    right = 0
    with session.progress(seeds, f"{name:12}", unit="seeds") as bar:
        for index in range(seeds):
            history = train(build((session.options.seed + index) % LAST_SEED), steps, lr)
            histories.append(history)
            right += history.solved
            bar.update(index + 1, loss=history.losses[-1], solved=f"{right} of {index + 1}")
    return histories


def _draw(session: Session, steps: int, lr: float) -> None:
    """Train both networks of the first seed once more, and look at the plane on the way."""
    seed = session.options.seed
    shots, history = _filmed(hidden_layer(seed), steps, lr, _moments(steps, LEARNING))
    line, stuck = _filmed(single_layer(seed), steps, lr, _moments(steps, STUCK))
    losses = {name: (range(steps + 1), h.losses) for name, h in (("single layer", stuck), ("2-8-1", history))}
    title = f"A hidden layer learns XOR (seed {seed})"
    session.picture("boundary.png", film(PLANE, shots, CASES, TARGETS, title))
    title = f"A single layer ends at one half (seed {seed})"
    session.picture("single-layer.png", film(PLANE, line, CASES, TARGETS, title))
    session.picture("loss.png", curves(losses, f"Cross-entropy on the four cases (seed {seed})", log_y=True))


def _filmed(model: Sequential, steps: int, lr: float, moments: set[int]) -> tuple[list[Frame], History]:
    shots: list[Frame] = []

    def watch(step: int, model: Sequential) -> None:
        if step in moments:
            shots.append(PLANE.look(partial(probability, model), f"step {step}"))

    return shots, train(model, steps, lr, watch)


def _moments(steps: int, shares: tuple[float, ...]) -> set[int]:
    return {round(steps * share) for share in shares}
