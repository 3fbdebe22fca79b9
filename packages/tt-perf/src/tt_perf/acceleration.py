"""accelerate: compiled kernels under an unchanged model.

tt_perf.accelerate()              # from now on, in the whole process

with tt_perf.accelerate():        # or for a while
    trainer.fit(...)
"""

from __future__ import annotations

import importlib.util
import sys
import threading
import weakref
from types import TracebackType

from tt_nn import shards
from tt_perf.compiled.table import KERNELS, NAME, operations
from tt_perf.late import Late
from tt_tensor import kernels
from tt_tensor.allocation import keep_freed_memory
from tt_tensor.errors import ArgumentError

__all__ = ["Acceleration", "accelerate", "accelerated", "compiled_operations", "load_kernels"]

MISSING = "tt_perf.accelerate: numba is not installed, so NumPy's kernels go on; pip install 'tt-perf[numba]' brings it"


_lock = threading.RLock()
_going: list[weakref.ref[Acceleration]] = []
"""Those that somebody may still undo, in their order."""


class Acceleration:
    """What `accelerate` switched on: a context manager that switches it off at its end, or `undo()` does.

    Attributes:
        kernels: whether compiled kernels run.
        malloc: whether freed memory stays with the process. That is not undone.
    """

    def __init__(self, kernels_on: bool, malloc: bool, before: tuple[str | None, int]) -> None:
        self.kernels, self.malloc, self._before = kernels_on, malloc, before
        self._undone = False
        _going[:] = [ref for ref in _going if ref() is not None] + [weakref.ref(self)]

    def undo(self) -> None:
        """Back to the kernels and the number of threads from before. A second call does nothing.

        Where a later one is still on (blocks in two threads that overlap), all stays until that one is undone.
        """
        with _lock:
            if self._undone:
                return
            self._undone = True
            going = [one for one in (ref() for ref in _going) if one is not None]
            place = going.index(self)
            later = going[place + 1 :]
            _going[:] = [weakref.ref(one) for one in going if one is not self]
            if later:
                later[0]._before = self._before
                return
            name, threads = self._before
            kernels.prefer(name)
            shards.set_num_threads(threads)

    def __enter__(self) -> Acceleration:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()

    def __repr__(self) -> str:
        return f"Acceleration(kernels={self.kernels}, malloc={self.malloc})"


def accelerate(*, compiled: bool = True, malloc: bool = True, threads: int | None = None) -> Acceleration:
    """Run on compiled kernels wherever there is one, in the whole process; models and scripts stay as they are.

    Results are the same but for rounding, within the tolerances that docs name for each kernel. A kernel is compiled
    when it is first needed, which is said once on the standard error, and kept on disk for the next process.

    Args:
        compiled: whether numba's kernels run. Where numba is missing, one line says so and NumPy's go on.
        malloc: whether freed memory stays with the process (`tt_tensor.allocation.keep_freed_memory`), which spares
            page faults. It changes the whole process and lasts; TT_MALLOC=0 in the environment forbids it.
        threads: for how many threads batches are cut (`tt_nn.shards.set_num_threads`); None leaves that as it is.

    Raises ArgumentError for a number of threads below 1.
    """
    with _lock:
        before = (kernels.preferred(), shards.get_num_threads())
        if threads is not None:
            shards.set_num_threads(threads)
        on = compiled and _have_numba()
        if on:
            for operation, place in KERNELS.items():
                if operation not in kernels.operations() or NAME not in kernels.names(operation):
                    kernels.register(operation, NAME, Late(place))
            kernels.prefer(NAME)
            shards.prefer()
        return Acceleration(on, malloc and keep_freed_memory(), before)


def accelerated() -> bool:
    """Do compiled kernels run where nothing else is chosen?"""
    return kernels.preferred() == NAME


def compiled_operations() -> list[str]:
    """The operations that run on compiled kernels now: none unless accelerated, and of imported wheels only."""
    return operations() if accelerated() else []


def load_kernels(*operations: str) -> list[str]:
    """Import the compiled kernels of `operations` now, where they would be when they are first needed; those loaded.

    For programs that look at the clock: numba and its kernels take a second or two to import, once a process (and some
    seconds more to compile, once a machine). Without names, all of `compiled_operations()`. Where NumPy's kernels run,
    nothing happens.

    Raises ArgumentError for a name that has no compiled kernel.
    """
    wanted = list(operations) or compiled_operations()
    unknown = [name for name in wanted if name not in KERNELS]
    if unknown:
        raise ArgumentError(
            f"load_kernels: there is no compiled kernel {unknown[0]!r}; there are {', '.join(sorted(KERNELS))}"
        )
    if not accelerated():
        return []
    for name in wanted:
        kernel = kernels.kernel(name, NAME)
        if isinstance(kernel, Late):
            kernel.load()
    return wanted


_said = False


def _have_numba() -> bool:
    global _said
    if importlib.util.find_spec("numba") is not None:
        return True
    if not _said:
        _said = True
        sys.stderr.write(MISSING + "\n")
    return False
