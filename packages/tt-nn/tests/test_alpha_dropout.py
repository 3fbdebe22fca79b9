"""AlphaDropout keeps mean 0 and variance 1, whatever it silences."""

import numpy as np
import pytest

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Generator, Tensor
from tt_tensor.errors import ArgumentError, DTypeError

N = 100_000


@pytest.mark.parametrize("p", [0.05, 0.3, 0.5, 0.9])
def test_mean_and_variance_stay(p):
    x = np.random.default_rng(0).normal(size=N)
    y = F.alpha_dropout(x, p, training=True, generator=Generator(1)).numpy()
    assert abs(y.mean()) < 5 * y.std() / np.sqrt(N)
    fourth = ((y - y.mean()) ** 4).mean()
    assert abs(y.var() - 1) < 5 * np.sqrt((fourth - 1) / N)
    silenced = (y[:, None] == np.unique(y)[np.unique(y, return_counts=True)[1] > 1]).any(1).mean()
    assert abs(silenced - p) < 5 * np.sqrt(p * (1 - p) / N)


def test_in_eval_and_without_p_it_is_the_input():
    x = Tensor([1.0, 2.0])
    assert F.alpha_dropout(x, 0.5) is x
    assert nn.AlphaDropout(0.5).eval()(x) is x
    assert nn.AlphaDropout(0.0)(x) is x
    assert nn.AlphaDropout(1.0)(x).tolist() == [0, 0]


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="probability"):
        nn.AlphaDropout(1.5)
    with pytest.raises(DTypeError, match="int64"):
        F.alpha_dropout([1, 2], training=True)
