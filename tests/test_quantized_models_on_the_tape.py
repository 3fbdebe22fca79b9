"""A quantized model on the tape: it predicts, and no gradient goes through it."""

import numpy as np
import pytest

import tt_autograd  # noqa: F401  (installs the tape)
import tt_nn
from tt_perf import quantize
from tt_tensor import Tensor
from tt_tensor.errors import GradientError


def test_training_is_refused_and_says_why():
    small = quantize(tt_nn.Sequential(tt_nn.Linear(20, 32), tt_nn.ReLU(), tt_nn.Linear(32, 5)).eval())
    x = Tensor(np.ones((3, 20), np.float32), requires_grad=True)
    y = small(x)
    assert y.shape == (3, 5)
    with pytest.raises(GradientError, match="is quantized"):
        y.sum().backward()
