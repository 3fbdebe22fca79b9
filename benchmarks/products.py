"""Matrix products of layers: OpenBLAS, through NumPy, against the compiled tile of tt_perf.compiled.products.

For each layer (rows, in, out): its forward x Wᵀ, its gradient of x and its gradient of W, on one thread, as within a
shard of a batch. The two take turns, so that other load of the machine hits both; medians. Results must agree.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tt_perf
from tt_nn import shards
from tt_nn.products import matrix_product

LAYERS = (
    (384, 128, 128),
    (384, 128, 384),
    (384, 128, 512),
    (384, 512, 128),
    (64, 784, 256),
    (64, 256, 128),
    (4096, 64, 64),
    (256, 256, 256),
)
SECONDS = 0.6
"""Of each pair of contenders."""


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> int:
    if not tt_perf.accelerate().kernels:
        return 1
    shards.set_num_threads(1)
    rng, agreed = np.random.default_rng(0), True
    print(f"{'rows, in, out':18} {'':8} {'BLAS':>9} {'compiled':>9}   ratio  GFLOP/s  (microseconds)")
    with shards.one_blas_thread():
        for rows, inside, outside in LAYERS:
            x, weight, grad = (
                rng.normal(size=shape).astype(np.float32)
                for shape in ((rows, inside), (outside, inside), (rows, outside))
            )
            for what, a, b in (("forward", x, weight.T), ("dx", grad, weight), ("dW", grad.T, x)):

                def blas(a: Any = a, b: Any = b) -> Any:
                    return a.dot(b)

                def compiled(a: Any = a, b: Any = b) -> Any:
                    return matrix_product(a, b)

                expected, found = blas(), compiled()
                agreed &= np.allclose(found, expected, rtol=1e-4, atol=1e-3)
                turns = max(5, int(SECONDS / (seconds(blas) + seconds(compiled))))
                times = [(seconds(blas), seconds(compiled)) for _ in range(turns)]
                theirs, ours = np.median(times, axis=0)
                speed = 2 * rows * inside * outside / ours / 1e9
                print(
                    f"{f'{rows}, {inside}, {outside}':18} {what:8} {theirs * 1e6:9.1f} {ours * 1e6:9.1f} "
                    f"{ours / theirs:7.2f} {speed:8.1f}"
                )
    if not agreed:
        print("the results differ")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
