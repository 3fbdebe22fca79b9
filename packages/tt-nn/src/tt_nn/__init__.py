"""tt_nn: modules, layers, losses and initialisation on tt_tensor, with gradients called by hand."""

# ruff: noqa: F403  (the lead makes this list explicit once all families stand)
from tt_nn.parameter import Parameter
from tt_nn.module import Module
from tt_nn.containers import *
from tt_nn.linear import *
from tt_nn.loss import Loss
from tt_nn.errors import *

__version__ = "0.1.0"
from tt_nn.weights import *
from tt_nn.summary import *
from tt_nn.losses import *
from tt_nn.activations import *
from tt_nn.smooth import *
from tt_nn.dropout import *
from tt_nn.flatten import *
from tt_nn.normalization import *
from tt_nn import functional
from tt_nn import init
