"""1988, told by running it: what a linear model makes of three spirals, and what a network does.

Source: K. Lang, M. Witbrock, Learning to tell two spirals apart, Proceedings of the 1988 Connectionist Models
Summer School, Morgan Kaufmann, 1988; the two spirals are A. Wieland's.
"""

from __future__ import annotations

import math

import numpy as np

from milestone_kit import Session
from milestone_spirals.networks import NAME, probabilities
from milestone_spirals.plane import FINE, Frame, film, large
from milestone_spirals.spirals import ARMS, Problem, nearest_arm, problem
from milestone_spirals.training import Plan, Result, train_linear, train_network
from tt_nn import Module
from tt_optim.training import draw_curves

__all__ = ["tell"]

BAR = 99.0
LINEAR_BAR = 50.0
SECONDS = 20.0
EARLY_BAND = (70.0, 99.9)
"""What a quick run has right after a third of its training; more would mean that it was told the answers."""
LAST_SEED = 2**32


def tell(session: Session, plan: Plan, seeds: int, resume: bool) -> None:
    """Train both from `seeds` seeds, note the figures with their bars, draw what the first seed learned."""
    lines, networks, problems = [], [], []
    for index in range(seeds):
        seed = (session.options.seed + index) % LAST_SEED
        points = problem(seed)
        if index == 0:
            sizes = f"{len(points.train):,} to learn from, {len(points.choose):,} to choose the weights by"
            session.say(f"points on {ARMS} spirals: {sizes}, {len(points.held_out):,} held out")
        problems.append(points)
        lines.append(train_linear(points, seed))
        networks.append(_network(session, points, seed, plan, resume))
        if index:
            networks[-1].frames.clear()  # only the first one is drawn

    session.figure(
        "linear model: held out, right", max(line.accuracy for line in lines), "%", at_most=LINEAR_BAR
    )
    accuracies = [float(result.accuracy) for result in networks]
    worst = float(np.min(accuracies))  # np.min, unlike min, keeps NaN
    if seeds == 1:
        session.figure(f"{NAME}: held out, right", worst, "%", at_least=BAR)
    else:
        session.figure(f"{NAME}: held out, right, worst seed", worst, "%", at_least=BAR)
        session.figure(f"{NAME}: median of {seeds} seeds", float(np.median(accuracies)), "%")
    knowing = min(_knowing(points) for points in problems)
    session.figure("one who knows the arms", knowing, "%")
    early = float(np.min([_early(result, plan) for result in networks]))
    low, high = EARLY_BAND if session.options.quick else (None, None)
    session.figure("after a third of the training, right", early, "%", at_least=low, at_most=high)
    session.figure(f"{NAME}: best weights at step", networks[0].best_step, f"of {plan.steps(problems[0])}")
    times = [result.seconds for result in networks]
    name = "training time" if seeds == 1 else "training time, median seed"
    session.figure(name, float(np.median(times)), "s", at_most=SECONDS)  # np.median keeps NaN
    _draw(session, problems[0], lines[0], networks[0])


def _network(session: Session, points: Problem, seed: int, plan: Plan, resume: bool) -> Result:
    folder = session.options.out / "checkpoints" / f"seed-{seed}"
    with session.progress(plan.steps(points), f"{NAME}, seed {seed}") as bar:
        result = train_network(points, seed, plan, folder, bar, resume)
    if result.diverged:
        session.say(f"it stopped: {result.diverged}")
    return result


def _early(result: Result, plan: Plan) -> float:
    """The accuracy on the points to choose by after a third of the epochs, in percent."""
    if "val_accuracy" not in result.history:
        return math.nan
    _, seen = result.history.column("val_accuracy")
    at = max(plan.epochs // 3, 1)
    return seen[at - 1] * 100 if len(seen) >= at else math.nan


def _knowing(points: Problem) -> float:
    """What the nearest arm gets right of the held-out points, in percent: noise leaves no more to learn."""
    return float((nearest_arm(points.held_out.places) == points.held_out.arms).mean()) * 100


def _draw(session: Session, points: Problem, line: Result, result: Result) -> None:
    if result.diverged:
        return
    title = (
        f"{NAME} learns three spirals (seed {session.options.seed}, % right of points it does not learn from)"
    )
    session.picture("film.png", film(result.frames, points.train, title))
    frames = [
        _fine(line.model, f"linear model: {line.accuracy:.1f} % of held-out points"),
        _fine(result.model, f"{NAME}: {result.accuracy:.1f} %"),
    ]
    wrong = [~line.right, ~result.right]
    title = f"Points that were never shown (seed {session.options.seed})"
    session.picture("boundary.png", large(frames, points.held_out, wrong, title))
    session.picture(
        "curves.png", draw_curves(result.history, ["loss", "accuracy"], f"{NAME}, with the Trainer")
    )


def _fine(model: Module, title: str) -> Frame:
    return Frame(title, probabilities(model, FINE.points()).reshape(FINE.cells, FINE.cells, ARMS))
