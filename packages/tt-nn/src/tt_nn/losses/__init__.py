"""Losses: one file for each kind of target."""

from tt_nn.losses.binary import *  # noqa: F403
from tt_nn.losses.categorical import *  # noqa: F403
from tt_nn.losses.divergence import *  # noqa: F403
from tt_nn.losses.regression import *  # noqa: F403
