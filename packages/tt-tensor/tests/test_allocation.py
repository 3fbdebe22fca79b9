"""Freed memory is kept: measured in page faults, in a process of its own, because it changes the whole process."""

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, numpy as np
from tt_tensor.allocation import keep_freed_memory
kept = keep_freed_memory()
def work():
    for _ in range(5):
        arrays = [np.ones(1 << 20, np.float64) for _ in range(16)]  # 8 MiB each
        del arrays
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")


def faults(**environment):
    # Huge pages, where NumPy asks for them, would make few faults of many.
    environment = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0", **environment}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True
    )
    kept, count = done.stdout.split()
    return kept == "True", int(count)


@glibc
def test_large_arrays_need_no_new_pages():
    kept, few = faults()
    not_kept, many = faults(TT_MALLOC="0")
    assert (kept, not_kept) == (True, False)
    assert few * 20 < many


@pytest.mark.skipif(platform.libc_ver()[0] == "glibc", reason="glibc can")
def test_elsewhere_it_says_that_it_cannot():
    from tt_tensor.allocation import keep_freed_memory

    assert keep_freed_memory() is False
