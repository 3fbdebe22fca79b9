"""tt_perf.benchmarking: time contenders fairly, say what the noise allows to be said, compare two runs."""

from tt_perf.benchmarking.benchmark import benchmark
from tt_perf.benchmarking.comparison import Change, Comparison, compare
from tt_perf.benchmarking.errors import ContenderError, ResultFileError
from tt_perf.benchmarking.machine import describe_machine
from tt_perf.benchmarking.result import BenchmarkResult, Ratio, Timing
from tt_perf.benchmarking.statistics import Estimate

__all__ = [
    "BenchmarkResult",
    "Change",
    "Comparison",
    "ContenderError",
    "Estimate",
    "Ratio",
    "ResultFileError",
    "Timing",
    "benchmark",
    "compare",
    "describe_machine",
]
