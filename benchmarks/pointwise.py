"""Pointwise operations, losses and optimizer steps: NumPy's kernel against the compiled one, on one thread.

Shapes are those of half a batch of gpt_step.py. The two take turns, so that other load of the machine hits both; the
least of many turns counts. Results must agree. No peer: what PyTorch takes for a whole step is in gpt_step.py.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tt_nn  # noqa: F401  (its operations enter the table)
import tt_optim  # noqa: F401
import tt_perf
from tt_nn import shards
from tt_tensor import kernels

ROWS, HIDDEN, VOCAB, TILE = 384, 512, 65, 1 << 15
TURNS = 200


def cases() -> dict[str, Callable[[], tuple[Any, ...]]]:
    """Operation → what makes its arguments, anew for each kernel, as some of them are written."""

    def numbers(*shape: int, seed: int = 0) -> Any:
        return np.random.default_rng(seed).normal(size=shape).astype(np.float32)

    x, grad = numbers(ROWS, HIDDEN), numbers(ROWS, HIDDEN, seed=1)
    logits, slopes = numbers(ROWS, VOCAB), numbers(ROWS, VOCAB, seed=1)
    at = np.arange(ROWS) * VOCAB
    probabilities = kernels.kernel("softmax", "numpy")(logits, 1)
    _, e, inverse = kernels.kernel("cross_entropy", "numpy")(logits, at)
    mask = grad > -1
    made: dict[str, Callable[[], tuple[Any, ...]]] = {"dropout": lambda: (x, mask, 1.25)}
    for name in ("gelu", "gelu_tanh", "silu"):
        gate = kernels.kernel(name, "numpy")(x)[1]
        made[name] = lambda: (x,)
        made[name + "_backward"] = lambda gate=gate: (x, gate, grad)  # type: ignore[misc]
    made["softmax"] = made["log_softmax"] = lambda: (logits, 1)
    made["softmax_backward"] = lambda: (slopes, probabilities, 1)
    made["log_softmax_backward"] = lambda: (slopes, np.log(probabilities), 1)
    made["cross_entropy"] = lambda: (logits, at)
    made["cross_entropy_backward"] = lambda: (e, inverse, at, np.float32(1 / ROWS))

    def tile(count: int) -> list[Any]:
        return [np.abs(numbers(TILE, seed=k)) for k in range(count)]

    made["adam"] = lambda: (*tile(4), None, tile(2), 1.0, 0.0, 0.9998, 0.9, 0.99, 1e-6, 1e-8)
    made["sgd"] = lambda: (*tile(3), tile(2), 1.0, 1e-4, 0.9, 1.0, False, 1e-6)
    made["sum_of_squares"] = lambda: (tile(1)[0],)
    return made


def once(run: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[float, Any]:
    """Seconds, and the first of the results."""
    start = time.perf_counter()
    found = run(*arguments)
    took = time.perf_counter() - start
    found = arguments[0] if found is None else found
    return took, found[0] if isinstance(found, tuple | list) else found


def main() -> int:
    if not tt_perf.accelerate().kernels:
        return 1
    shards.set_num_threads(1)
    print(f"{'operation':24} {'NumPy':>9} {'compiled':>9}        ratio   (microseconds)")
    agreed = True
    for operation, make in cases().items():
        runs = [kernels.kernel(operation, name) for name in ("numpy", "numba")]
        arguments = [make() for _ in runs]
        results = [once(run, given)[1] for run, given in zip(runs, arguments, strict=True)]
        same = np.allclose(results[0], results[1], rtol=1e-5, atol=1e-6)
        agreed &= same
        least = [min(times) * 1e6 for times in zip(*(
            [once(run, given)[0] for run, given in zip(runs, arguments, strict=True)] for _ in range(TURNS)
        ), strict=True)]  # fmt: skip
        note = "" if same else "   THEY DIFFER"
        print(f"{operation:24} {least[0]:9.1f} {least[1]:9.1f} {least[1] / least[0]:12.2f}{note}")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
