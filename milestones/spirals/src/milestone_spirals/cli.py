"""The program ``milestone-spirals``: its options. What it does stands in story.py, imported late."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_kit import Milestone, Parser, Session, number, whole

__all__ = ["main"]

EPOCHS, QUICK_EPOCHS = 60, 30


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--seeds",
        type=whole(1, 100),
        default=1,
        metavar="N",
        help="how many networks to train, each on points and from weights of its own seed (default 1)",
    )
    parser.add_argument(
        "--epochs",
        type=whole(1, 100_000),
        metavar="N",
        help=f"how often to go through the points (default {EPOCHS}, with --quick {QUICK_EPOCHS})",
    )
    parser.add_argument(
        "--lr",
        type=number(at_least=0.0),
        default=0.01,
        metavar="RATE",
        help="the highest learning rate of AdamW (default 0.01; with 0 nothing is learned)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on, bit for bit, where a run with the same options was interrupted",
    )


def run(session: Session) -> None:
    import numpy as np

    from milestone_spirals.story import tell
    from milestone_spirals.training import Plan

    options = session.options
    if options.epochs is None:
        options.epochs = QUICK_EPOCHS if options.quick else EPOCHS
    with np.errstate(over="ignore", invalid="ignore"):  # what diverges is a missed bar, not a warning
        tell(session, Plan(options.epochs, options.lr), options.seeds, options.resume)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``milestone-spirals`` with `argv` (default: the command line) and return its exit code."""
    about = (
        "three interleaved spirals. A linear model gets less than half of the held-out points right; "
        "a network with three hidden layers, trained by the Trainer, tells the spirals apart"
    )
    milestone = Milestone("spirals", year=1988, about=about, run=run, add_options=add_options)
    return milestone.main(argv)
