"""The tape, told by running it: first that it changes nothing, then what by hand cannot do.

Source of the tape: S. Linnainmaa, The representation of the cumulative rounding error of an algorithm as a
Taylor expansion of the local rounding errors, Master's thesis, University of Helsinki, 1970.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence

import numpy as np

from milestone_kit import Session
from milestone_kit.pictures import curves
from milestone_xor.both_ways import Comparison, Way, by_hand, by_tape, compared, trained
from milestone_xor.training import CASES, MARGIN, History, hidden_layer
from milestone_xor.twice import differences, error, gradient, one_layer_twice, wide

__all__ = ["tell"]

EXACT = 1e-6
"""How far a right gradient in float64 may be from central differences, relative to its largest number."""
WRONG = 0.01
"""How far one must be to count as wrong."""
ENOUGH_SEEDS = 10
"""With fewer, by hand may solve them all by luck: from about four seeds of ten it does."""
NAMES: dict[Way, str] = {by_tape: "by tape", by_hand: "by hand"}
SECONDS = 30.0
TIMED_SEEDS = 100
LAST_SEED = 2**32


def tell(session: Session, seeds: int, steps: int, lr: float) -> None:
    """Compare both ways on 2-8-1, then use one layer twice; note the figures with their bars, draw the picture."""
    started = time.perf_counter()
    numbers = [(session.options.seed + index) % LAST_SEED for index in range(seeds)]
    of_seeds = f"of {seeds} seed{'s' if seeds > 1 else ''}"
    comparison, histories = _side_by_side(session, numbers, steps, lr)
    session.figure(
        "by hand = by tape, bit for bit",
        comparison.equal,
        f"of {comparison.number}",
        at_least=comparison.number,
    )
    session.figure("largest |by hand - by tape|", comparison.largest, at_most=0)
    session.figure("2-8-1 by tape: all four cases right", _solved(histories), of_seeds, at_least=seeds)

    errors = {way: _errors(numbers, way) for way in NAMES}
    session.figure("used twice: error by tape, worst seed", max(errors[by_tape]), "relative", at_most=EXACT)
    session.figure("used twice: error by hand, best seed", min(errors[by_hand]), "relative", at_least=WRONG)
    session.figure("used twice: error by hand, median", statistics.median(errors[by_hand]), "relative")

    twice = {way: _twice(session, way, numbers, steps, lr) for way in NAMES}
    session.figure("used twice: solved by tape", _solved(twice[by_tape]), of_seeds, at_least=seeds)
    bar = math.floor(0.9 * seeds) if seeds >= ENOUGH_SEEDS else None
    session.figure("used twice: solved by hand", _solved(twice[by_hand]), of_seeds, at_most=bar)
    bar_seconds = SECONDS if seeds <= TIMED_SEEDS else None
    session.figure("training time, all seeds", time.perf_counter() - started, "s", at_most=bar_seconds)
    if comparison.first:
        session.say(f"the first gradients that differ: {comparison.first}")

    shares = {NAMES[way]: (range(steps + 1), _share(histories)) for way, histories in twice.items()}
    title = f"One layer used twice, {seeds} seed{'s' if seeds > 1 else ''}"
    session.picture("one-layer-twice.png", curves(shares, title, y_label="seeds that solve XOR, %"))


def _side_by_side(
    session: Session, numbers: Sequence[int], steps: int, lr: float
) -> tuple[Comparison, list[History]]:
    comparison, histories = Comparison(), []
    with session.progress(len(numbers), f"{'2-8-1, both ways':19}", unit="seeds") as bar:
        for done, seed in enumerate(numbers, 1):
            history = compared(hidden_layer(seed), hidden_layer(seed), steps, lr, comparison)
            histories.append(history)
            bar.update(done, equal=f"{comparison.equal:,} of {comparison.number:,}")
    return comparison, histories


def _errors(numbers: Sequence[int], way: Way) -> list[float]:
    """How far the gradient of each untrained network is from central differences, in float64."""
    found = []
    for seed in numbers:
        model = one_layer_twice(seed).to(np.float64)
        found.append(error(gradient(model, way), differences(model)))
    return found


def _twice(session: Session, way: Way, numbers: Sequence[int], steps: int, lr: float) -> list[History]:
    histories: list[History] = []
    with session.progress(len(numbers), f"used twice, {NAMES[way]}", unit="seeds") as bar:
        for done, seed in enumerate(numbers, 1):
            histories.append(trained(one_layer_twice(seed), way, steps, lr, wide(CASES)))
            bar.update(done, loss=histories[-1].losses[-1], solved=f"{_solved(histories)} of {done}")
    return histories


def _solved(histories: Sequence[History]) -> int:
    return sum(history.solved for history in histories)


def _share(histories: Sequence[History]) -> np.ndarray:
    """What share of the networks is right with the margin at each step, in percent: (steps + 1,)."""
    return np.mean([history.errors <= MARGIN for history in histories], axis=0) * 100
