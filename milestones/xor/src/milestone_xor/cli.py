"""The program ``milestone-xor``: its options. What it does stands in story.py, imported late."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_kit import Milestone, Parser, Session, number, whole

__all__ = ["main"]

SEEDS, AUTOGRAD_SEEDS, QUICK_SEEDS = 100, 50, 10


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--seeds",
        type=whole(1, 100_000),
        metavar="N",
        help=f"how many networks to train, from as many seeds (default {SEEDS}, with --autograd "
        f"{AUTOGRAD_SEEDS}, with --quick {QUICK_SEEDS})",
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
    parser.add_argument(
        "--autograd",
        action="store_true",
        help="the same network by hand and through the tape, bit for bit, and what by hand cannot do",
    )


def run(session: Session) -> None:
    import numpy as np

    options = session.options
    if options.autograd:  # only then is tt_autograd imported, and the tape there
        from milestone_xor.autograd_story import tell
    else:
        from milestone_xor.story import tell

    if options.seeds is None:
        options.seeds = QUICK_SEEDS if options.quick else AUTOGRAD_SEEDS if options.autograd else SEEDS
    with np.errstate(over="ignore", invalid="ignore"):  # what diverges is a missed bar, not a warning
        tell(session, seeds=options.seeds, steps=options.steps, lr=options.lr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``milestone-xor`` with `argv` (default: the command line) and return its exit code."""
    about = (
        "XOR. A single layer cannot get all four cases right, whatever the seed; "
        "a hidden layer of eight units can, with every gradient called by hand"
    )
    return Milestone("xor", year=1969, about=about, run=run, add_options=add_options).main(argv)
