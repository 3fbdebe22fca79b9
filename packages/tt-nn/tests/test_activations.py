"""ReLU, LeakyReLU, ELU, Tanh, Sigmoid, Softmax, LogSoftmax: definitions, kinks, limits, wrong calls."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor, kernels
from tt_tensor.errors import ArgumentError, AxisError, DTypeError, GradientError, InPlaceError, ShapeError

INF, NAN = math.inf, math.nan
POINTWISE = [
    nn.ReLU(), nn.LeakyReLU(), nn.LeakyReLU(0.0), nn.LeakyReLU(-0.5), nn.LeakyReLU(2.0), nn.ELU(), nn.ELU(0.3),
    nn.ELU(-1.0), nn.CELU(), nn.CELU(0.5), nn.SELU(), nn.Hardtanh(),
    nn.ReLU6(), nn.Hardsigmoid(), nn.Hardswish(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(),
    nn.Softplus(), nn.Softplus(2.0, 5.0), nn.Softplus(-0.5), nn.LogSigmoid(), nn.Tanh(), nn.Sigmoid(),
]  # fmt: skip
ALL = [*POINTWISE, nn.Softmax(), nn.LogSoftmax()]


def back(layer, x, dtype=np.float64):
    """The layer's output at x, and its gradient for a gradient of ones."""
    y = layer(Tensor(np.asarray(x, dtype)))
    return y.numpy(), layer.backward(np.ones(y.shape, dtype)).numpy()


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0), elements=st.floats(-30, 30))
)
def test_definitions(x):
    flat = x.ravel().tolist()

    def check(found, formula):
        np.testing.assert_allclose(found.numpy().ravel(), [formula(v) for v in flat], rtol=1e-12, atol=1e-13)
        assert found.shape == x.shape

    check(F.relu(x), lambda v: max(v, 0.0))
    check(F.leaky_relu(x, 0.2), lambda v: v if v > 0 else 0.2 * v)
    check(F.elu(x, 0.7), lambda v: v if v > 0 else 0.7 * math.expm1(v))
    check(F.tanh(x), math.tanh)
    check(F.sigmoid(x), lambda v: 1 / (1 + math.exp(-v)))


