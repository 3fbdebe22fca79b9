"""Whether this machine computes the same bits as the one that wrote a checkpoint.

The same operations in the same order give the same bits. But the order within a matrix product is the BLAS library's
choice, which depends on the processor, on the library's version and, for sums over more than a few hundred terms, on
how many threads it uses; and NumPy picks its loops by processor, too. Layers that cut a batch in shards add up what
each part gives. A checkpoint keeps a checksum of a few results.
"""

from __future__ import annotations

import functools
import hashlib
import warnings
from typing import Any

import numpy as np

from tt_nn import shards

__all__ = ["ResumeWarning", "machine_bits", "warn_of_other_bits"]


class ResumeWarning(UserWarning):
    """A run goes on, but not bit for bit: this machine rounds otherwise than the one of the checkpoint."""


def machine_bits() -> str:
    """A checksum of products, sums and functions in float32 and float64, as they come out with the threads of now."""
    return _bits(shards.blas_threads(), shards.get_num_threads() if shards.preferred else 0)


@functools.lru_cache
def _bits(blas_threads: tuple[int, ...], parts: int) -> str:
    """Once for each setting: it takes milliseconds. `parts`: for how many threads layers cut a batch; 0 if none do."""
    total = hashlib.sha256(str(parts).encode() if parts else b"")
    # Quotients of integers are the same everywhere, and their products have to be rounded.
    numbers = (np.arange(784 * 128) * 7919 % 1009 - 504) / 1009
    for dtype in (np.float32, np.float64):
        values: Any = numbers.astype(dtype)
        # As in a layer of 784 inputs: sums that are long enough for another number of threads to show.
        x, w, g = (
            values[: 32 * 784].reshape(32, 784),
            values.reshape(784, 128),
            values[: 32 * 128].reshape(32, 128),
        )
        results = [x @ w, x.T @ g, g @ w.T, w @ g[0], values @ values, x.sum(0), x.sum(1)]
        results += [function(values[:1009]) for function in (np.exp, np.tanh, np.sin)]
        results += [np.log1p(np.abs(values[:1009])), np.sqrt(np.abs(values[:1009]))]
        for result in results:
            total.update(np.ascontiguousarray(result).tobytes())
    return total.hexdigest()


def warn_of_other_bits(then: str) -> None:
    """Warn with a ResumeWarning where `machine_bits` was another then."""
    if then != machine_bits():
        warnings.warn(
            "fit: this machine rounds otherwise than the one that wrote the checkpoint (another processor, another "
            "BLAS, another number of threads), so the run goes on, but not to the same bits; with OPENBLAS_NUM_THREADS "
            "as it was then, it may",
            ResumeWarning,
            stacklevel=2,
        )
