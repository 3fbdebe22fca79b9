"""tt_perf.competition: small and fast models against each other, on figures that are measured again.

tt_perf.prepare_submission(model, "mnist", "mine", name="LeNet", author="Ada")
tt_perf.competition.submit("mine", "leaderboard.json")
"""

from tt_perf.competition.errors import (
    FiguresError,
    JudgeError,
    LeaderboardError,
    SealError,
    SubmissionError,
    TestSetError,
    UnsafeSubmissionError,
)
from tt_perf.competition.figures import Figures
from tt_perf.competition.leaderboard import Entry, Leaderboard, submit
from tt_perf.competition.preparing import prepare_submission
from tt_perf.competition.scoring import score
from tt_perf.competition.submission import Submission
from tt_perf.competition.tasks import TASKS, Task
from tt_perf.competition.verification import Verified, verify_submission

__all__ = [
    "TASKS",
    "Entry",
    "Figures",
    "FiguresError",
    "JudgeError",
    "Leaderboard",
    "LeaderboardError",
    "SealError",
    "Submission",
    "SubmissionError",
    "Task",
    "TestSetError",
    "UnsafeSubmissionError",
    "Verified",
    "prepare_submission",
    "score",
    "submit",
    "verify_submission",
]
