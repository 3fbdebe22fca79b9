"""Pointwise functions: NumPy's values and dtypes, the edges that PyTorch defines, no warning where none is due."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tt_tensor as tt
from tt_tensor import Tensor
from tt_tensor.errors import DTypeError, InPlaceError
from tt_tensor.ops import pointwise

UFUNCS = {
    "abs": np.abs, "absolute": np.absolute, "sign": np.sign, "square": np.square, "reciprocal": np.reciprocal,
    "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "floor": np.floor, "ceil": np.ceil,
    "trunc": np.trunc, "round": np.rint, "neg": np.negative, "positive": np.positive,
}  # fmt: skip
OWN = {
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "erf": math.erf,
}
SHAPES = [shape for rank in range(5) for shape in itertools.product((0, 1, 3), repeat=rank)]


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_shape_has_numpys_values_and_dtype(name, dtype):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        x = rng.uniform(0.1, 3, shape).astype(dtype)
        y = getattr(tt, name)(Tensor(x))
        assert type(y) is Tensor
        np.testing.assert_array_equal(y.numpy(), UFUNCS[name](x), strict=True)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 4e-7), ("float64", 1e-15)])
def test_every_shape_of_those_numpy_lacks(name, dtype, rtol):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        x = rng.uniform(0.1, 3, shape).astype(dtype)
        y = getattr(tt, name)(Tensor(x)).numpy()
        assert y.shape == shape
        assert y.dtype == dtype
        np.testing.assert_allclose(y.ravel(), [OWN[name](value) for value in x.ravel().tolist()], rtol)


@pytest.mark.parametrize("name", [*UFUNCS, *OWN])
def test_methods_numbers_lists_and_numpys_function_are_the_same(name):
    x = Tensor([0.3, 1.7])
    y = getattr(tt, name)(x)
    np.testing.assert_array_equal(getattr(x, name)(), y) if name != "positive" else None
    np.testing.assert_array_equal(getattr(tt, name)([0.3, 1.7]), y)
    assert getattr(tt, name)(0.3).dtype == np.float32
    assert getattr(tt, name)(0.3).shape == ()
    assert getattr(tt, name).__doc__
    if name in UFUNCS:
        np.testing.assert_array_equal(UFUNCS[name](x), y)
        assert type(UFUNCS[name](x)) is Tensor


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "bool"])
def test_integers(name, dtype):
    """Functions with whole values leave integers alone, the others give NumPy's floats."""
    x = np.array([1, 1, 0, 1]).astype(dtype)
    try:
        with np.errstate(all="ignore"):
            wanted = x if name in ("floor", "ceil", "trunc", "round") else UFUNCS[name](x)
    except TypeError:
        with pytest.raises(DTypeError, match=dtype):
            getattr(tt, name)(Tensor(x))
        return
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(getattr(tt, name)(Tensor(x)).numpy(), wanted, strict=True)


def test_whole_values_of_integers_are_copies():
    x = Tensor([1, 2])
    for name in ("floor", "ceil", "trunc", "round"):
        assert not getattr(x, name)().shares_memory(x)


@given(arrays.arrays(np.float64, arrays.array_shapes(max_dims=3), elements=st.floats(-1e4, 1e4)))
def test_no_warning_and_no_nan_within_1e4(x):
    for name in ("abs", "sign", "sin", "cos", "tanh", "sigmoid", "erf", "floor", "round", "square"):
        for dtype in (np.float64, np.float32):
            function = getattr(pointwise, name.capitalize())()
            y = function(Tensor(x.astype(dtype)))
            (dx,) = function.gradients(np.ones(x.shape, dtype))
            assert np.isfinite(y.numpy()).all()
            assert np.isfinite(dx).all()


