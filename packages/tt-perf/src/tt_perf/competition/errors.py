"""Why a submission is refused. Each reason has its error, so that nobody has to read a message to tell them apart."""

from __future__ import annotations

from tt_perf.benchmarking.errors import ResultFileError
from tt_tensor.errors import TTError

__all__ = [
    "FiguresError",
    "JudgeError",
    "LeaderboardError",
    "SealError",
    "SubmissionError",
    "TestSetError",
    "UnsafeSubmissionError",
]


class SubmissionError(TTError, ValueError):
    """A submission is refused: a file is missing or is not what it should be."""


class UnsafeSubmissionError(SubmissionError):
    """A submission holds what might harm: links, further files, too many bytes, shapes that do not fit their bytes,
    names that lead elsewhere, values that are no numbers."""


class SealError(SubmissionError):
    """Weights, submission or figures were changed after the figures were measured: a digest does not match."""


class TestSetError(SubmissionError):
    """The figures were measured on another test set than the task's, or the one that is here is another."""

    __test__ = False  # pytest would take the name for a class of tests


class FiguresError(SubmissionError):
    """The figures are not what is measured here. The message lists each that differs."""


class JudgeError(SubmissionError):
    """The submission could not be run: it failed, took too long, or needed too much memory."""


class LeaderboardError(ResultFileError):
    """A file is no leaderboard, or its entries contradict themselves."""
