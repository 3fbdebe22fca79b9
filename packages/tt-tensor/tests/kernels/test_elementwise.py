"""Elementwise operations by NumPy's loops equal the loops in Python, through every operation that uses them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tt_tensor as tt
from tt_tensor import Tensor, kernels
from tt_tensor.kernels import elementwise

BINARY = [
    "add", "sub", "mul", "div", "pow", "floor_divide", "remainder", "maximum", "minimum", "equal", "not_equal", "less",
    "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_xor",
]  # fmt: skip
UNARY = [
    "neg", "positive", "abs", "sign", "square", "reciprocal", "sqrt", "rsqrt", "exp", "expm1", "log", "log2", "log10",
    "log1p", "sin", "cos", "tanh", "sigmoid", "erf", "floor", "ceil", "trunc", "round", "isnan", "isinf", "isfinite",
    "logical_not",
]  # fmt: skip

PAIRS = arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
DTYPES = st.sampled_from(["float32", "float64"])


def both(call):
    """`call()` on NumPy's loops and on Python's, with the names of the kernels that ran."""
    ran = []

    def spy(ufunc, *inputs):
        ran.append(getattr(ufunc, "__name__", ufunc))
        return elementwise.loops(ufunc, *inputs)

    fast = call()
    kernels.register("elementwise", "spied loops", spy)
    with kernels.use("spied loops"):
        slow = call()
    return fast, slow, ran


def agree(name, fast, slow, ran):
    assert ran, f"{name} did not ask for its kernel"
    assert slow.dtype == fast.dtype
    np.testing.assert_allclose(
        slow.numpy(), fast.numpy(), 1e-6 if fast.dtype == np.float32 else 1e-14, strict=True
    )


@pytest.mark.parametrize("name", BINARY)
@given(PAIRS, DTYPES, st.integers(0, 99))
@settings(max_examples=20)
def test_binary(name, shapes, dtype, seed):
    rng = np.random.default_rng(seed)
    x, y = (Tensor(rng.uniform(0.1, 3, shape).astype(dtype)) for shape in shapes.input_shapes)
    agree(name, *both(lambda: getattr(tt, name)(x, y)))


@pytest.mark.parametrize("name", UNARY)
@given(SHAPES, DTYPES, st.integers(0, 99))
@settings(max_examples=20)
def test_unary(name, shape, dtype, seed):
    x = Tensor(np.random.default_rng(seed).uniform(0.1, 3, shape).astype(dtype))
    agree(name, *both(lambda: getattr(tt, name)(x)))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "less"])
@pytest.mark.parametrize("scalar", [2, 0.5, True])
def test_scalars_stay_weak(name, scalar):
    for dtype in ("float16", "float32", "int8", "int64"):
        x = Tensor(np.arange(1, 7).reshape(2, 3).astype(dtype))
        for call in (lambda x=x: getattr(tt, name)(x, scalar), lambda x=x: getattr(tt, name)(scalar, x)):
            try:
                result = both(call)
            except TypeError:  # NumPy does not subtract bools, on either kernel
                continue
            agree(name, *result)


def test_where_and_clip():
    rng = np.random.default_rng(0)
    x, y = Tensor(rng.normal(size=(2, 3))), Tensor(rng.normal(size=3))
    agree("where", *both(lambda: tt.where(x > 0, x, y)))
    agree("where", *both(lambda: tt.where(x > 0, 1.5, y)))
    agree("clip", *both(lambda: x.clip(-0.5, 0.5)))
    agree("clip", *both(lambda: x.clip(y)))
    agree("clip", *both(lambda: x.clip(max=y)))


def test_bits():
    x, y = Tensor([1, 2, 7]), Tensor([[3], [4]])
    for call in (lambda: x & y, lambda: x | y, lambda: x ^ y, lambda: ~x):
        agree("bits", *both(call))


def test_rules_run_on_the_loops_too(tape):
    x = Tensor(np.array([0.5, 1.5]))
    for function in (tt.exp, tt.sigmoid, tt.erf, tt.tanh, lambda x: x * x + 2 / x, lambda x: x**3):
        _, (fast,) = tape.gradients(function, (x,), np.ones(2))
        with kernels.use("loops"):
            _, (slow,) = tape.gradients(function, (x,), np.ones(2))
            _, (graph,) = tape.gradients(function, (x,), Tensor(np.ones(2)), create_graph=True)
        np.testing.assert_allclose(slow, fast, 1e-14)
        np.testing.assert_allclose(graph.numpy(), fast, 1e-14)
