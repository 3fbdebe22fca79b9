"""What every milestone shares: options, progress, figures with bars, pictures, digits, exit codes.

``from milestone_kit import Milestone, Session`` is enough for a program. The pictures and the digits are
in :mod:`milestone_kit.pictures`, :mod:`milestone_kit.boundary` and :mod:`milestone_kit.digits`; they need
NumPy and are imported where they are used, so that ``--help`` stays fast. :mod:`milestone_kit.training` needs the
extra ``training``.
"""

from __future__ import annotations

from milestone_kit.interrupt import silent_interrupt

with silent_interrupt():
    from milestone_kit.errors import DigitsError, KitError, UsageError, WriteError
    from milestone_kit.figures import Figure
    from milestone_kit.milestone import Milestone, Session
    from milestone_kit.options import Options, Parser, number, whole
    from milestone_kit.progress import Progress

__all__ = [
    "DigitsError",
    "Figure",
    "KitError",
    "Milestone",
    "Options",
    "Parser",
    "Progress",
    "Session",
    "UsageError",
    "WriteError",
    "number",
    "whole",
]
