"""tt_nn: modules, layers, losses and initialisation on tt_tensor, with gradients called by hand.

    import tt_nn as nn
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    loss_fn = nn.BCEWithLogitsLoss()
    loss = loss_fn(model(x), y)
    model.backward(loss_fn.backward())

The same as plain functions stands in `tt_nn.functional`, ways to begin in `tt_nn.init`.
"""

from tt_nn import functional, init
from tt_nn.activations import CELU, ELU, SELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from tt_nn.alpha_dropout import AlphaDropout
from tt_nn.bilinear import Bilinear
from tt_nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from tt_nn.distances import CosineSimilarity, PairwiseDistance
from tt_nn.dropout import Dropout
from tt_nn.errors import StateDictError, UnknownNameError, WeightsError
from tt_nn.flatten import Flatten, Unflatten
from tt_nn.glu import GLU
from tt_nn.hard import Hardsigmoid, Hardswish, Hardtanh, ReLU6
from tt_nn.linear import Identity, Linear
from tt_nn.loss import Loss
from tt_nn.losses.binary import BCELoss, BCEWithLogitsLoss
from tt_nn.losses.categorical import CrossEntropyLoss, NLLLoss
from tt_nn.losses.divergence import KLDivLoss
from tt_nn.losses.likelihood import GaussianNLLLoss, PoissonNLLLoss
from tt_nn.losses.metric import CosineEmbeddingLoss, MarginRankingLoss, TripletMarginLoss
from tt_nn.losses.regression import HuberLoss, L1Loss, MSELoss, SmoothL1Loss
from tt_nn.module import Module, RemovableHandle, infer
from tt_nn.normalization import LayerNorm, RMSNorm
from tt_nn.parameter import Parameter
from tt_nn.prelu import PReLU
from tt_nn.recurrent.cells import GRUCell, LSTMCell, RNNCell
from tt_nn.recurrent.layers import GRU, LSTM, RNN
from tt_nn.recurrent.packing import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
)
from tt_nn.shrinking import Hardshrink, Softshrink, Softsign, Tanhshrink, Threshold
from tt_nn.smooth import GELU, Mish, SiLU
from tt_nn.softmin import Softmin
from tt_nn.softplus import LogSigmoid, Softplus
from tt_nn.state import IncompatibleKeys
from tt_nn.summary import LayerRow, Summary, summary
from tt_nn.vectors import parameters_to_vector, vector_to_parameters
from tt_nn.weights import load, load_metadata, save

__version__ = "0.1.0"

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AlphaDropout",
    "BCELoss",
    "BCEWithLogitsLoss",
    "Bilinear",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GRUCell",
    "GaussianNLLLoss",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HuberLoss",
    "Identity",
    "IncompatibleKeys",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LayerRow",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "MarginRankingLoss",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "PReLU",
    "PackedSequence",
    "PairwiseDistance",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "PoissonNLLLoss",
    "RMSNorm",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "RemovableHandle",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "StateDictError",
    "Summary",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "TripletMarginLoss",
    "Unflatten",
    "UnknownNameError",
    "WeightsError",
    "functional",
    "infer",
    "init",
    "load",
    "load_metadata",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "parameters_to_vector",
    "save",
    "summary",
    "vector_to_parameters",
]
