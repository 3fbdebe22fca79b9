"""The options every milestone has, and the checks that turn a wrong one into a clear message."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from milestone_kit.errors import UsageError

__all__ = ["STANDARD_OUTPUT", "Options", "Parser", "build_parser", "number", "whole"]

STANDARD_OUTPUT = "-"
LARGEST_SEED = 2**32 - 1


class Options(argparse.Namespace):
    """What was asked for. A milestone's own options are attributes too."""

    seed: int
    json: str | None
    out: Path
    quick: bool
    quiet: bool


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises :class:`UsageError` instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def whole(at_least: int | None = None, at_most: int | None = None) -> Callable[[str], int]:
    """A `type=` for argparse: a whole number in ``at_least <= value <= at_most``.

    The callable raises argparse.ArgumentTypeError, which says what is allowed and what was given.
    """
    allowed = "a whole number" + _interval(at_least, at_most)

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {allowed}, not {text!r}") from None
        if (at_least is not None and value < at_least) or (at_most is not None and value > at_most):
            raise argparse.ArgumentTypeError(f"must be {allowed}, not {text!r}")
        return value

    return read


def number(at_least: float | None = None, at_most: float | None = None) -> Callable[[str], float]:
    """A `type=` for argparse: a finite number in ``at_least <= value <= at_most``."""
    allowed = "a finite number" + _interval(at_least, at_most)

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {allowed}, not {text!r}") from None
        too_small = at_least is not None and value < at_least
        too_large = at_most is not None and value > at_most
        if not math.isfinite(value) or too_small or too_large:
            raise argparse.ArgumentTypeError(f"must be {allowed}, not {text!r}")
        return value

    return read


def _interval(at_least: float | None, at_most: float | None) -> str:
    if at_least is not None and at_most is not None:
        return f" from {at_least} to {at_most}"
    if at_least is not None:
        return f", {at_least} or more"
    if at_most is not None:
        return f", {at_most} or less"
    return ""


def _directory(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("must name a directory, not an empty text")
    return Path(text)


def _json_target(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must be a file or '-' for the standard output, not an empty text")
    return text


def build_parser(name: str, about: str, add_options: Callable[[Parser], None] | None = None) -> Parser:
    """The parser of ``milestone-<name>``: the shared options, then the milestone's own."""
    parser = Parser(
        prog=f"milestone-{name}",
        description=about,
        allow_abbrev=False,
        epilog="exit codes: 0 every bar met, 1 a bar missed or results not written, "
        "2 wrong arguments, 130 interrupted",
    )
    parser.add_argument(
        "--seed",
        type=whole(0, LARGEST_SEED),
        default=0,
        metavar="N",
        help="where the random numbers start (default 0)",
    )
    parser.add_argument(
        "--json",
        type=_json_target,
        nargs="?",
        const=STANDARD_OUTPUT,
        metavar="PATH",
        help="write the figures as JSON to PATH too; '-' or nothing prints them, and only them, "
        "on the standard output",
    )
    parser.add_argument(
        "--out",
        type=_directory,
        default=Path("runs") / name,
        metavar="DIR",
        help=f"where figures.json and the pictures go (default runs/{name})",
    )
    parser.add_argument("--quick", action="store_true", help="a shorter run against the same bars")
    parser.add_argument("--quiet", action="store_true", help="print nothing; the exit code still tells")
    if add_options is not None:
        add_options(parser)
    return parser
