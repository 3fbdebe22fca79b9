"""The program ``milestone-perceptron``: its options. What it does stands in story.py, imported late."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_kit import Milestone, Options, Parser, Session, UsageError, number, whole

__all__ = ["main"]

STEPS, QUICK_STEPS = 200, 50


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--classes",
        type=whole(0, 9),
        nargs=2,
        default=[3, 6],
        metavar=("A", "B"),
        help="the two digits to tell apart (default 3 6)",
    )
    parser.add_argument(
        "--epochs",
        type=whole(1, 10_000),
        default=50,
        metavar="N",
        help="at most so many passes of Rosenblatt's rule; it ends when a pass makes no mistake (default 50)",
    )
    parser.add_argument(
        "--steps",
        type=whole(1, 1_000_000),
        metavar="N",
        help=f"steps of gradient descent (default {STEPS}, with --quick {QUICK_STEPS})",
    )
    parser.add_argument(
        "--lr",
        type=number(at_least=0.0),
        default=1.0,
        metavar="RATE",
        help="learning rate of gradient descent (default 1.0; with 0 nothing is learned)",
    )


def check(options: Options) -> None:
    first, second = options.classes
    if first == second:
        raise UsageError(f"argument --classes: {first} is given twice; give two different digits")


def run(session: Session) -> None:
    import numpy as np

    from milestone_perceptron.story import tell

    options = session.options
    if options.steps is None:
        options.steps = QUICK_STEPS if options.quick else STEPS
    with np.errstate(over="ignore", invalid="ignore"):  # what diverges is a missed bar, not a warning
        tell(session, tuple(options.classes), options.epochs, options.steps, options.lr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``milestone-perceptron`` with `argv` (default: the command line) and return its exit code."""
    about = (
        "one unit, a weight for each pixel, learns to tell two handwritten digits apart: "
        "by Rosenblatt's rule, then by gradient descent with the gradient called by hand"
    )
    milestone = Milestone("perceptron", year=1958, about=about, run=run, add_options=add_options, check=check)
    return milestone.main(argv)
