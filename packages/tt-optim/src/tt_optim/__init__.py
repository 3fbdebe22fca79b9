"""tt_optim: optimizers, learning-rate schedules and gradient clipping, with PyTorch's names and numbers.

Optimizers read `.grad` and nothing else; who wrote it, by hand or from a tape, they never know.
"""

from tt_optim import lr_scheduler
from tt_optim.adadelta import Adadelta
from tt_optim.adagrad import Adagrad
from tt_optim.adam import Adam
from tt_optim.adamax import Adamax
from tt_optim.adamw import AdamW
from tt_optim.asgd import ASGD
from tt_optim.clip import clip_grad_norm_, clip_grad_value_, get_total_norm
from tt_optim.lbfgs import LBFGS
from tt_optim.lion import Lion
from tt_optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
    WarmupCosineLR,
)
from tt_optim.muon import Muon
from tt_optim.nadam import NAdam
from tt_optim.optimizer import Optimizer
from tt_optim.radam import RAdam
from tt_optim.rmsprop import RMSprop
from tt_optim.rprop import Rprop
from tt_optim.sgd import SGD

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "Lion",
    "MultiStepLR",
    "MultiplicativeLR",
    "Muon",
    "NAdam",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
    "Rprop",
    "SequentialLR",
    "StepLR",
    "WarmupCosineLR",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "lr_scheduler",
]

__version__ = "0.1.0"
