"""The pictures of a run: curves, images moved, what is mistaken for what, the worst mistakes, the first filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from milestone_kit import Session
from milestone_kit.pictures import curves
from milestone_mnist.images import Problem
from milestone_mnist.training import Result
from tt_vision.pictures import confusion_counts, confusion_matrix, first_layer_filters, worst_mistakes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]

SHOWN = 64
"""Of the MLP's first layer so many units are shown."""
DIGITS = tuple("0123456789")


def draw(
    session: Session, problem: Problem, results: Sequence[Result], moved: Sequence[dict[int, float]]
) -> None:
    """Keep the pictures of both networks; of one that diverged there are none."""
    done = [(result, right) for result, right in zip(results, moved, strict=True) if not result.diverged]
    if not done:
        return
    session.picture("curves.png", _losses(problem, [result for result, _ in done]))
    lines = {result.network.name: (list(right), list(right.values())) for result, right in done}
    heading = f"Test images that are moved (in training by up to {problem.reach})"
    picture = curves(lines, heading, "moved by, pixels", "right, %")
    picture.axes[0].set_xticks(range(2 * problem.reach + 1))
    session.picture("moved.png", picture)
    for result, _ in done:
        _look(session, problem, result)


def _losses(problem: Problem, results: Sequence[Result]) -> Figure:
    lines = {}
    for result in results:
        for name, what in (("loss", "learned from"), ("val_loss", "to choose by")):
            lines[f"{result.network.kind}, {what}"] = result.history.column(name)
    return curves(lines, f"{problem.name}: the same training, two networks", "step", "loss", log_y=True)


def _look(session: Session, problem: Problem, result: Result) -> None:
    """Confusion, mistakes and filters of one network."""
    kind, title = result.network.kind.lower(), result.network.name
    counts = confusion_counts(problem.test.targets, result.logits.argmax(axis=1), len(DIGITS))
    heading = f"{title}: {result.accuracy:.2f} % right"
    session.picture(f"confusion-{kind}.png", confusion_matrix(counts, DIGITS, heading))
    seen = problem.test.data * (255 // problem.ink)
    heading = f"{title}: its worst of {(~result.right).sum()} mistakes"
    mistakes = worst_mistakes(seen, problem.test.targets, result.logits, DIGITS, title=heading)
    session.picture(f"mistakes-{kind}.png", mistakes)
    first = next(p for p in result.model.parameters() if p.ndim > 1).numpy()[:SHOWN]
    filters = first.reshape(len(first), 1, problem.side, -1) if first.ndim == 2 else first
    session.picture(f"filters-{kind}.png", first_layer_filters(filters, title=f"{title}: first layer"))
