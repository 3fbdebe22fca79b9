"""GELU, SiLU, Mish by their definitions, digit by digit, and wrong calls."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor, kernels
from tt_tensor.errors import ArgumentError

numbers = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0), elements=st.floats(-30, 30)
)


def normal_cdf(v):
    return 0.5 * math.erfc(-v / math.sqrt(2))


@given(numbers)
def test_definitions(x):
    flat = x.ravel().tolist()

    def check(found, formula):
        np.testing.assert_allclose(found.numpy().ravel(), [formula(v) for v in flat], rtol=1e-12, atol=2e-14)
        assert found.shape == x.shape

    check(F.gelu(x), lambda v: v * normal_cdf(v))
    check(
        F.gelu(x, "tanh"), lambda v: 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))
    )
    check(F.silu(x), lambda v: v / (1 + math.exp(-v)))
    check(F.mish(x), lambda v: v * math.tanh(math.log1p(math.exp(v))))


DENSE = np.concatenate(
    [np.linspace(-12, 12, 200_001), np.geomspace(1e-30, 12, 2000), -np.geomspace(1e-30, 12, 2000)]
)


def test_gelu_in_float32_is_right_to_its_rounding():
    x = DENSE.astype(np.float32)
    layer = nn.GELU()
    y = layer(Tensor(x)).numpy()
    dx = layer.backward(np.ones_like(x)).numpy()
    wide = x.astype(np.float64)
    cdf = np.array([normal_cdf(v) for v in wide.tolist()])
    # Some roundings of a Φ of up to 1, and so many times |x|; compiled, it is 2e-7.
    assert np.max(np.abs(y - wide * cdf) / np.maximum(np.abs(wide), 1e-9)) < (
        2e-7 if kernels.preferred() else 1.5e-7
    )
    if not kernels.preferred():
        rows = np.concatenate([nn.infer(layer, row) for row in np.array_split(x, 50)])
        assert np.max(np.abs(rows - wide * cdf) / np.maximum(np.abs(wide), 1e-9)) < 1.5e-7
    slope = cdf + wide * np.exp(-wide * wide / 2) / math.sqrt(2 * math.pi)
    assert np.max(np.abs(dx - slope)) < 4e-7


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (nn.SiLU(), lambda v: v / (1 + math.exp(-v))),
        (nn.Mish(), lambda v: v * math.tanh(math.log1p(math.exp(v)))),
    ],
    ids=lambda value: repr(value) if isinstance(value, nn.Module) else "formula",
)
def test_small_values_keep_their_digits(layer, formula):
    # Down to 1e-30, where the formulas as they stand on paper would give 0.
    x = np.array([-70.0, -40.0, -20.0, -3.0, -1e-6, 1e-6, 3.0, 15.0], np.float32)
    wanted = [formula(v) for v in x.tolist()]
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), wanted, rtol=2e-6)


def test_silu_of_short_rows_is_right_to_its_rounding():
    x = DENSE.astype(np.float32)
    y = np.concatenate([nn.infer(nn.SiLU(), row) for row in np.array_split(x, 50)])
    wide = x.astype(np.float64)
    np.testing.assert_allclose(y, wide / (1 + np.exp(-wide)), rtol=2e-6, atol=0)


def test_gelu_tanh_is_close_to_gelu():
    x = np.linspace(-8, 8, 1001)
    assert np.abs(F.gelu(x).numpy() - F.gelu(x, approximate="tanh").numpy()).max() < 5e-4


@pytest.mark.parametrize("operation", ["gelu", "gelu_tanh", "silu"])
@given(x=numbers)
def test_kernels_are_as_the_loops(operation, x):
    (y, gate), (wanted, wanted_gate) = (kernels.kernel(operation, name)(x) for name in ("numpy", "loops"))
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=2e-14)
    np.testing.assert_allclose(gate, wanted_gate, rtol=1e-12, atol=2e-14)
    grad = np.cos(x)
    for kept in (gate, None):  # a kernel may have kept nothing
        dx, slope = (
            kernels.kernel(operation + "_backward", name)(x, kept, grad) for name in ("numpy", "loops")
        )
        np.testing.assert_allclose(dx, slope, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("layer", [nn.GELU(), nn.GELU("tanh"), nn.SiLU()], ids=repr)
def test_loops_run_what_is_not_finite(layer):
    x = np.array([math.inf, -math.inf, math.nan, 3e38, -3e38, 0], np.float32)
    found = [layer(Tensor(x)).numpy(), layer.backward(np.ones_like(x)).numpy()]
    with kernels.use("loops"):
        loops = [layer(Tensor(x)).numpy(), layer.backward(np.ones_like(x)).numpy()]
    np.testing.assert_array_equal(found, loops)


WRONG = [
    (lambda: nn.GELU("exact"), "approximate must be 'none' or 'tanh', not 'exact'"),
    (lambda: nn.GELU(True), "approximate"),
    (lambda: F.gelu([1.0], approximate=None), "approximate"),
]


@pytest.mark.parametrize(("call", "match"), WRONG)
def test_wrong_calls(call, match):
    with pytest.raises(ArgumentError, match=match):
        call()
