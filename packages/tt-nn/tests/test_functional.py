"""functional: every form under PyTorch's name and argument names, equal to its layer."""

import inspect

import numpy as np
import pytest

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Generator, Tensor
from tt_tensor.errors import TTError

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
PAIRS = [
    (F.relu, {}, nn.ReLU()),
    (F.relu6, {}, nn.ReLU6()),
    (F.leaky_relu, {"negative_slope": 0.3}, nn.LeakyReLU(0.3)),
    (F.elu, {"alpha": 0.5}, nn.ELU(0.5)),
    (F.celu, {"alpha": 0.5}, nn.CELU(0.5)),
    (F.selu, {}, nn.SELU()),
    (F.hardtanh, {"min_val": -0.3, "max_val": 0.5}, nn.Hardtanh(-0.3, 0.5)),
    (F.prelu, {"weight": Tensor([0.25])}, nn.PReLU()),
    (F.glu, {"dim": 1}, nn.GLU(1)),
    (F.softsign, {}, nn.Softsign()),
    (F.tanhshrink, {}, nn.Tanhshrink()),
    (F.hardshrink, {"lambd": 0.3}, nn.Hardshrink(0.3)),
    (F.softshrink, {"lambd": 0.3}, nn.Softshrink(0.3)),
    (F.threshold, {"threshold": 0.1, "value": 2.0}, nn.Threshold(0.1, 2.0)),
    (F.softmin, {"dim": 1}, nn.Softmin(1)),
    (F.gelu, {}, nn.GELU()),
    (F.gelu, {"approximate": "tanh"}, nn.GELU("tanh")),
    (F.silu, {}, nn.SiLU()),
    (F.mish, {}, nn.Mish()),
    (F.softplus, {"beta": 2.0, "threshold": 1.0}, nn.Softplus(2.0, 1.0)),
    (F.logsigmoid, {}, nn.LogSigmoid()),
    (F.hardswish, {}, nn.Hardswish()),
    (F.hardsigmoid, {}, nn.Hardsigmoid()),
    (F.tanh, {}, nn.Tanh()),
    (F.sigmoid, {}, nn.Sigmoid()),
    (F.softmax, {"dim": 0}, nn.Softmax(0)),
    (F.log_softmax, {"dim": 1}, nn.LogSoftmax(1)),
    (F.layer_norm, {"normalized_shape": (4,), "eps": 1e-3}, nn.LayerNorm(4, eps=1e-3)),
    (F.rms_norm, {"normalized_shape": (4,)}, nn.RMSNorm(4)),
    (F.dropout, {"p": 0.5, "generator": Generator(0)}, nn.Dropout(0.5, generator=Generator(0))),
    (F.dropout, {"p": 0.5, "training": False}, nn.Dropout(0.5).eval()),
]


@pytest.mark.parametrize(("function", "arguments", "layer"), PAIRS)
def test_function_and_layer_are_one(function, arguments, layer):
    found = function(input=X, **arguments)
    assert isinstance(found, Tensor) and found.dtype == np.float32
    np.testing.assert_array_equal(found.numpy(), layer(Tensor(X)).numpy())


def test_array_likes_will_do():
    assert F.relu([[-1.0, 2.0]]).tolist() == [[0, 2]]
    assert F.silu(0.0).shape == ()
    assert F.layer_norm([[1.0, 3.0]], 2, [2.0, 2.0], [1.0, 1.0], 0.0).tolist() == [[-1, 3]]


def test_linear():
    layer = nn.Linear(4, 2)
    for found in (
        F.linear(X, layer.weight, layer.bias),
        F.linear(input=X, weight=layer.weight, bias=layer.bias),
    ):
        np.testing.assert_array_equal(found.numpy(), layer(Tensor(X)).numpy())


@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_a_softmax_in_another_dtype(function):
    half = Tensor(X.astype(np.float16))
    found = function(half, dim=1, dtype=np.float32)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.numpy(), function(half.astype(np.float32), dim=1).numpy())
    assert function([[1, 2]], dtype=np.float64).dtype == np.float64  # integers, too


def test_all_that_is_named_is_there_and_documented():
    for name in F.__all__:
        assert inspect.getdoc(getattr(F, name)), name
    assert sorted(F.__all__) == F.__all__


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.linear(None, X),
        lambda: F.linear(2.0, X),
        lambda: F.linear(X, 2.0),
        lambda: F.prelu(X, 0.25),
        lambda: F.layer_norm(X, 4, 1.0),
        lambda: F.layer_norm(X, 4, None, 0.0),
        lambda: F.rms_norm(X, 4, 1.0),
    ],
)
def test_a_number_where_an_array_is_wanted(call):
    with pytest.raises(TTError, match=r"shape|NoneType"):
        call()
