"""Schedules: how the learning rate goes with the steps, under PyTorch's names."""

from tt_optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from tt_optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts, WarmupCosineLR
from tt_optim.lr_scheduler.cyclic import CyclicLR
from tt_optim.lr_scheduler.decays import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from tt_optim.lr_scheduler.lambdas import LambdaLR, MultiplicativeLR
from tt_optim.lr_scheduler.one_cycle import OneCycleLR
from tt_optim.lr_scheduler.plateau import ReduceLROnPlateau
from tt_optim.lr_scheduler.scheduler import LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "WarmupCosineLR",
]