@pytest.mark.parametrize(
    ("name", "x", "y", "dx"),
    [
        ("Abs", [0.0, -0.0, -2.0], [0, 0, 2], [0, 0, -1]),
        ("Sign", [0.0, -0.0, -2.0], [0, 0, -1], [0, 0, 0]),
        ("Sqrt", [0.0, 4.0], [0, 2], [np.inf, 0.25]),
        ("Rsqrt", [0.0, 4.0], [np.inf, 0.5], [-np.inf, -0.0625]),
        ("Log", [0.0, 1.0], [-np.inf, 0], [np.inf, 1]),
        ("Log1p", [-1.0, 0.0], [-np.inf, 0], [np.inf, 1]),
        ("Reciprocal", [0.0, -0.5], [np.inf, -2], [-np.inf, -4]),
        ("Expm1", [1e-20, -np.inf], [1e-20, -1], [1, 0]),
        ("Erf", [np.inf, -np.inf, 0.0], [1, -1, 0], [0, 0, 2 / math.sqrt(math.pi)]),
        ("Sigmoid", [1e4, -1e4, 0.0], [1, 0, 0.5], [0, 0, 0.25]),
        ("Tanh", [1e4, -1e4, 0.0], [1, -1, 0], [0, 0, 1]),
        ("Round", [0.5, 1.5, -2.5], [0, 2, -2], [0, 0, 0]),
        ("Floor", [-0.5, 2.0], [-1, 2], [0, 0]),
        ("Ceil", [-0.5, 2.0], [-0.0, 2], [0, 0]),
        ("Trunc", [-1.5, 1.5], [-1, 1], [0, 0]),
    ],
)
def test_edges(name, x, y, dx):
    function = getattr(pointwise, name)()
    with np.errstate(divide="ignore"):
        found = function(Tensor(np.array(x)))
        (grad,) = function.gradients(np.ones(len(x)))
    np.testing.assert_allclose(found.numpy(), y, 1e-15)
    np.testing.assert_allclose(grad, dx, 1e-15)


@pytest.mark.parametrize(
    ("name", "x"), [("log", 0.0), ("log", -1.0), ("sqrt", -1.0), ("exp", 1e4), ("reciprocal", 0.0)]
)
def test_numpys_warnings_are_let_through(name, x):
    with pytest.warns(RuntimeWarning):
        getattr(tt, name)(Tensor([x]))


def test_round_to_decimals():
    np.testing.assert_array_equal(
        tt.round(Tensor([1.234, 5.675]), 2), np.round(np.float32([1.234, 5.675]), 2)
    )
    np.testing.assert_array_equal(Tensor([123, 155]).round(-1), [120, 160])
    np.testing.assert_array_equal(np.round(Tensor([1.26]), 1), np.float32([1.3]))
    for wrong in (1.5, "2", True, None):
        with pytest.raises(DTypeError, match="decimals"):
            tt.round(Tensor([1.0]), wrong)


@pytest.mark.parametrize(
    ("name", "ufunc"), [("isnan", np.isnan), ("isinf", np.isinf), ("isfinite", np.isfinite)]
)
def test_kinds_of_values(name, ufunc):
    x = Tensor([0.0, np.inf, -np.inf, np.nan]).requires_grad_()
    for found in (getattr(tt, name)(x), getattr(x, name)()):
        assert found.dtype == bool
        assert not found.requires_grad
        np.testing.assert_array_equal(found.numpy(), ufunc(x.numpy()))
    assert not getattr(tt, name)(Tensor([1, 2])).numpy().any() or name == "isfinite"
    with pytest.raises(DTypeError):
        getattr(tt, name)("a")


@pytest.mark.parametrize("name", [*UFUNCS, *OWN])
@pytest.mark.parametrize("wrong", [None, "a", {}, object(), 1j])
def test_wrong_operands(name, wrong):
    with pytest.raises(DTypeError):
        getattr(tt, name)(wrong)


def test_a_saved_value_that_was_changed_is_noticed():
    x = Tensor([1.0, 2.0])
    for function, changed in [(pointwise.Log(), "x"), (pointwise.Exp(), "y"), (pointwise.Erf(), "x")]:
        y = function(x)
        (x if changed == "x" else y).add_(1)
        with pytest.raises(InPlaceError, match=f"{type(function).__name__} .*`{changed}`"):
            function.gradients(np.ones(2, np.float32))


def test_builtin_abs():
    np.testing.assert_array_equal(abs(Tensor([-1.5, 2.0])), [1.5, 2.0])


def test_second_derivatives(tape):
    """Of sigmoid and erf, whose forward is not NumPy's: from the same rule, on Tensors."""
    x = Tensor(np.array([-1.3, 0.0, 0.4, 2.0]))
    for function, second in [
        (tt.sigmoid, lambda x, y: y * (1 - y) * (1 - 2 * y)),
        (tt.erf, lambda x, y: -4 / math.sqrt(math.pi) * x * np.exp(-x * x)),
        (tt.rsqrt, None),
    ]:
        start = x if second else Tensor(np.array([0.5, 2.0]))
        ones = np.ones(start.shape)

        def slope(x, function=function, ones=ones):
            return tape.gradients(function, (x,), Tensor(ones), create_graph=True)[1][0]

        _, (found,) = tape.gradients(slope, (start,), ones)
        y, a = function(start).numpy(), start.numpy()
        np.testing.assert_allclose(found, second(a, y) if second else 0.75 * a**-2.5, 1e-12, 1e-15)
