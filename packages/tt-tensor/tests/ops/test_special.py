"""sigmoid, erf and choose on arrays: as accurate as they say, at every value, and silent."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tt_tensor import Tensor
from tt_tensor.ops import special

EDGES = [
    0.0,
    -0.0,
    1e-300,
    -1e-40,
    1.0,
    -1.0,
    5.9,
    -6.1,
    30.0,
    -88.0,
    1e4,
    -1e4,
    1e38,
    -1e38,
    math.inf,
    -math.inf,
    math.nan,
]


def units_off(found, wanted, dtype):
    """|found - wanted| in units in the last place of `dtype`; `wanted` is in float64."""
    wanted = np.asarray(wanted, np.float64)
    ulp = np.maximum(np.spacing(np.abs(wanted.astype(dtype))), np.finfo(dtype).smallest_subnormal)
    return np.abs(found.astype(np.float64) - wanted) / ulp.astype(np.float64)


def points(dtype):
    """Evenly over the range that matters, and every magnitude below it; both signs."""
    x = np.concatenate([np.linspace(0, 7, 20_011), np.geomspace(1e-30, 1, 5_003)])
    return np.concatenate([x, -x]).astype(dtype)


@pytest.mark.parametrize(("dtype", "most", "mean"), [("float32", 3.0, 0.5), ("float64", 4.0, 1.0)])
def test_erf_equals_the_c_library(dtype, most, mean):
    x = points(dtype)
    off = units_off(special.erf(x), [math.erf(value) for value in x.tolist()], dtype)
    assert off.max() <= most
    assert off.mean() <= mean


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_is_odd_rises_and_stays_within_1(dtype):
    x = np.sort(points(dtype))
    y = special.erf(x)
    np.testing.assert_array_equal(special.erf(-x), -y)
    assert (np.diff(y) >= 0).all()
    assert np.abs(y).max() == 1


def test_erf_at_the_edges():
    for dtype in (np.float32, np.float64):
        x = np.array(EDGES, dtype=np.float64).astype(dtype)
        wanted = np.array([math.erf(value) for value in x.tolist()]).astype(dtype)
        y = special.erf(x)
        np.testing.assert_allclose(y, wanted, 3e-7 if dtype == np.float32 else 1e-15)
        np.testing.assert_array_equal(np.signbit(y[:2]), [False, True])


@pytest.mark.parametrize("function", [special.erf, special.sigmoid])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_size_layout_and_block_gives_the_same(function, dtype):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(97, 1031)).astype(dtype)  # more than one block, and a rest
    y = function(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(function(np.asfortranarray(x)), y)
    np.testing.assert_array_equal(function(x[::-1, ::3]), y[::-1, ::3])
    for row in (0, 50, 96):
        np.testing.assert_array_max_ulp(function(x[row]), y[row], 2)
    np.testing.assert_array_max_ulp(np.asarray(function(x[3, 7])), y[3, 7], 2)
    assert function(x[:0]).shape == (0, 1031)
    assert function(np.asarray(x[0, 0])).shape == ()


@pytest.mark.parametrize("function", [special.erf, special.sigmoid])
def test_other_dtypes_become_what_exp_makes_of_them(function):
    for dtype in ("float16", "int8", "uint8", "int32", "int64", "bool"):
        x = np.array([0, 1, 1, 0]).astype(dtype) if dtype == "bool" else np.arange(4).astype(dtype)
        y = function(x)
        assert y.dtype == np.exp(x).dtype
        np.testing.assert_allclose(
            y, function(x.astype(np.float64)), 1e-3 if y.dtype == np.float16 else 1e-14
        )
    half = np.array([-12.0, -9.0, 12.0], np.float16)  # e^12 is more than float16 holds
    np.testing.assert_allclose(special.sigmoid(half), [6.144e-6, 1.234e-4, 1.0], 6e-3)


@pytest.mark.parametrize(("dtype", "lowest"), [("float32", -87), ("float64", -708)])
def test_sigmoid_is_accurate_relative_to_itself(dtype, lowest):
    x = np.concatenate([np.linspace(lowest, 40, 5003), np.linspace(-1, 1, 101)]).astype(dtype)
    wanted = [1 / (1 + math.exp(-value)) for value in x.tolist()]
    np.testing.assert_allclose(special.sigmoid(x), wanted, 6e-7 if dtype == "float32" else 1e-15)


def test_sigmoid_at_the_edges():
    for dtype in (np.float16, np.float32, np.float64):
        with np.errstate(over="ignore"):
            x = np.array([0.0, -0.0, 1e4, -1e4, math.inf, -math.inf, math.nan], dtype)
        np.testing.assert_array_equal(special.sigmoid(x), np.array([0.5, 0.5, 1, 0, 1, 0, np.nan], dtype))
        np.testing.assert_array_equal(special.sigmoid(x[3:4].reshape(())), 0)


def test_tensors_come_back_as_tensors():
    x = Tensor([0.5, -1.0])
    for function in (special.erf, special.sigmoid):
        assert isinstance(function(x), Tensor)
        np.testing.assert_array_equal(function(x).numpy(), function(x.numpy()))
    assert isinstance(special.choose(np.array([True, False]), x, 0.0), Tensor)


@given(
    arrays.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=4),
    st.sampled_from(["float32", "float64", "int64"]),
    st.integers(0, 999),
)
def test_choose_is_where(shapes, dtype, seed):
    rng = np.random.default_rng(seed)
    (mask_shape, *_), (_, a, b) = shapes.input_shapes, shapes.input_shapes
    mask = rng.random(mask_shape) < 0.5
    x, y = (rng.normal(0, 9, shape).astype(dtype) for shape in (a, b))
    np.testing.assert_array_equal(special.choose(mask, x, y), np.where(mask, x, y), strict=True)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool"])
def test_choose_is_where_on_large_masks_too_bit_for_bit(dtype):
    rng = np.random.default_rng(0)
    mask = rng.random((70, 60)) < 0.5
    x = np.resize(np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 3.5]), mask.shape)
    if dtype in ("int64", "bool"):
        x = np.nan_to_num(x, posinf=7, neginf=-7)
    x = x.astype(dtype)
    others = [x[::-1], x[0], x[:, :1], x.T.copy().T, dtype == "bool", np.float32(2)]
    others += [0.0, -math.inf, math.nan] if dtype.startswith("float") else []
    for y in others:
        for m, a, b in ((mask, x, y), (mask, y, x), (mask[::-1], x, y)):
            found, wanted = special.choose(m, a, b), np.where(m, a, b)
            np.testing.assert_array_equal(found, wanted, strict=True)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(wanted)) if dtype != "bool" else None
    with pytest.raises(ValueError, match="broadcast"):
        special.choose(mask, x, np.ones(7))