@pytest.mark.parametrize("layer", ALL, ids=repr)
@settings(max_examples=20)
@given(shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3), seed=st.integers(0, 99))
def test_loops_give_the_same_values_and_gradients(layer, shape, seed):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=shape) * 3, rng.normal(size=shape)
    y = layer(Tensor(x))
    dx = layer.backward(Tensor(g))
    with kernels.use("loops"):
        slow = layer(Tensor(x))
        slow_dx = layer.backward(Tensor(g))
    np.testing.assert_allclose(slow.numpy(), y.numpy(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(slow_dx.numpy(), dx.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("layer", POINTWISE, ids=repr)
def test_a_large_array_gives_what_its_elements_give(layer):
    # Large ones go by other ways: in blocks, by bits, against rows of zeros.
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(3, 50_001)) * 4).astype(np.float32)
    g = rng.normal(size=x.shape).astype(np.float32)
    y = layer(Tensor(x)).numpy()
    dx = layer.backward(Tensor(g)).numpy()
    for start in (0, 49_900, 65_500, 131_000, 149_990):
        some = slice(start, start + 101)
        few = layer(Tensor(x.ravel()[some])).numpy()
        # A vectorised exponential may round otherwise at the end of an array.
        np.testing.assert_allclose(y.ravel()[some], few, rtol=1e-6, atol=1e-7)
        found = layer.backward(Tensor(g.ravel()[some])).numpy()
        np.testing.assert_allclose(dx.ravel()[some], found, rtol=2e-6, atol=1e-6)
    turned = layer(Tensor(x).T)
    np.testing.assert_allclose(turned.numpy(), y.T, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(layer.backward(Tensor(g).T).numpy(), dx.T, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("layer", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_stay(layer, dtype):
    x = np.linspace(-3, 3, 12).astype(dtype).reshape(3, 4)
    y, dx = back(layer, x, dtype)
    assert y.dtype == dx.dtype == dtype
    wide, wide_dx = back(layer, x)
    tolerance = {np.float16: 2e-3, np.float32: 2e-6, np.float64: 0}[dtype]
    np.testing.assert_allclose(y, wide, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(dx, wide_dx, rtol=tolerance, atol=2 * tolerance)


@pytest.mark.parametrize("layer", ALL, ids=repr)
def test_no_warning_and_no_nan_far_out(layer):
    for dtype in (np.float16, np.float32, np.float64):
        x = np.array([1e4, -1e4, 0.0, -0.0, 88.8, -88.8, 710.0, -710.0, 1e-7, -1e-7], dtype)
        for value in back(layer, x, dtype):
            assert np.isfinite(value).all()


@pytest.mark.parametrize("layer", POINTWISE, ids=repr)
def test_nan_stays_nan(layer):
    assert np.isnan(layer(Tensor([NAN, 1.0])).numpy()).tolist() == [True, False]


LIMITS = [
    # layer, value at -inf and inf, derivative there
    (nn.ReLU(), (0, INF), (0, 1)),
    (nn.ReLU6(), (0, 6), (0, 0)),
    (nn.LeakyReLU(), (-INF, INF), (0.01, 1)),
    (nn.ELU(2.0), (-2, INF), (0, 1)),
    (nn.CELU(2.0), (-2, INF), (0, 1)),
    (nn.SELU(), (-1.7580993408473766, INF), (0, 1.0507009873554805)),
    (nn.Hardtanh(-2, 3), (-2, 3), (0, 0)),
    (nn.Hardsigmoid(), (0, 1), (0, 0)),
    (nn.Hardswish(), (0, INF), (0, 1)),
    (nn.GELU(), (0, INF), (0, 1)),
    (nn.GELU("tanh"), (0, INF), (0, 1)),
    (nn.SiLU(), (0, INF), (0, 1)),
    (nn.Mish(), (0, INF), (0, 1)),
    (nn.Softplus(), (0, INF), (0, 1)),
    (nn.LogSigmoid(), (-INF, 0), (1, 0)),
    (nn.Tanh(), (-1, 1), (0, 0)),
    (nn.Sigmoid(), (0, 1), (0, 0)),
]


@pytest.mark.parametrize(
    ("layer", "values", "slopes"), LIMITS, ids=lambda p: repr(p) if isinstance(p, nn.Module) else ""
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_limits_at_infinity(layer, values, slopes, dtype):
    far = 1e30
    for edge in ([-INF, INF], [-INF, INF] * 3000):
        y, dx = back(layer, edge, dtype)
        np.testing.assert_allclose(y[:2], values)
        np.testing.assert_allclose(dx[:2], slopes, atol=1e-12)
        np.testing.assert_array_equal(y, np.tile(y[:2], len(edge) // 2))
    y, dx = back(layer, [-far, far], dtype)
    finite = np.isfinite(values)
    np.testing.assert_allclose(y[finite], np.array(values)[finite], atol=1e-12)
    np.testing.assert_allclose(dx, slopes, atol=1e-12)


KINKS = [
    # layer, where, the derivative that PyTorch takes there
    (nn.ReLU(), 0.0, 0),
    (nn.LeakyReLU(0.25), 0.0, 0.25),
    (nn.ELU(2.0), 0.0, 2),
    (nn.CELU(2.0), 0.0, 1),
    (nn.SELU(), 0.0, 1.7580993408473766),
    (nn.Hardtanh(), -1.0, 0),
    (nn.Hardtanh(), 1.0, 0),
    (nn.ReLU6(), 0.0, 0),
    (nn.ReLU6(), 6.0, 0),
    (nn.Hardsigmoid(), -3.0, 0),
    (nn.Hardsigmoid(), 3.0, 0),
    (nn.Hardswish(), -3.0, 0),
    (nn.Hardswish(), 3.0, 1),
]


@pytest.mark.parametrize(("layer", "x", "slope"), KINKS, ids=lambda p: repr(p))
def test_at_the_kink(layer, x, slope):
    for many in ([x], [x, -x] if x == 0 else [x], [x] * 5000):
        assert back(layer, many)[1].tolist() == [slope] * len(many)


def test_relu_passes_no_gradient_where_it_is_shut_not_even_an_infinite_one():
    for size in (3, 3000):
        layer = nn.ReLU()
        layer(Tensor(np.tile([-1.0, 2.0, NAN], size)))
        found = layer.backward(Tensor(np.tile([INF, 3.0, 4.0], size))).numpy()
        assert found.tolist() == [0, 3, 4] * size


def test_relu_of_integers_stays_integer():
    y = F.relu(Tensor([-1, 0, 2]))
    assert y.dtype == np.int64 and y.tolist() == [0, 0, 2]
    layer = nn.ReLU()
    layer(Tensor([-1, 2]))
    assert layer.backward(np.ones(2)) is None
    assert F.relu6(Tensor([-1, 3, 9])).tolist() == [0, 3, 6]


def test_what_relu_gave_out_must_not_change_before_backward():
    layer = nn.ReLU()
    y = layer(Tensor([1.0, -1.0]))
    y += 1
    with pytest.raises(InPlaceError, match="ReLUFunction needs its saved value `y`"):
        layer.backward(Tensor([1.0, 1.0]))


def test_what_gelu_gave_out_may_change():
    for layer in (
        nn.GELU(),
        nn.SiLU(),
        nn.ELU(),
        nn.Mish(),
        nn.Hardswish(),
        nn.Softplus(),
        nn.LayerNorm(2),
        nn.Dropout(),
    ):
        y = layer(Tensor([1.0, -1.0]))
        before = layer.backward(Tensor([1.0, 1.0])).tolist()
        y += 1
        assert layer.backward(Tensor([1.0, 1.0])).tolist() == before


# --- softmax ----------------------------------------------------------------------------------------------


logits = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), elements=st.floats(-50, 50)
)


@given(logits, st.data())
def test_softmax_by_definition_and_its_laws(x, data):
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    p = F.softmax(x, dim).numpy()
    wanted = np.exp(x) / np.exp(x).sum(axis=dim, keepdims=True)
    np.testing.assert_allclose(p, wanted, rtol=1e-12)
    np.testing.assert_allclose(p.sum(axis=dim), 1)
    np.testing.assert_allclose(F.log_softmax(x, dim).numpy(), np.log(wanted), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(F.softmax(x + 7.5, dim).numpy(), p, rtol=1e-9)
    layer = nn.Softmax(dim)
    layer(Tensor(x))
    # A shift of all logits changes nothing, so the gradient along `dim` adds up to 0.
    grad = layer.backward(Tensor(np.arange(float(x.size)).reshape(x.shape))).numpy()
    np.testing.assert_allclose(grad.sum(axis=dim), 0, atol=1e-9)


def test_softmax_far_out_and_masked():
    x = np.array([[1e4, -1e4, 0.0], [-INF, 0.0, 0.0], [-INF, -INF, -INF], [-1e4, -1e4, -1e4]], np.float32)
    p, dx = back(nn.Softmax(), x, np.float32)
    np.testing.assert_allclose(p, [[1, 0, 0], [0, 0.5, 0.5], [0, 0, 0], [1 / 3] * 3], rtol=1e-6)
    assert np.isfinite(dx).all()
    log_p, dx = back(nn.LogSoftmax(), x, np.float32)
    half, third = -math.log(2), -math.log(3)
    wanted = [[0, -2e4, -1e4], [-INF, half, half], [-INF] * 3, [third] * 3]
    np.testing.assert_allclose(log_p, wanted, rtol=1e-6)
    # The row that is masked out altogether passes no gradient.
    assert np.isfinite(dx).all() and dx[2].tolist() == [0, 0, 0]


@pytest.mark.parametrize("layer", [nn.Softmax(2), nn.LogSoftmax(-3)])
def test_softmax_dim_out_of_range(layer):
    with pytest.raises(AxisError, match="softmax"):
        layer(Tensor(np.zeros((2, 3))))


# --- wrong calls ------------------------------------------------------------------------------------------

WRONG = [
    (lambda: nn.LeakyReLU("0.1"), ArgumentError, "negative_slope must be a number, not '0.1'"),
    (lambda: nn.LeakyReLU(None), ArgumentError, "negative_slope"),
    (lambda: nn.LeakyReLU(True), ArgumentError, "negative_slope"),
    (lambda: F.leaky_relu([1.0], [0.1]), ArgumentError, "negative_slope"),
    (lambda: nn.ELU(1j), ArgumentError, "alpha"),
    (lambda: F.elu([1.0], "x"), ArgumentError, "alpha"),
    (lambda: nn.CELU(0), ArgumentError, "alpha must not be 0"),
    (lambda: nn.Hardtanh(1, 1), ArgumentError, "min_val must be less than max_val, not 1 and 1"),
    (lambda: F.hardtanh([True]), DTypeError, "hardtanh: the input is bool"),
    (lambda: F.glu(np.zeros((2, 3))), ShapeError, r"glu: axis 1 of shape \(2, 3\) has no two halves"),
    (lambda: F.glu([1, 2]), DTypeError, "int64"),
    (lambda: nn.PReLU(3)(np.zeros((2, 4))), ShapeError, "one for each channel"),
    (lambda: nn.PReLU(2)(np.zeros(2)), ShapeError, "one for each channel"),
    (lambda: nn.PReLU()([1, 2]), DTypeError, "int64"),
    (lambda: F.softmax(np.zeros((2, 3)), 2), AxisError, "softmax"),
    (lambda: F.softmax(np.zeros((2, 3)), (0, 1)), DTypeError, "one axis"),
    (lambda: F.softmax(np.zeros((2, 3)), None), DTypeError, "one axis"),
    (lambda: F.softmax(np.zeros((2, 3)), 0.5), DTypeError, "softmax"),
    (lambda: F.softmax(1.0), AxisError, "softmax"),
    (lambda: F.softmax([1, 2]), DTypeError, "int64"),
    (lambda: F.log_softmax([True]), DTypeError, "bool"),
    (lambda: nn.Softmax()([1, 2]), DTypeError, "int64"),
    (lambda: nn.LogSoftmax()([1, 2]), DTypeError, "int64"),
    (lambda: F.relu("abc"), DTypeError, "ReLU"),
    (lambda: F.relu([True]), DTypeError, "bool"),
    (lambda: F.relu6([True]), DTypeError, "bool"),
    (lambda: F.relu([[1.0], [1.0, 2.0]]), ShapeError, "ReLU"),
    (lambda: nn.ReLU().backward([1.0]), GradientError, "ReLU.backward"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG)
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize(
    "layer",
    [
        layer
        for layer in POINTWISE
        if type(layer).__name__ not in ("ReLU", "ReLU6", "Hardtanh", "Tanh", "Sigmoid")
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_integers_are_refused_where_pytorch_refuses_them(layer, dtype):
    with pytest.raises(DTypeError, match=np.dtype(dtype).name):
        layer(Tensor(np.array([0, 1], dtype)))


@pytest.mark.parametrize("layer", ALL, ids=repr)
@pytest.mark.parametrize("shape", [(4, 3), (3,), (1, 4), (12,), ()])
def test_a_gradient_of_another_shape_is_refused(layer, shape):
    layer(Tensor(np.ones((3, 4), np.float32)))
    with pytest.raises(ShapeError):
        layer.backward(np.ones(shape, np.float32))


def test_looks():
    # The strings are PyTorch 2.13's.
    assert [repr(layer) for layer in ALL] == [
        "ReLU()", "LeakyReLU(negative_slope=0.01)", "LeakyReLU(negative_slope=0.0)", "LeakyReLU(negative_slope=-0.5)",
        "LeakyReLU(negative_slope=2.0)", "ELU(alpha=1.0)", "ELU(alpha=0.3)", "ELU(alpha=-1.0)", "CELU(alpha=1.0)",
        "CELU(alpha=0.5)", "SELU()", "Hardtanh(min_val=-1.0, max_val=1.0)", "ReLU6()",
        "Hardsigmoid()", "Hardswish()", "GELU(approximate='none')", "GELU(approximate='tanh')", "SiLU()", "Mish()",
        "Softplus(beta=1.0, threshold=20.0)", "Softplus(beta=2.0, threshold=5.0)",
        "Softplus(beta=-0.5, threshold=20.0)", "LogSigmoid()", "Tanh()", "Sigmoid()", "Softmax(dim=-1)",
        "LogSoftmax(dim=-1)",
    ]  # fmt: skip
    assert repr(nn.Softplus(2, 5)) == "Softplus(beta=2, threshold=5)"
    assert repr(nn.LeakyReLU(np.float32(0.5))) == "LeakyReLU(negative_slope=0.5)"
