"""tt_perf: measure it, then make it fast: profiler, benchmarks, compiled kernels, KV cache, compression."""

from tt_perf.acceleration import Acceleration, accelerate, accelerated, compiled_operations, load_kernels
from tt_perf.benchmarking import BenchmarkResult, ContenderError, ResultFileError, benchmark, compare
from tt_perf.competition import Leaderboard, SubmissionError, prepare_submission, submit, verify_submission
from tt_perf.compression import (
    Distillation,
    DistillationLoss,
    GradualPruning,
    KeepMasks,
    Masks,
    choose_widths,
    cluster,
    compare_variants,
    cubic_sparsity,
    distillation_loss,
    fold_batch_norm,
    is_n_m,
    load_pruned,
    low_rank,
    pareto_front,
    prune_channels,
    prune_magnitude,
    prune_n_m,
    sparsity_report,
)
from tt_perf.kv_cache import CacheFullError, CacheReport, KVCache
from tt_perf.ladder import matmul_ladder
from tt_perf.profiling.ceilings import Ceilings, measure_ceilings
from tt_perf.profiling.fit import Fit
from tt_perf.profiling.flops import Flops, flops
from tt_perf.profiling.model_report import LayerReport, ModelReport, model_report
from tt_perf.profiling.profile import Profile, profile, span
from tt_perf.profiling.scaling import Scaling, scaling
from tt_perf.quantization import (
    QuantizationReport,
    Scheme,
    compare_quantized,
    load_quantized,
    quantize,
    quantize_array,
    save_quantized,
)

__all__ = [
    "Acceleration",
    "BenchmarkResult",
    "CacheFullError",
    "CacheReport",
    "Ceilings",
    "ContenderError",
    "Distillation",
    "DistillationLoss",
    "Fit",
    "Flops",
    "GradualPruning",
    "KVCache",
    "KeepMasks",
    "LayerReport",
    "Leaderboard",
    "Masks",
    "ModelReport",
    "Profile",
    "QuantizationReport",
    "ResultFileError",
    "Scaling",
    "Scheme",
    "SubmissionError",
    "accelerate",
    "accelerated",
    "benchmark",
    "choose_widths",
    "cluster",
    "compare",
    "compare_quantized",
    "compare_variants",
    "compiled_operations",
    "cubic_sparsity",
    "distillation_loss",
    "flops",
    "fold_batch_norm",
    "is_n_m",
    "load_kernels",
    "load_pruned",
    "load_quantized",
    "low_rank",
    "matmul_ladder",
    "measure_ceilings",
    "model_report",
    "pareto_front",
    "prepare_submission",
    "profile",
    "prune_channels",
    "prune_magnitude",
    "prune_n_m",
    "quantize",
    "quantize_array",
    "save_quantized",
    "scaling",
    "span",
    "sparsity_report",
    "submit",
    "verify_submission",
]
