"""What a benchmark has to know about the machine it runs on: its description, who else uses it, its malloc.

Only the standard library is used, so that every contender's interpreter can import this file. What a system
does not offer (``/proc`` outside Linux, ``mallopt`` outside glibc) is reported as missing, never as an
error.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

# (parameter, value) of glibc's mallopt, from malloc.h. Blocks up to 32 MiB (the most glibc accepts on 64
# bits) come from the heap instead of fresh, page-faulting mappings, and freed memory stays with the
# process.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
MALLOC_TUNING = (
    (M_MMAP_THRESHOLD, 32 * 2**20),
    (M_TRIM_THRESHOLD, 2**31 - 1),
    (M_TOP_PAD, 256 * 2**20),
)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def describe() -> dict[str, object]:
    """The machine in words that make a figure comparable; no host name, no path."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "logical_cpus": os.cpu_count(),
        "memory_gib": _memory_gib(),
    }


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that hold every numerical library to `threads` threads."""
    return {variable: str(threads) for variable in THREAD_VARIABLES}


def tune_malloc() -> bool:
    """Apply ``MALLOC_TUNING`` to this process; True when the C library accepted all of it."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(
        mallopt(ctypes.c_int(parameter), ctypes.c_int(value)) == 1 for parameter, value in MALLOC_TUNING
    )


def raise_priority(by: int = 10) -> bool:
    """Ask the scheduler to prefer this process; False where that is not allowed (it needs privileges)."""
    try:
        os.nice(-by)
    except (AttributeError, OSError):
        return False
    return True


def resident_bytes() -> int | None:
    """Resident set size of this process in bytes; None where /proc is missing."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


class ForeignLoad:
    """CPU time that processes other than `pids` and this one used since `start()`, in seconds.

    The whole machine's busy time (user, nice, system, irq, softirq, steal) minus our own, from Linux's
    /proc. The clock ticks 100 times a second, so a single tick says nothing. Elsewhere `used()` is None:
    nobody watches.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = (*pids, os.getpid())
        self.watching = os.path.exists("/proc/stat") and hasattr(os, "sysconf")
        self.tick = 1 / os.sysconf("SC_CLK_TCK") if self.watching else 0.0
        self._at_start = 0

    @staticmethod
    def _busy_ticks() -> int:
        with open("/proc/stat", encoding="ascii") as lines:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, lines.readline().split()[1:9])
        return user + nice + system + irq + softirq + steal

    @staticmethod
    def _process_ticks(pid: int) -> int:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            after_name = stat.read().rpartition(")")[2].split()
        return sum(map(int, after_name[11:15]))  # utime and stime of all threads, and of children waited for

    def _foreign_ticks(self) -> int:
        return self._busy_ticks() - sum(map(self._process_ticks, self._pids))

    def start(self) -> None:
        if self.watching:
            self._at_start = self._foreign_ticks()

    def used(self) -> float | None:
        return (self._foreign_ticks() - self._at_start) * self.tick if self.watching else None
