"""Conv1d, Conv2d, ConvTranspose2d: layers whose weights slide over their input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import Module, Parameter
from tt_tensor import Tensor, as_tensor, random
from tt_tensor.errors import ArgumentError
from tt_vision.convolution import ConvFunction, ConvTransposeFunction
from tt_vision.padding import PADDING_MODES, pad_images
from tt_vision.window import Pair, Window, pair, same_padding

__all__ = ["Conv1d", "Conv2d", "ConvTranspose2d", "conv1d", "conv2d", "conv_transpose2d"]
