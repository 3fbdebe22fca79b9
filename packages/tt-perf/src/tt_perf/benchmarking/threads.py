"""How many threads a contender may use: of BLAS, and of layers in shards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

__all__ = ["limited", "thread_environment"]

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TT_NUM_THREADS",
)


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that hold the numerical libraries of a new process to so many threads."""
    return {variable: str(threads) for variable in VARIABLES}


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """At most so many threads inside the block; None leaves all as it is."""
    if threads is None:
        yield
        return
    import threadpoolctl  # type: ignore[import-untyped]

    from tt_nn import shards

    with ExitStack() as stack:
        stack.enter_context(threadpoolctl.threadpool_limits(threads))
        stack.enter_context(shards.threads(threads))
        yield
