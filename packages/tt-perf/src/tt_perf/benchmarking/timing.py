"""One turn: a function called often enough that the clock can tell, with the garbage collector off meanwhile.

seconds a call = (clock after `calls` calls - clock before) / calls
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import repeat
from time import perf_counter
from typing import Any

from tt_perf.benchmarking.errors import ContenderError

__all__ = ["Step", "Timer", "calibrated", "timed"]

Step = Callable[[], Any]
Timer = Callable[[], float]

MOST_CALLS = 1 << 22
"""Of a turn of 20 ms, each would take 5 ns, less than an empty loop."""


def timed(step: Step, calls: int, timer: Timer = perf_counter) -> float:
    """Seconds that one of `calls` calls takes. The loop itself, some 10 ns a call, is part of it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = timer()
        for _ in repeat(None, calls):
            step()
        return (timer() - start) / calls
    finally:
        if collecting:
            gc.enable()


def calibrated(step: Step, seconds: float, timer: Timer = perf_counter) -> int:
    """How many calls fill a turn of `seconds`; 1 for a step that takes longer.

    Raises ContenderError where the clock does not move.
    """
    calls = 1
    while True:
        each = timed(step, calls, timer)
        if each * calls >= seconds / 4:
            return max(1, round(seconds / each))
        calls *= 4
        if calls > MOST_CALLS:
            raise ContenderError(
                f"{MOST_CALLS:,} calls take {each * calls / 4:g} s by this timer: it stands still"
            )
