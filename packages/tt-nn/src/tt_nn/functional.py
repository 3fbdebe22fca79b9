"""The layers and losses as plain functions: `import tt_nn.functional as F`, as in PyTorch.

Where PyTorch's take `inplace`, so do these; it changes nothing, the input keeps its memory.
"""

from tt_nn.activations import celu, elu, leaky_relu, log_softmax, relu, selu, sigmoid, softmax, tanh
from tt_nn.alpha_dropout import alpha_dropout
from tt_nn.bilinear import bilinear
from tt_nn.distances import cosine_similarity, normalize, pairwise_distance
from tt_nn.dropout import dropout
from tt_nn.glu import glu
from tt_nn.hard import hardsigmoid, hardswish, hardtanh, relu6
from tt_nn.linear import linear
from tt_nn.losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from tt_nn.losses.categorical import cross_entropy, nll_loss
from tt_nn.losses.divergence import kl_div
from tt_nn.losses.likelihood import gaussian_nll_loss, poisson_nll_loss
from tt_nn.losses.metric import cosine_embedding_loss, margin_ranking_loss, triplet_margin_loss
from tt_nn.losses.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from tt_nn.normalization import layer_norm, rms_norm
from tt_nn.padding import pad
from tt_nn.prelu import prelu
from tt_nn.shrinking import hardshrink, softshrink, softsign, tanhshrink, threshold
from tt_nn.smooth import gelu, mish, silu
from tt_nn.softmin import gumbel_softmax, softmin
from tt_nn.softplus import logsigmoid, softplus
from tt_tensor import one_hot

__all__ = [
    "alpha_dropout",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "margin_ranking_loss",
    "mish",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
]
