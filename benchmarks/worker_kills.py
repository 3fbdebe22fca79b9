"""Trouble in the workers of a DataLoader at random moments, as often as asked: told in time, and nobody stays behind.

Each time a loader with 1 to 4 workers runs, and after a random time one of them is

    killed      SIGKILL from outside
    stopped     SIGSTOP from outside: it is there, and answers nothing
    hung        its dataset sleeps for ever
    spun        its dataset computes for ever
    left        its dataset ends the process (os._exit)
    raised      its dataset raises

The report is the WorkerError in the main process. Measured is the time from the trouble to the report; where nothing
but the clock can tell (stopped, hung, spun), the loader's timeout of --timeout seconds is part of it. Counted are
reports that name another worker or no place, and processes that are left half a second later.

A process beside it looks at the clock 20 times a second. Where it misses more than half a second, somebody held up the
whole machine (or all of its processes), and that time is done again; how often that happened is printed.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import re
import signal
import statistics
import sys
import threading
import time
from typing import Any

from duel import MET, MISSED

TROUBLES = ("killed", "stopped", "hung", "spun", "left", "raised")
BAR = 5.0
"""Seconds within which trouble is reported."""
LONGEST = 0.6
"""Seconds after which it happens at the latest."""
HELD_UP = 0.5
"""Seconds for which a process that only looks at the clock was not let to do so."""


def episode(kind: str, moments: random.Random, timeout: float) -> dict[str, Any]:
    """One loader, one trouble: how long the report took, whether it is right, how many processes stayed."""
    import numpy as np

    from tt_data import DataLoader, Dataset, WorkerError, get_worker_info

    shared = mmap.mmap(-1, 16)  # [worker that is to do it + 1 (8 bytes), when it did (8 bytes)]
    order, moment = memoryview(shared).cast("q"), memoryview(shared).cast("d")

    class Work(Dataset):
        def __len__(self) -> int:
            return 1_000_000

        def __getitem__(self, index: int) -> Any:
            info = get_worker_info()
            if info is not None and order[0] == info.id + 1:
                moment[1] = time.monotonic()
                order[0] = 0
                if kind == "hung":
                    time.sleep(1e6)
                while kind == "spun":
                    pass
                if kind == "left":
                    os._exit(7)
                raise ValueError(f"index {index} is bad")
            time.sleep(pause)
            return np.full((16, 16), index, np.float32), index

    class WorkInBatches(Work):
        def __getitems__(self, indices: list[int]) -> Any:
            return [self[index] for index in indices]

    workers, pause = moments.randint(1, 4), moments.choice([0.0, 0.0002, 0.002])
    dataset = moments.choice([Work, WorkInBatches])()
    loader = DataLoader(
        dataset,
        moments.choice([1, 8, 32]),
        shuffle=True,
        num_workers=workers,
        timeout=timeout,
        prefetch_factor=3,
    )
    victim, after, steps = moments.randrange(workers), moments.uniform(0, LONGEST), moments.uniform(0, 0.01)
    iterator: Any = iter(loader)
    pids = [process.pid for process in iterator.pool.processes]

    def strike() -> None:
        time.sleep(after)
        if kind in ("killed", "stopped"):
            moment[1] = time.monotonic()
            os.kill(pids[victim], signal.SIGKILL if kind == "killed" else signal.SIGSTOP)
        else:
            order[0] = victim + 1

    threading.Thread(target=strike, daemon=True).start()
    batches, message = 0, ""
    try:
        for _ in iterator:
            batches += 1
            time.sleep(steps)  # what a training step takes
    except WorkerError as error:
        message = str(error)
    took = time.monotonic() - moment[1]
    named = re.search(rf"worker {victim} of {workers} \(pid {pids[victim]}\)", message)
    placed = re.search(r"(index \d+, sample \d+ of batch \d+)|(batch \d+, ind(ex|ices) \d+)", message)
    time.sleep(0.5)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return {
        "kind": kind,
        "workers": workers,
        "seconds": took,
        "batches": batches,
        "right": bool(named and placed),
        "left": len(left),
        "message": message.splitlines()[0] if message else "no error",
    }


class Clock:
    """A process that looks at the clock, and notes the longest time in which it could not."""

    def __init__(self) -> None:
        self.shared = memoryview(mmap.mmap(-1, 16)).cast("d")
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            last = time.monotonic()
            while os.getppid() == parent:
                time.sleep(0.05)
                now = time.monotonic()
                self.shared[0] = max(self.shared[0], now - last)
                last = now
            os._exit(0)

    def start(self) -> None:
        self.shared[0] = 0.0

    def held_up(self) -> float:
        """Seconds, since `start`."""
        time.sleep(0.1)
        return self.shared[0]

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def alive(pid: int) -> bool:
    """Whether a process is there, a zombie too: the loader is to take its workers' ends."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=100, help="how many troubles (default 100)")
    p.add_argument("--timeout", type=float, default=2.0, help="of the loader, in seconds (default 2)")
    p.add_argument("--seed", type=int, default=None, help="of the moments (default: another each time)")
    p.add_argument("--json", metavar="FILE", help="write the record here")
    options = p.parse_args()
    if options.kills < 1:
        p.error("--kills must be positive")
    if not hasattr(os, "fork"):
        sys.exit("the datasets of this script reach workers by fork alone")
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    moments, began = random.Random(seed), time.monotonic()
    found: list[dict[str, Any]] = []
    clock, again = Clock(), 0
    while len(found) < options.kills:
        number = len(found)
        clock.start()
        result = episode(TROUBLES[number % len(TROUBLES)], moments, options.timeout)
        if clock.held_up() > HELD_UP:
            again += 1
            continue
        found.append(result)
        if result["seconds"] > BAR or not result["right"] or result["left"]:
            print(f"  {number}: {result}", flush=True)
    clock.stop()
    print(f"{again} times done again, because the machine was held up")
    print(
        f"seed {seed}, timeout {options.timeout:g} s, {len(found)} troubles, {time.monotonic() - began:.0f} s\n"
    )
    print(f"{'':8} {'times':>6} {'median':>9} {'longest':>9}")
    for kind in (*TROUBLES, "all"):
        times = [each["seconds"] for each in found if kind in ("all", each["kind"])]
        if times:
            print(f"{kind:8} {len(times):6} {statistics.median(times):8.3f} s {max(times):7.3f} s")
    late = sum(each["seconds"] > BAR for each in found)
    wrong, left = sum(not each["right"] for each in found), sum(each["left"] for each in found)
    print(f"\nlater than {BAR:g} s: {late}   wrong worker or no place: {wrong}   processes left: {left}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"seed": seed, "timeout": options.timeout, "troubles": found}, file, indent=1)
    return MISSED if late or wrong or left else MET


if __name__ == "__main__":
    sys.exit(main())
