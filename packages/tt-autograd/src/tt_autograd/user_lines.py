"""The line of the user's code that is running: where in their file an operation was asked for."""

from __future__ import annotations

import sys
import traceback
from itertools import islice
from types import CodeType, FrameType

__all__ = ["Line"]


class Line:
    """A place in a file. Printed as in a traceback, with the text of the line and the part of it that ran.

    It holds the code object and a number, no frame, so none of the variables stay alive.
    """

    __slots__ = ("at", "code")

    def __init__(self, code: CodeType, at: int) -> None:
        self.code, self.at = code, at

    @classmethod
    def here(cls) -> Line:
        """The innermost frame outside of NumPy and the tt wheels; the outermost of all, if there is no other."""
        frame = outermost = sys._getframe(1)
        while _is_ours(frame):
            outermost = frame
            if frame.f_back is None:
                frame = outermost
                break
            frame = frame.f_back
        return cls(frame.f_code, frame.f_lasti)

    @property
    def filename(self) -> str:
        """The file, as Python names it ("<stdin>" and the like where there is none)."""
        return self.code.co_filename

    @property
    def lineno(self) -> int:
        """The number of the line, from 1."""
        return self._positions()[0] or self.code.co_firstlineno

    def _positions(self) -> tuple[int | None, int | None, int | None, int | None]:
        none = (None, None, None, None)
        return next(islice(self.code.co_positions(), max(self.at, 0) // 2, None), none)

    def __str__(self) -> str:
        _, end_lineno, colno, end_colno = self._positions()
        summary = traceback.FrameSummary(
            self.filename,
            self.lineno,
            self.code.co_name,
            lookup_line=False,
            end_lineno=end_lineno,
            colno=colno,
            end_colno=end_colno,
        )
        return "".join(traceback.StackSummary.from_list([summary]).format()).rstrip("\n")


def _is_ours(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return package.startswith("tt_") or package == "numpy"
