"""tt_perf: measure it, then make it fast: profiler, benchmarks, compiled kernels, KV cache, compression."""

from tt_perf.acceleration import Acceleration, accelerate, accelerated
from tt_perf.ladder import matmul_ladder

__all__ = [
    "Acceleration",
    "accelerate",
    "accelerated",
    "matmul_ladder",
]
