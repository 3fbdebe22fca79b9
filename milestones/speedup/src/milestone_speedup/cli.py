"""The program ``milestone-speedup``: its options. What it does stands in story.py, imported late."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_kit import Milestone, Parser, Session

__all__ = ["LADDERS", "main"]

LADDERS = ("matmul", "cifar", "tinygpt", "cache", "int8")


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--only",
        choices=LADDERS,
        action="append",
        metavar="LADDER",
        help=f"climb this one only; may be given again. One of {', '.join(LADDERS)}",
    )


def run(session: Session) -> None:
    from milestone_speedup.story import tell
    from tt_tensor.allocation import keep_freed_memory

    if keep_freed_memory():
        session.say("memory that is freed stays with the process, on every rung (TT_MALLOC=0 turns that off)")
    tell(session)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``milestone-speedup`` with `argv` (default: the command line) and return its exit code."""
    about = (
        "a matrix product, a training step of both networks, and writing, from loops in Python up to compiled "
        "kernels; every rung is measured in this run and checked against the first"
    )
    return Milestone("speedup", year=2018, about=about, run=run, add_options=add_options).main(argv)
