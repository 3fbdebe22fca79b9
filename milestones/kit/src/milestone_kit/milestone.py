"""A milestone is a program: options in, live progress, a table of figures, files, an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milestone_kit.errors import KitError, UsageError
from milestone_kit.figures import Figure, all_met, show_figures
from milestone_kit.interrupt import INTERRUPTED, two_step_interrupt
from milestone_kit.options import STANDARD_OUTPUT, Options, Parser, build_parser
from milestone_kit.places import Places
from milestone_kit.progress import Progress, duration
from milestone_kit.report import as_bytes, report, version_of
from milestone_kit.screen import Screen
from milestone_kit.writing import write_together

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

__all__ = ["MET", "MISSED", "WRONG_ARGUMENTS", "Milestone", "Session"]

MET, MISSED, WRONG_ARGUMENTS = 0, 1, 2
FIGURES_FILE = "figures.json"


class Session:
    """One run of a milestone: what it was asked, and what it has to show."""

    def __init__(self, options: Options, screen: Screen) -> None:
        self.options = options
        self.screen = screen
        self.figures: list[Figure] = []
        self.pictures: dict[Path, bytes] = {}

    def say(self, text: str = "") -> None:
        """Print one line, unless --quiet."""
        self.screen.say(text)

    def progress(self, total: int, title: str, unit: str = "steps") -> Progress:
        """``with session.progress(total, "training") as bar: bar.update(step, loss=...)``"""
        return Progress(self.screen, total, title, unit)

    def figure(
        self,
        name: str,
        value: Any,
        unit: str = "",
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> Figure:
        """Note a figure for the closing table; with `at_least` or `at_most` it has a bar to meet."""
        figure = Figure(name, value, unit, at_least, at_most)
        self.figures.append(figure)
        return figure

    def picture(self, name: str, picture: Picture) -> Path:
        """Keep a picture, to be written as ``<out>/<name>`` with the figures when the run ends."""
        from milestone_kit.pictures import png

        if Path(name).name != name or not name.endswith(".png"):
            raise ValueError(f"a picture's name must be a plain file name ending in .png, not {name!r}")
        path = self.options.out / name
        self.pictures[path] = png(picture)
        return path


@dataclass(frozen=True)
class Milestone:
    """``milestone-<name>``: `run(session)` does the work, `main(argv)` makes a program of it.

    `add_options(parser)` adds the milestone's own options; `check(options)` raises
    :class:`UsageError` for options that are wrong together. `run` may raise it, too, for what only shows
    when the files that they name are read, and KeyboardInterrupt with a word about how to go on.
    """

    name: str
    year: int
    about: str
    run: Callable[[Session], None]
    add_options: Callable[[Parser], None] | None = None
    check: Callable[[Options], None] | None = None

    @property
    def program(self) -> str:
        return f"milestone-{self.name}"

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the program and return its exit code.

        0 every bar met, 1 a bar missed or results not written, 2 wrong arguments, 130 interrupted (or 128 +
        the signal, where the interrupt carries another one as its `code`).
        """
        with _somewhere_to_print():
            try:
                return self._main(argv)
            except KeyboardInterrupt:  # before the run began, or after it
                return self._complain(f"{self.program}: interrupted", INTERRUPTED)

    def _main(self, argv: Sequence[str] | None) -> int:
        parser = build_parser(self.name, f"{self.year}: {self.about}", self.add_options)
        version = f"{self.program} {version_of(self.program) or '(not installed)'}"
        parser.add_argument("--version", action="version", version=version)
        places = Places()
        try:
            options = parser.parse_args(argv, namespace=Options())
            if self.check is not None:
                self.check(options)
            target = self._prepare(options, places)
        except UsageError as error:
            return self._complain(f"{parser.format_usage()}{self.program}: error: {error}", WRONG_ARGUMENTS)
        except SystemExit as done:  # --help and --version
            return self._printed(int(done.code or 0))
        try:
            with two_step_interrupt():
                return self._run(options, target)
        except KeyboardInterrupt as stop:
            said = " ".join([f"{self.program}: interrupted", *map(str, stop.args)])
            return self._complain(said, getattr(stop, "code", INTERRUPTED))
        except UsageError as error:
            return self._complain(f"{self.program}: error: {error}", WRONG_ARGUMENTS)
        except KitError as error:
            return self._complain(f"{self.program}: error: {error}", MISSED)
        except OSError as error:
            _drop_output()
            return self._complain(f"{self.program}: error: cannot print or write: {error}", MISSED)
        finally:
            places.take_back()

    def _prepare(self, options: Options, places: Places) -> Path | None:
        """Make the places for the results ready; the file that --json named, if any."""
        places.file(options.out / FIGURES_FILE, "--out")
        places.hold(options.out, "--out")
        if options.json is None or options.json == STANDARD_OUTPUT:
            return None
        target = Path(options.json).resolve()
        places.file(target, "--json")
        return target

    def _run(self, options: Options, target: Path | None) -> int:
        printing = options.json == STANDARD_OUTPUT
        screen = Screen(sys.stderr if printing else sys.stdout, options.quiet)
        session = Session(options, screen)
        started = time.perf_counter()
        session.say(f"{self.program} ({self.year}), seed {options.seed}")
        self.run(session)
        elapsed = time.perf_counter() - started

        pictures = list(session.pictures)
        document = as_bytes(report(self.name, self.year, options, session.figures, pictures, elapsed))
        figures_path = options.out / FIGURES_FILE
        files = {**session.pictures, **({target: document} if target else {}), figures_path: document}
        write_together(files)

        met = all_met(session.figures)
        show_figures(screen, session.figures)
        for path in files:
            session.say(f"wrote {path}")
        session.say(_verdict(session.figures, elapsed))
        if printing:
            sys.stdout.write(document.decode("ascii"))
        sys.stdout.flush()
        return MET if met else MISSED

    def _printed(self, code: int) -> int:
        """`code`, if what was printed came out: the interpreter would say of the rest only that it is lost."""
        try:
            sys.stdout.flush()
        except OSError as error:
            _drop_output()
            return self._complain(f"{self.program}: error: cannot print: {error}", MISSED)
        return code

    def _complain(self, message: str, code: int) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(message + "\n")
            sys.stderr.flush()
        return code


@contextlib.contextmanager
def _somewhere_to_print() -> Iterator[None]:
    """Inside, what is printed goes nowhere where there is no standard output or error: closed, or never there."""
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdout, sys.stderr = (nowhere if stream is None else stream for stream in before)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def _verdict(figures: Sequence[Figure], elapsed: float) -> str:
    missed = ", ".join(figure.name for figure in figures if figure.met is False)
    if not missed and all_met(figures):
        return f"every bar met in {duration(elapsed)}"
    return f"missed after {duration(elapsed)}: {missed or 'no figure had a bar'}"


def _drop_output() -> None:
    """Send what is left in stdout's buffer nowhere, or the interpreter fails on it at exit (code 120)."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
