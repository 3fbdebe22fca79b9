"""The program ``milestone-xor``: its options. What it does stands in story.py, imported late."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_kit import Milestone, Parser, Session, number, whole

__all__ = ["main"]

SEEDS, QUICK_SEEDS = 100, 10


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--seeds",
        type=whole(1, 100_000),
        metavar="N",
        help=f"how many networks to train, from as many seeds (default {SEEDS}, with --quick {QUICK_SEEDS})",
    )
    parser.add_argument(
        "--steps",
        type=whole(1, 1_000_000),
        default=500,
        metavar="N",
        help="training steps for each network (default 500)",
    )
    parser.add_argument(
        "--lr",
        type=number(at_least=0.0),
        default=1.0,
        metavar="RATE",
        help="learning rate of SGD (default 1.0; with 0 nothing is learned)",
    )


def run(session: Session) -> None:
    import numpy as np

    from milestone_xor.story import tell

    options = session.options
    if options.seeds is None:
        options.seeds = QUICK_SEEDS if options.quick else SEEDS
    with np.errstate(over="ignore", invalid="ignore"):  # what diverges is a missed bar, not a warning
        tell(session, seeds=options.seeds, steps=options.steps, lr=options.lr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``milestone-xor`` with `argv` (default: the command line) and return its exit code."""
    about = (
        "XOR. A single layer cannot get all four cases right, whatever the seed; "
        "a hidden layer of eight units can, with every gradient called by hand"
    )
    return Milestone("xor", year=1969, about=about, run=run, add_options=add_options).main(argv)
