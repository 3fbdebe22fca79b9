"""A contender's own process: it stays, and takes its turns when told to.

Orders come as JSON lines on stdin, answers leave as JSON lines on what was stdout (what the contender prints goes to
stderr). The first line says who it is: {"name", "path", "threads", "slice", "warm_up"}. The end of stdin, which is
also what the death of the parent looks like, ends the process.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

__all__ = ["serve"]


def serve() -> None:
    """Answer orders until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        order = json.loads(sys.stdin.readline())
        sys.path[:] = order["path"]
        from tt_perf.benchmarking.naming import found
        from tt_perf.benchmarking.threads import limited
        from tt_perf.benchmarking.timing import calibrated, timed

        step = found(order["name"])
        with limited(order["threads"]):
            for _ in range(order["warm_up"]):
                step()
            calls = calibrated(step, order["slice"])
            answer(calls=calls)
            for _ in sys.stdin:
                answer(seconds=timed(step, calls))
    except Exception as error:
        answer(error=str(error), kind=type(error).__name__, trace=traceback.format_exc())
    except KeyboardInterrupt:  # Ctrl-C is for all processes of a terminal; who gave the orders says so
        sys.exit(130)


if __name__ == "__main__":
    serve()
