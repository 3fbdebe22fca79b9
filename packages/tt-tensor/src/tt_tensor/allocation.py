"""Allocation: let freed memory stay with the process, so that large arrays need not be fetched page by page.

A training makes and frees the same large arrays in each step. glibc gives most of what is freed back to the system,
and every page of it costs a fault when it is touched anew: up to a third of a step. `keep_freed_memory` asks it to keep
what was freed. It changes the whole process, so nothing here calls it by itself.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

__all__ = ["keep_freed_memory"]

# (parameter, value) of mallopt(3).
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
KEEP = (
    (MMAP_THRESHOLD, 32 << 20),  # the most that it accepts: larger blocks come from the system, as before
    (TRIM_THRESHOLD, 2**31 - 1),
    (TOP_PAD, 64 << 20),
)


def keep_freed_memory() -> bool:
    """Blocks of up to 32 MiB that are freed stay with the process, for the next array. False where that cannot be had.

    For glibc on Linux; elsewhere, and with TT_MALLOC=0 in the environment, nothing happens. The process keeps the most
    memory that it ever used. Safe to call again.
    """
    if os.environ.get("TT_MALLOC") == "0":
        return False
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(ctypes.c_int(parameter), ctypes.c_int(value)) == 1 for parameter, value in KEEP)
