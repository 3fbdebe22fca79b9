"""The program `tt-perf`: its subcommands, imported late.

Exit codes: 0 all is well; 1 a regression was found, or a submission refused; 2 arguments or files that are none, or a
function that fails; 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import TypeAlias

from tt_tensor.errors import ArgumentError, MissingWheelError, TTError

__all__ = ["main"]

WELL, BAD_NEWS, WRONG, INTERRUPTED = 0, 1, 2, 130
LEADERBOARD = "leaderboard.json"

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; its exit code."""
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as done:  # after --help and --version, too
        return _printed(done)
    if options.run is None:
        parser.print_help(sys.stderr)
        return WRONG
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (TTError, OSError) as error:
        _complain(f"tt-perf {options.command}: {error}\n")
        return _code(error)
    except KeyboardInterrupt:
        _complain(f"tt-perf {options.command}: interrupted\n")
        return INTERRUPTED


def _say(text: str) -> None:
    """Print at once, where there is an output, and with ? for what its encoding does not have.

    Raises OSError where it cannot be printed: the disk is full, or nobody reads any longer, as behind `| head`.
    """
    if sys.stdout is None:
        return
    try:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        # What is left in the buffer goes nowhere, or the interpreter fails on it at its end, with a code of its own.
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise


def _printed(done: SystemExit) -> int:
    """The exit code of the parser, if what it printed came out."""
    try:
        _say("")
    except OSError as error:
        _complain(f"tt-perf: {error}\n")
        return WRONG
    return int(done.code or 0)


