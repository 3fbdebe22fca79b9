"""Leaderboard: a JSON file of submissions that were run here, and of others' that are still to be.

    board = Leaderboard("leaderboard.json")
    board.submit("folder")
    board.merge("others.json")      # those entries are unverified
    board.verify()                  # until they are run again here
    print(board.table())

Beside the file stands a folder, leaderboard.submissions, with a copy of each submission under its digest, so that
it can be run again, here or, if the folder is handed on with the file, elsewhere.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from tt_perf.benchmarking.json_files import read_json, write_json
from tt_perf.benchmarking.machine import describe_machine, hardware
from tt_perf.competition.errors import LeaderboardError, SubmissionError
from tt_perf.competition.extra import needed
from tt_perf.competition.figures import Figures
from tt_perf.competition.judging import MEMORY, SECONDS
from tt_perf.competition.scoring import front, score
from tt_perf.competition.submission import Submission
from tt_perf.competition.tasks import TASKS, task_named
from tt_perf.competition.verification import Verified, verify_submission
from tt_perf.words import in_bytes, in_seconds, rendered
from tt_tensor.errors import ArgumentError

__all__ = ["Entry", "Leaderboard", "submit"]

FORMAT = "tt-perf leaderboard 1"
FIELDS = {"digest", "submission", "figures", "verified"}


@dataclass(frozen=True)
class Entry:
    """One submission.

    Attributes:
        submission: what was submitted.
        figures: as they were measured: here, if it is verified.
        verified: whether it was run on the machine whose leaderboard this is.
    """

    submission: Submission
    figures: Figures
    verified: bool

    @property
    def name(self) -> str:
        """What it is called."""
        return self.submission.name

    @property
    def author(self) -> str:
        """Who made it."""
        return self.submission.author

    @property
    def digest(self) -> str:
        """By which it is known."""
        return self.submission.digest(self.figures.weights_sha256)

    @property
    def score(self) -> float:
        """See `scoring`."""
        return score(self.figures)

    def said(self) -> str:
        """The quality in words: "99.35 %" or "1.88 nats"."""
        if task_named(self.figures.task).by_loss:
            return f"{self.figures.quality:.4f} nats"
        return f"{100 * self.figures.quality:.2f} %"

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "digest": self.digest,
            "verified": self.verified,
            "submission": self.submission.to_dict(),
            "figures": self.figures.to_dict(),
        }

    @classmethod
    def from_dict(cls, found: Any, where: str) -> Entry:
        """What `to_dict` gave. Raises LeaderboardError for anything else."""
        if not isinstance(found, dict) or found.keys() != FIELDS or not isinstance(found["verified"], bool):
            raise LeaderboardError(f"{where} is no entry: it has {', '.join(sorted(FIELDS))}")
        try:
            made = cls(
                Submission.from_dict(found["submission"], "its submission"),
                Figures.from_dict(found["figures"], "its figures"),
                found["verified"],
            )
        except SubmissionError as error:
            raise LeaderboardError(f"{where} does not hold together: {error}") from error
        if made.digest != found["digest"] or made.figures.task != made.submission.task:
            raise LeaderboardError(
                f"{where} does not hold together: its digest is that of another submission"
            )
        task = task_named(made.figures.task)
        if made.figures.test_set_sha256 != task.sha256:
            raise LeaderboardError(f"{where} was measured on another test set than {task.name}'s")
        return made


class Leaderboard:
    """A leaderboard in a file, which need not be there yet.

    Changes are made under a lock and written aside, so several processes may submit at once. Raises LeaderboardError
    where the file is something else.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise LeaderboardError(f"{self.path} is a folder; a leaderboard is a file")
        self.store = self.path.with_suffix(".submissions")
        if self.path.exists():
            self._read()

    @property
    def entries(self) -> dict[str, Entry]:
        """All entries by digest, as the file has them now."""
        return self._read() if self.path.exists() else {}

    def submit(
        self,
        folder: str | PathLike[str],
        *,
        seconds: float = SECONDS,
        memory: int = MEMORY,
        download: bool = True,
    ) -> Entry:
        """Run a submission again and enter it, with the figures that were measured now.

        The same submission twice is one entry. Raises as `verify_submission`; then nothing is entered.
        """
        self._check_place()  # before time goes into it
        found = verify_submission(folder, seconds=seconds, memory=memory, download=download)
        return self._enter(found)

    def merge(self, other: str | PathLike[str]) -> int:
        """Take in another file's entries, and its copies of submissions where they are; how many were new.

        What came from there is unverified, whatever the file says, until `verify` has run it. An entry that is here
        already stays as it is.

        Raises LeaderboardError where the other file is none.
        """
        theirs = Leaderboard(other)
        if not theirs.path.is_file():
            raise LeaderboardError(f"there is no leaderboard {theirs.path}")
        entries = theirs.entries
        with self._locked() as mine:
            new = {
                digest: replace(entry, verified=False)
                for digest, entry in entries.items()
                if digest not in mine
            }
            mine |= new
            for digest in new:
                if not theirs.store.is_symlink() and (theirs.store / digest).is_dir():
                    self._keep_folder(digest, theirs.store / digest)
        return len(new)

    def verify(
        self,
        *,
        everything: bool = False,
        seconds: float = SECONDS,
        memory: int = MEMORY,
        download: bool = True,
    ) -> dict[str, str]:
        """Run again what was not run on this machine; what does not stand, is removed.

        Args:
            everything: run verified entries again, too.

        Returns the names of entries that are refused, or cannot be run for lack of a copy, with the reason. The
        latter stay, unverified.
        """
        here = hardware(describe_machine())
        refused: dict[str, str] = {}
        for digest, entry in self.entries.items():
            if entry.verified and hardware(entry.figures.machine) == here and not everything:
                continue
            folder = self.store / digest
            if not folder.is_dir():
                refused[entry.name] = f"there is no copy of it in {self.store} to run"
                self._mark(digest)
                continue
            try:
                found = verify_submission(folder, seconds=seconds, memory=memory, download=download)
                if found.digest != digest:
                    raise SubmissionError("its copy is another submission")
                self._enter(found)
            except SubmissionError as error:
                refused[entry.name] = str(error)
                with self._locked() as mine:
                    mine.pop(digest, None)
                shutil.rmtree(folder, ignore_errors=True)
        return refused

    def ranked(self, task: str) -> list[tuple[Entry, bool]]:
        """The entries of a task, verified ones first, then by score; and whether each is on the Pareto front.

        Only verified entries make the front.
        """
        task_named(task)
        own = {digest: entry for digest, entry in self.entries.items() if entry.figures.task == task}
        ahead = set(front({digest: entry.figures for digest, entry in own.items() if entry.verified}))
        order = sorted(own.items(), key=lambda item: (not item[1].verified, -item[1].score, item[0]))
        return [(entry, digest in ahead) for digest, entry in order]

    def table(self, task: str | None = None) -> str:
        """Each task's entries as text."""
        text = ""
        for name in TASKS if task is None else (task,):
            rows = [_row(rank, entry, ahead) for rank, (entry, ahead) in enumerate(self.ranked(name), 1)]
            if rows:
                heads = ("", "name", "score", "front", "quality", "one", "batch", "memory", "size", "kernels")
                text += rendered(heads, rows, title=name)
        return text or "no entries yet\n"

    __str__ = table

    def _enter(self, found: Verified) -> Entry:
        with self._locked() as mine:
            # Who was first is its author, whoever hands in a copy.
            first = mine[found.digest].submission if found.digest in mine else found.submission
            entry = mine[found.digest] = Entry(first, found.measured, True)
            self._keep_files(found.digest, found.files)
        return entry

    def _mark(self, digest: str) -> None:
        """It was not run here."""
        with self._locked() as mine:
            if digest in mine:
                mine[digest] = replace(mine[digest], verified=False)

    def _keep_folder(self, digest: str, folder: Path) -> None:
        """A copy of another board's copy, if that is safe to read; what is wrong with it comes out when it is run."""
        from tt_perf.competition.folder import read_folder

        try:
            self._keep_files(digest, read_folder(folder))
        except SubmissionError:
            return

    def _keep_files(self, digest: str, files: Mapping[str, bytes]) -> None:
        target = self.store / digest
        if target.is_dir():
            return
        aside = self.store / f".{digest[:16]}.{secrets.token_hex(4)}.part"
        aside.mkdir(parents=True)
        try:
            for name, contents in files.items():
                (aside / name).write_bytes(contents)
            aside.rename(target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _check_place(self) -> None:
        if not self.path.parent.is_dir():
            raise ArgumentError(f"leaderboard: {self.path.parent} is no folder to keep {self.path.name} in")

    @contextmanager
    def _locked(self) -> Iterator[dict[str, Entry]]:
        """The entries, to be changed; written when the block ends well."""
        self._check_place()
        lock = self.path.with_name(f".{self.path.name}.lock")
        with needed("tt_data.cache_lock").exclusive(lock):
            entries = self.entries
            yield entries
            write_json(
                self.path, {"format": FORMAT, "entries": [entry.to_dict() for entry in entries.values()]}
            )

    def _read(self) -> dict[str, Entry]:
        found = read_json(self.path)
        if (
            not isinstance(found, dict)
            or found.get("format") != FORMAT
            or not isinstance(found.get("entries"), list)
        ):
            raise LeaderboardError(
                f'{self.path} is no leaderboard: it lacks "format": {FORMAT!r} and entries'
            )
        entries: dict[str, Entry] = {}
        for number, one in enumerate(found["entries"], 1):
            entry = Entry.from_dict(one, f"{self.path}: entry {number}")
            if entry.digest in entries:
                raise LeaderboardError(f"{self.path}: entry {number} is there twice")
            entries[entry.digest] = entry
        return entries


def submit(
    folder: str | PathLike[str],
    leaderboard: str | PathLike[str] = "leaderboard.json",
    *,
    seconds: float = SECONDS,
    memory: int = MEMORY,
    download: bool = True,
) -> Entry:
    """`Leaderboard(leaderboard).submit(folder)`."""
    return Leaderboard(leaderboard).submit(folder, seconds=seconds, memory=memory, download=download)


def _row(rank: int, entry: Entry, ahead: bool) -> tuple[str, ...]:
    figures = entry.figures
    place = str(rank) if entry.verified else "unverified"
    return (
        place,
        f"{entry.name} ({entry.author})",
        f"{entry.score:.1f}",
        "●" if ahead else "",
        entry.said(),
        in_seconds(figures.latency_one),
        in_seconds(figures.latency_batch),
        in_bytes(figures.peak_memory),
        in_bytes(figures.size),
        figures.kernels,
    )
