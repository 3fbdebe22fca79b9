"""exp32 and its like, as vectorised loops, against float64 on a grid over all of float32."""

import math

import numpy as np
import pytest

pytest.importorskip("numba")

from tt_perf.compiled.jit import jit
from tt_perf.compiled.mathematics import (
    bits32,
    both_sigmoids32,
    erf32,
    exp32,
    from_bits32,
    log32,
    normal32,
    sigmoid32,
    tanh32,
)

ROW = "void(float32[::1], float32[::1])"


@jit(ROW, cache=False)
def exp_of_row(x, y):
    for i in range(x.size):
        y[i] = exp32(x[i])


@jit(ROW, cache=False)
def log_of_row(x, y):
    for i in range(x.size):
        y[i] = log32(x[i])


@jit(ROW, cache=False)
def tanh_of_row(x, y):
    for i in range(x.size):
        y[i] = tanh32(x[i])


@jit(ROW, cache=False)
def erf_of_row(x, y):
    for i in range(x.size):
        y[i] = erf32(x[i])


@jit(ROW, cache=False)
def sigmoid_of_row(x, y):
    for i in range(x.size):
        y[i] = sigmoid32(x[i])


@jit("void(float32[::1], float32[::1], float32[::1])", cache=False)
def normal_of_row(x, cdf, e):
    for i in range(x.size):
        cdf[i], e[i] = normal32(x[i])


def sigmoid(x):
    return np.where(x > 0, 1, np.exp(np.minimum(x, 0))) / (1 + np.exp(-np.abs(x)))


@jit("void(float32[::1], float32[::1], float32[::1])", cache=False)
def both_of_row(x, left, right):
    for i in range(x.size):
        left[i], right[i] = both_sigmoids32(x[i])


FUNCTIONS = {
    "exp": (exp_of_row, np.exp, 2),
    "log": (log_of_row, np.log, 2),
    "tanh": (tanh_of_row, np.tanh, 3),
    "erf": (erf_of_row, np.vectorize(math.erf), 2),
    "sigmoid": (sigmoid_of_row, sigmoid, 3),
}


@pytest.fixture(scope="module")
def grid():
    """Numbers of every exponent and sign, denormals among them, and many where the functions bend."""
    rng = np.random.default_rng(0)
    bits = np.arange(0, 1 << 31, 5171, dtype=np.uint32)
    positive = bits.view(np.float32)
    positive = positive[np.isfinite(positive)]
    near = rng.uniform(-20, 20, 200_000).astype(np.float32)
    wide = rng.uniform(-110, 110, 200_000).astype(np.float32)
    return np.concatenate([positive, -positive, near, wide, near * np.float32(0.05)])


def ulps(result, exact):
    """|result - exact| in units in the last place of the exact result; 0 where both are the same infinity."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
        unit = np.spacing(np.abs(np.where(np.isfinite(rounded), rounded, np.finfo(np.float32).max)))
        apart = np.abs(result.astype(np.float64) - exact) / unit
    return np.where(result == rounded, 0, apart)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_some_units_in_the_last_place(grid, name):
    run, exact, most = FUNCTIONS[name]
    x = np.abs(grid) if name == "log" else grid
    y = np.empty_like(x)
    run(x, y)
    with np.errstate(all="ignore"):
        apart = ulps(y, exact(x.astype(np.float64)))
    worst = int(np.argmax(apart))
    assert apart[worst] <= most, f"{name}({x[worst]!r}) = {y[worst]!r}: off by {apart[worst]:.2f}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_ends_of_the_numbers(name):
    run, exact, _ = FUNCTIONS[name]
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 3e38, -3e38, 1e-45, -1e-45] * 4, np.float32)
    y = np.empty_like(x)
    run(x, y)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(y, exact(x.astype(np.float64)).astype(np.float32), rtol=1e-6)
    run(x[:3], y[:3])  # by the loop for what is left over after the vectors
    assert np.isnan(y[2])


def test_both_sigmoids(grid):
    left, right = np.empty_like(grid), np.empty_like(grid)
    both_of_row(grid, left, right)
    wide = grid.astype(np.float64)
    assert np.max(ulps(left, sigmoid(wide))) <= 3
    assert np.max(ulps(right, sigmoid(-wide))) <= 3


def test_normal_distribution(grid):
    x = grid[np.abs(grid) < 1e4]
    cdf, e = np.empty_like(x), np.empty_like(x)
    normal_of_row(x, cdf, e)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(cdf, 0.5 * np.vectorize(math.erfc)(-wide / math.sqrt(2)), rtol=0, atol=1.5e-7)
    np.testing.assert_allclose(e, np.exp(-wide * wide / 2), rtol=0, atol=2e-7)


def test_normal_distribution_at_the_ends():
    x = np.array([np.inf, -np.inf, np.nan, 0, 1e30, -1e30], np.float32)
    cdf, e = np.empty_like(x), np.empty_like(x)
    normal_of_row(x, cdf, e)
    np.testing.assert_allclose(cdf, [1, 0, np.nan, 0.5, 1, 0], atol=1e-7)
    np.testing.assert_array_equal(e, [0, 0, np.nan, 1, 0, 0])


def test_bits_there_and_back():
    @jit("void(float32[::1], int32[::1], float32[::1])", cache=False)
    def round_trip(x, bits, back):
        for i in range(x.size):
            bits[i] = bits32(x[i])
            back[i] = from_bits32(bits[i])

    x = np.array([0, -0.0, 1, -2.5, np.inf, 1e-45], np.float32)
    bits, back = np.empty(6, np.int32), np.empty(6, np.float32)
    round_trip(x, bits, back)
    np.testing.assert_array_equal(bits, x.view(np.int32))
    np.testing.assert_array_equal(back.view(np.int32), bits)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_loops_are_vectorised(name):
    code = next(iter(FUNCTIONS[name][0].inspect_asm().values()))
    wide = ("mulps", "fmla.4s", "fmla\t")  # of x86, of ARM
    assert any(instruction in code for instruction in wide), f"{name}: no vector instructions"
