"""Shrinks, Threshold, Softsign: far out, at NaN, and what they refuse. Values are in the goldens."""

import numpy as np
import pytest

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError

FAR = Tensor([np.inf, -np.inf, np.nan, 1e30, -1e30])


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (F.softsign, [1, -1, np.nan, 1, -1]),
        (F.tanhshrink, [np.inf, -np.inf, np.nan, 1e30, -1e30]),
        (F.hardshrink, [np.inf, -np.inf, np.nan, 1e30, -1e30]),
        (F.softshrink, [np.inf, -np.inf, np.nan, 1e30, -1e30]),
        (lambda x: F.threshold(x, 1.0, 7.0), [np.inf, 7, np.nan, 1e30, 7]),
    ],
)
def test_far_out(function, wanted):
    np.testing.assert_array_equal(function(FAR).numpy(), np.array(wanted, np.float32))
    half = function(Tensor([0.25, -2.0]).astype(np.float16))
    assert half.dtype == np.float16


def test_the_border_belongs_to_zero():
    x = Tensor([0.5, -0.5, 0.75])
    assert F.hardshrink(x).tolist() == [0, 0, 0.75]
    assert F.softshrink(x).tolist() == [0, 0, 0.25]
    assert F.threshold(x, 0.5, 9.0).tolist() == [9, 9, 0.75]


def test_reprs_are_pytorchs():
    assert repr(nn.Hardshrink()) == "Hardshrink(0.5)"
    assert repr(nn.Threshold(0.1, 20)) == "Threshold(threshold=0.1, value=20)"


def test_what_is_refused():
    for function in (F.softsign, F.tanhshrink, F.hardshrink, F.softshrink):
        with pytest.raises(DTypeError, match="int64"):
            function([1, 2])
    with pytest.raises(ArgumentError, match="lambd must be at least 0, not -1"):
        nn.Softshrink(-1)
    with pytest.raises(ArgumentError, match="value must be a number"):
        nn.Threshold(0, "a")
