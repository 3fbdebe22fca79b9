"""verify_submission: believe nothing, measure again.

1. Read the three files, once, and check that they are what they should be (`folder`, `weights_check`).
2. Check that they belong together: digests and seal.
3. Build and measure the network in a process of its own, on the task's own test set.
4. Compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from typing import Any

from tt_perf.benchmarking.errors import ResultFileError
from tt_perf.benchmarking.json_files import parse
from tt_perf.competition.errors import FiguresError, SealError, SubmissionError, TestSetError
from tt_perf.competition.figures import Figures, differences
from tt_perf.competition.folder import FIGURES, SUBMISSION, WEIGHTS, read_folder
from tt_perf.competition.judging import MEMORY, SECONDS, judged
from tt_perf.competition.loading import scheme_named
from tt_perf.competition.submission import Submission
from tt_perf.competition.tasks import load_test_set, task_named
from tt_perf.competition.weights_check import check_weights

__all__ = ["Verified", "inspected", "measured", "verify_submission"]

ATTEMPTS = 3
"""Times that it is measured, where only latencies differ."""


@dataclass(frozen=True)
class Verified:
    """A submission that stands.

    Attributes:
        submission: what was submitted.
        digest: by which it is known, see `Submission.digest`.
        claimed, measured: figures, of those who submitted it and of this machine.
        files: the contents of its folder, as they were checked.
    """

    submission: Submission
    digest: str
    claimed: Figures
    measured: Figures
    files: Mapping[str, bytes]


def verify_submission(
    folder: str | PathLike[str], *, seconds: float = SECONDS, memory: int = MEMORY, download: bool = True
) -> Verified:
    """Check a submission and run it again.

    Args:
        folder: what `prepare_submission` wrote.
        seconds, memory: what the process that runs it gets.
        download: whether a test set that is not here may be fetched.

    Raises, all of them SubmissionError: UnsafeSubmissionError for files that might harm, SealError where files do not
    belong together, TestSetError for figures of another test set, JudgeError where it cannot be run, FiguresError
    where the figures are not what is measured here.
    """
    files = read_folder(folder)
    submission, claimed = inspected(files)
    for left in reversed(range(ATTEMPTS)):
        found = measured(submission, files, seconds=seconds, memory=memory, download=download)
        wrong = differences(task_named(submission.task), claimed, found)
        # A machine that is busy just now is no reason to refuse anybody.
        if not left or not wrong or not all(one.startswith("latency") for one in wrong):
            break
    if wrong:
        raise FiguresError(f"{folder}: the figures do not stand: {'; '.join(wrong)}")
    return Verified(submission, submission.digest(found.weights_sha256), claimed, found, files)


def inspected(files: Mapping[str, bytes]) -> tuple[Submission, Figures]:
    """Submission and figures, as far as they can be told to be in order without running anything.

    Raises SubmissionError, UnsafeSubmissionError, SealError or TestSetError.
    """
    submission = submission_in(files)
    claimed = Figures.from_dict(_parsed(files, FIGURES))
    task = task_named(submission.task)
    for name, of in (("weights_sha256", WEIGHTS), ("submission_sha256", SUBMISSION)):
        if getattr(claimed, name) != _sha256(files[of]):
            raise SealError(f"{of} is not the file that the figures were measured on: its sha256 is another")
    if claimed.task != task.name:
        raise SealError(f"the figures are of {claimed.task}, the submission is for {task.name}")
    if claimed.test_set_sha256 != task.sha256:
        raise TestSetError(
            f"the figures were measured on another test set, with sha256 {claimed.test_set_sha256}; that of "
            f"{task.name} is {task.sha256}"
        )
    if claimed.kernels != submission.kernels:
        raise SealError(f"the figures are of kernels {claimed.kernels!r}, not of {submission.kernels!r}")
    return submission, claimed


def submission_in(files: Mapping[str, bytes]) -> Submission:
    """What is submitted, with weights that hold together. Raises SubmissionError and UnsafeSubmissionError."""
    submission = Submission.from_dict(_parsed(files, SUBMISSION))
    scheme = scheme_named(check_weights(files[WEIGHTS]))
    if scheme != submission.quantization:
        raise SubmissionError(
            f"the weights are quantized as {scheme or 'nothing'}, the submission says "
            f"{submission.quantization or 'nothing'}"
        )
    return submission


def measured(
    submission: Submission, files: Mapping[str, bytes], *, seconds: float, memory: int, download: bool
) -> Figures:
    """What the judge finds. Raises as `judged`, and what the data set raises where it cannot be had."""
    task = task_named(submission.task)
    load_test_set(task, download)  # The judge neither downloads nor unpacks.
    asked = {name: files[name] for name in (SUBMISSION, WEIGHTS)}
    found: dict[str, Any] = judged(asked, seconds=seconds, memory=memory)
    if found["test_set_sha256"] != task.sha256:
        raise TestSetError(f"{task.name}: the judge found another test set")
    return Figures(
        task=task.name,
        size=len(files[WEIGHTS]),
        kernels=submission.kernels,
        how="by tt-perf's judge: processor time in turns with the reference network, traced memory of one batch",
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        weights_sha256=_sha256(files[WEIGHTS]),
        submission_sha256=_sha256(files[SUBMISSION]),
        **found,
    )


def _parsed(files: Mapping[str, bytes], name: str) -> Any:
    try:
        return parse(files[name], name)
    except ResultFileError as error:
        raise SubmissionError(str(error)) from error


def _sha256(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()
