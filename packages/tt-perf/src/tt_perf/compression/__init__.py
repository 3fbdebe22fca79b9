"""Compression: the same model with fewer numbers, smaller ones, or shared ones, and what that costs."""

from tt_perf.compression.channels import ChannelGroup, Channels, channel_groups
from tt_perf.compression.clustering import Clustered, cluster, k_means
from tt_perf.compression.distillation import (
    Distillation,
    DistillationFunction,
    DistillationLoss,
    distillation_loss,
    soft_targets,
)
from tt_perf.compression.folding import fold_batch_norm
from tt_perf.compression.listening import KeepMasks
from tt_perf.compression.low_rank import Factorization, energy_rank, low_rank, singular_values
from tt_perf.compression.magnitude import prune_magnitude
from tt_perf.compression.masks import Masks, SparsityReport, SparsityRow, sparsity_report
from tt_perf.compression.n_m import is_n_m, prune_n_m
from tt_perf.compression.pareto import pareto_front
from tt_perf.compression.report import Variant, VariantsReport, compare_variants
from tt_perf.compression.schedule import GradualPruning, cubic_sparsity
from tt_perf.compression.structured import choose_channels, keep_channels, load_pruned, prune_channels
from tt_perf.compression.widths import choose_widths

__all__ = [
    "ChannelGroup",
    "Channels",
    "Clustered",
    "Distillation",
    "DistillationFunction",
    "DistillationLoss",
    "Factorization",
    "GradualPruning",
    "KeepMasks",
    "Masks",
    "SparsityReport",
    "SparsityRow",
    "Variant",
    "VariantsReport",
    "channel_groups",
    "choose_channels",
    "choose_widths",
    "cluster",
    "compare_variants",
    "cubic_sparsity",
    "distillation_loss",
    "energy_rank",
    "fold_batch_norm",
    "is_n_m",
    "k_means",
    "keep_channels",
    "load_pruned",
    "low_rank",
    "pareto_front",
    "prune_channels",
    "prune_magnitude",
    "prune_n_m",
    "singular_values",
    "soft_targets",
    "sparsity_report",
]