def _complain(text: str) -> None:
    """The same on the error output, where there is nobody left to tell that it failed."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _code(error: Exception) -> int:
    if isinstance(error, ArgumentError | MissingWheelError | OSError):
        return WRONG
    from tt_perf.competition.errors import SubmissionError

    return BAD_NEWS if isinstance(error, SubmissionError) else WRONG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tt-perf",
        description="Measure functions fairly, find regressions, and compete for small and fast models.",
        epilog="exit codes: 0 all is well; 1 a regression, or a submission that is refused; "
        "2 wrong arguments or files, or a function that fails; 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"tt-perf {metadata.version('tt-perf')}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    for add in (_add_run, _add_compare, _add_submit, _add_leaderboard):
        add(commands)
    return parser


def _add_run(commands: Commands) -> None:
    run = commands.add_parser(
        "run",
        help="time functions against each other",
        description="Time functions of no arguments against each other, each in a process of its own.",
        epilog='a function is "module:name" or "file.py:name"; with "()" behind it, what it returns is timed; '
        '"fast=module:name" calls the contender fast',
    )
    run.add_argument(
        "functions",
        nargs="+",
        metavar="[NAME=]MODULE:FUNCTION",
        help="what to time; the first is the reference",
    )
    run.add_argument(
        "-o", "--out", metavar="FILE", help="write the result here, as JSON, for `tt-perf compare`"
    )
    run.add_argument("--rounds", type=int, default=21, help="turns of each (default: %(default)s)")
    run.add_argument(
        "--slice", type=float, default=0.02, metavar="SECONDS", help="length of a turn (default: %(default)s)"
    )
    run.add_argument(
        "--restarts",
        type=int,
        default=3,
        help="processes of each, one after the other (default: %(default)s)",
    )
    run.add_argument("--threads", type=int, help="threads of each (default: as the machine has it)")
    run.add_argument("--level", type=float, default=0.99, help="of the intervals (default: %(default)s)")
    run.add_argument("--seed", type=int, default=0, help="draws the orders of turns (default: %(default)s)")
    run.add_argument("--title", default="", help="what it is about")
    run.add_argument("--here", action="store_true", help="all in this process, not in one each")
    run.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from tt_perf.benchmarking import ContenderError, benchmark
    from tt_perf.writing import check_place

    contenders: dict[str, str] = {}
    for function in options.functions:
        name, equals, place = function.partition("=")
        name, place = (name, place) if equals else (function, function)
        if name in contenders:
            raise ArgumentError(f"two contenders are called {name!r}; name them as in fast=module:function")
        contenders[name] = place
    if options.out is not None:
        check_place(options.out)  # before time goes into it
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # modules of this folder, as with `python -m`
    try:
        result = benchmark(
            contenders,
            rounds=options.rounds,
            slice_seconds=options.slice,
            processes=not options.here,
            restarts=options.restarts,
            threads=options.threads,
            level=options.level,
            seed=options.seed,
            title=options.title,
        )
    except TTError:
        raise
    except (Exception, SystemExit) as error:  # of a function, with --here
        raise ContenderError(f"a function failed: {error}\n{traceback.format_exc()}") from error
    if options.out is not None:
        result.save(options.out)  # first: it is there also where the table cannot be printed
    _say(result.table())
    return WELL


def _add_compare(commands: Commands) -> None:
    compare = commands.add_parser(
        "compare",
        help="find regressions between two results",
        description="Compare two results of `tt-perf run` or of BenchmarkResult.save. Exits with 1 where something "
        "became slower by more than the threshold and the noise.",
    )
    compare.add_argument("old", metavar="OLD", help="the result from before")
    compare.add_argument("new", metavar="NEW", help="the result from now")
    compare.add_argument(
        "--threshold", type=float, default=1.05, help="new ÷ old that is still well (default: %(default)s)"
    )
    compare.add_argument(
        "--relative", action="store_true", help="compare each contender's ratio to its run's reference"
    )
    compare.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    from tt_perf.benchmarking import BenchmarkResult, compare

    old, new = (BenchmarkResult.load(path) for path in (options.old, options.new))
    found = compare(old, new, options.threshold, relative=options.relative)
    _say(found.table())
    if found.regressions:
        slower = ", ".join(f"{change.name} ({change.ratio:.2f} ×)" for change in found.regressions)
        _say(f"regressions: {slower}\n")
        return BAD_NEWS
    return WELL


def _add_submit(commands: Commands) -> None:
    submit = commands.add_parser(
        "submit",
        help="check a submission and enter it in a leaderboard",
        description="Run a submission again in a process of its own, on the true test set; enter it if its figures "
        "are what is measured.",
    )
    submit.add_argument("folder", metavar="FOLDER", help="what tt_perf.prepare_submission wrote")
    submit.add_argument("--leaderboard", default=LEADERBOARD, metavar="FILE", help="(default: %(default)s)")
    submit.add_argument("--seconds", type=float, default=600, help="time that it gets (default: %(default)s)")
    submit.set_defaults(run=_submit)


def _submit(options: argparse.Namespace) -> int:
    from tt_perf.competition import submit

    entry = submit(options.folder, options.leaderboard, seconds=options.seconds)
    _say(f"{entry.name} by {entry.author}: {entry.said()}, score {entry.score:.1f}; entered\n")
    return WELL


def _add_leaderboard(commands: Commands) -> None:
    board = commands.add_parser(
        "leaderboard",
        help="show, merge and verify leaderboards",
        description="Show a leaderboard: entries by score, those on the Pareto front marked.",
    )
    board.add_argument("file", nargs="?", default=LEADERBOARD, metavar="FILE", help="(default: %(default)s)")
    board.add_argument(
        "--merge", action="append", default=[], metavar="OTHER", help="take in the entries of another file"
    )
    board.add_argument("--verify", action="store_true", help="run again what was not run on this machine")
    board.add_argument("--all", action="store_true", help="with --verify: run everything again")
    board.add_argument("--task", choices=("mnist", "cifar10", "tinygpt"), help="show this one only")
    board.add_argument(
        "--seconds", type=float, default=600, help="time that each gets (default: %(default)s)"
    )
    board.set_defaults(run=_leaderboard)


def _leaderboard(options: argparse.Namespace) -> int:
    from tt_perf.competition import Leaderboard

    board = Leaderboard(options.file)
    if not options.merge and not board.path.is_file():
        raise ArgumentError(f"there is no leaderboard {board.path}; `tt-perf submit FOLDER` begins one")
    for other in options.merge:
        added = board.merge(other)
        _say(f"{other}: {added} new\n")
    refused = {}
    if options.verify or options.all:
        refused = board.verify(everything=options.all, seconds=options.seconds)
    _say(board.table(options.task))
    for name, reason in refused.items():
        _say(f"{name} does not stand: {reason}\n")
    return BAD_NEWS if refused else WELL


if __name__ == "__main__":
    sys.exit(main())
