"""A folder of checkpoints: the last few and the best of a training run, each of them whole."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from tt_optim.ranges import CHOICE, COUNT, FLAG, number
from tt_optim.training.aside import Aside, clean
from tt_optim.training.checkpoint_file import Contents, inspect, pack, read
from tt_optim.training.errors import CheckpointError, CheckpointWarning, StateError

__all__ = ["CheckpointStore"]

HISTORY = "history.jsonl"
"""Where the history of the run is written, beside its checkpoints."""

NAME = re.compile(r"step-(\d{8}|[1-9]\d{8,})\.safetensors", re.ASCII)

Signature = tuple[int, int, int]
"""Inode, size and time of the last write: a file that still has them still has its contents."""


class CheckpointStore:
    """Checkpoints of a training run in one folder, `step-00001200.safetensors` and so on.

    A checkpoint is written aside, flushed to the disk and renamed, so the folder holds whole ones only, whenever
    the process or the machine stops. A sha256 digest over every byte tells what was damaged later. Which one is
    best is read from the files themselves.

    The order is that of the steps. A run that goes back to an earlier step, to continue in another way, gets a
    folder of its own. Several processes may use one folder, with the same settings: each sees the checkpoints of all.

    Args:
        folder: made if it is not there. What dead runs left half-written in it is removed.
        keep_last: how many of the last good checkpoints to keep, at least 1.
        keep_best: whether to keep also the one with the best score.
        mode: "min" if a smaller score is better (a loss), "max" if a larger one is (an accuracy).

    >>> import tempfile
    >>> import tt_tensor as tt
    >>> from tt_optim.training.store import CheckpointStore
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = CheckpointStore(folder.name, keep_last=2)
    >>> for step, loss in [(10, 0.5), (20, 0.3), (30, 0.4), (40, 0.6)]:
    ...     path = store.save({"model": {"weight": tt.ones(2)}, "epoch": step // 10}, step, loss)
    >>> [path.name for path in store.checkpoints()]
    ['step-00000020.safetensors', 'step-00000030.safetensors', 'step-00000040.safetensors']
    >>> store.best().name, store.load()["epoch"]
    ('step-00000020.safetensors', 4)
    >>> folder.cleanup()
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        keep_last: int = 3,
        keep_best: bool = True,
        mode: Literal["min", "max"] = "min",
    ) -> None:
        self.keep_last = COUNT(1)("CheckpointStore: keep_last", keep_last)
        self.keep_best = FLAG("CheckpointStore: keep_best", keep_best)
        self.mode = CHOICE("min", "max")("CheckpointStore: mode", mode)
        self.folder = Path(folder).absolute()  # a run may change its working folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._seen: dict[Path, tuple[Signature, Contents | None]] = {}
        clean(self.folder, NAME)

    def __repr__(self) -> str:
        return (
            f"CheckpointStore({str(self.folder)!r}, keep_last={self.keep_last}, keep_best={self.keep_best}, "
            f"mode={self.mode!r})"
        )

    def save(self, state: Mapping[str, Any], step: int, score: float | None = None) -> Path:
        """Write a checkpoint, then remove the good ones that are neither among the last nor best.

        A checkpoint of the same step is replaced. One that is damaged, or of another version, is never removed
        and does not count. A score that is not finite is kept but is never the best.

        Args:
            state: dicts (keys are text or integers), lists, tuples, text, integers of any size, floats, bools, None,
                NumPy scalars and arrays, Tensors, in any nesting. It comes back bit for bit, with these changes: any
                Mapping is a dict, any Tensor (a Parameter) a Tensor without gradient, arrays are C-contiguous and
                those that shared memory no longer do.
            step: the number of the step, at least 0.
            score: what `mode` judges; None if it has not been measured.

        Raises StateError that names the place of anything else in `state`, before a file is touched; OSError where
        the disk refuses, and the checkpoints that were there are then as they were. A checkpoint that should go
        but may not be removed is a CheckpointWarning.
        """
        step = COUNT(0)("save: step", step)
        if score is not None:
            score = number("save: score", score)
        if not isinstance(state, Mapping):
            raise StateError(f"save: a state is a dict, not {type(state).__name__}")
        contents = Contents(step, score, dict(state))
        packed = pack(contents)
        path = self.folder / f"step-{step:08d}.safetensors"
        with Aside(path) as file:
            packed.write(file.write)
            status = file.commit()
        self._seen[path] = _signature(status), Contents(step, score, {})
        self._prune(path)
        return path

    def load(self, path: str | PathLike[str] | None = None) -> dict[str, Any]:
        """The state of a checkpoint; without a path, that of the newest good one.

        The digest is compared first, with 1 MB of memory; nothing that the file says is believed before.

        Raises CheckpointError if the file is not a whole checkpoint, and says why and which is the newest good one
        beside it. Without a path, bad ones are passed over, with a CheckpointWarning that names them and why; the
        error comes if none is good, or there is none (`newest()` is None in both cases).
        """
        if path is not None:
            return self._load_named(Path(path))
        bad: dict[Path, str] = {}
        candidates = self.checkpoints()
        while candidates:
            candidate = candidates.pop()
            try:
                state = read(candidate).state
            except CheckpointError as error:
                if isinstance(error.__cause__, FileNotFoundError):
                    # Another process pruned it since it was listed, so there are newer ones.
                    candidates = [path for path in self.checkpoints() if path not in bad]
                else:
                    bad[candidate] = str(error)
                continue
            if bad:
                told = "; ".join(bad.values())
                message = f"load: went back to {candidate.name}, because {told}"
                warnings.warn(message, CheckpointWarning, stacklevel=2)
            return state
        if bad:
            raise CheckpointError(f"load: no checkpoint in {self.folder} is good: {'; '.join(bad.values())}")
        raise CheckpointError(f"load: there is no checkpoint in {self.folder}; save one first")

    def newest(self) -> Path | None:
        """The newest checkpoint whose digest is right, read through now; None if there is none."""
        return _newest(self.folder)

    def best(self) -> Path | None:
        """The good checkpoint with the best finite score, the earliest of equals; None if there is none."""
        good = self._good()
        while (path := self._best_of(good)) is not None:
            try:
                inspect(path)  # now, and not only when it was last seen
                return path
            except CheckpointError:
                del good[path]
        return None

    def checkpoints(self) -> list[Path]:
        """All checkpoints in the folder, oldest first, whatever their condition."""
        return _listed(self.folder)

    def clear(self) -> None:
        """Remove all checkpoints, and the history beside them, so that another run may begin here."""
        for path in [*self.checkpoints(), self.folder / HISTORY]:
            path.unlink(missing_ok=True)

    def _load_named(self, path: Path) -> dict[str, Any]:
        try:
            return read(path).state
        except CheckpointError as error:
            other = _newest(path.parent, apart_from=path.name)
            advice = (
                f"the newest good checkpoint beside it is {other.name}"
                if other
                else f"there is no good checkpoint beside it in {path.parent}"
            )
            raise CheckpointError(f"load: {error}; {advice}") from error

    def _good(self) -> dict[Path, Contents]:
        """Every good checkpoint, oldest first. A file that this store knows is not read again while it is unchanged."""
        seen = {}
        for path in self.checkpoints():
            try:
                signature = _signature(path.stat())
            except OSError:  # another process pruned it
                continue
            found = self._seen.get(path)
            if found is None or found[0] != signature:
                try:
                    contents = inspect(path)
                    found = signature, Contents(contents.step, contents.score, {})
                except CheckpointError:
                    found = signature, None
            seen[path] = found
        self._seen = seen
        return {path: contents for path, (_, contents) in seen.items() if contents is not None}

    def _best_of(self, good: Mapping[Path, Contents]) -> Path | None:
        sign = 1 if self.mode == "min" else -1
        scores = {
            path: sign * contents.score
            for path, contents in good.items()
            if contents.score is not None and math.isfinite(contents.score)
        }
        return min(scores, key=lambda path: scores[path], default=None)

    def _prune(self, saved: Path) -> None:
        if len(self.checkpoints()) <= self.keep_last:
            return
        good = self._good()
        keep = {saved, *list(good)[-self.keep_last :]}
        if self.keep_best:
            keep.add(self._best_of(good) or saved)
        for path in good:
            if path in keep:
                continue
            try:
                # Another process may have put a better one in its place meanwhile.
                if _signature(path.stat()) == self._seen[path][0]:
                    path.unlink()
            except FileNotFoundError:
                pass
            except OSError as error:
                warnings.warn(
                    f"save: {path} is no longer needed but cannot be removed: {error.strerror or error}",
                    CheckpointWarning,
                    stacklevel=3,
                )


def _listed(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        found = [
            (match, entry) for entry in entries if (match := NAME.fullmatch(entry.name)) and entry.is_file()
        ]
    return [Path(entry.path) for match, entry in sorted(found, key=lambda pair: int(pair[0][1]))]


def _newest(folder: Path, apart_from: str = "") -> Path | None:
    try:
        listed = _listed(folder)
    except OSError:
        return None
    for path in reversed(listed):
        if path.name != apart_from:
            try:
                inspect(path)
                return path
            except CheckpointError:
                pass
    return None


def _signature(status: os.stat_result) -> Signature:
    return status.st_ino, status.st_size, status.st_mtime_ns
