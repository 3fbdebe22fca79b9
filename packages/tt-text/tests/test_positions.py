"""Positions that are added: the waves of the paper, a table that learns, and who is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_tensor import Tensor, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_text.positions import LearnedPositions, SinusoidalPositions, sinusoidal_table

BOTH = pytest.mark.parametrize("kind", [SinusoidalPositions, LearnedPositions])


def draw(*shape, dtype=np.float64):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def table_of(layer):
    if isinstance(layer, LearnedPositions):
        return layer.weight.numpy()
    return sinusoidal_table(layer.max_len, layer.dim, np.float64)


@given(st.integers(0, 6), st.integers(0, 7))
def test_the_waves_are_as_published(length, dim):
    wanted = np.zeros((length, dim))
    for position in range(length):
        for column in range(dim):
            angle = position / 10000 ** ((column - column % 2) / dim)
            wanted[position, column] = math.cos(angle) if column % 2 else math.sin(angle)
    np.testing.assert_allclose(sinusoidal_table(length, dim, np.float64), wanted, atol=1e-14)


def test_a_shift_is_a_rotation():
    # What the paper chose the waves for: the table at p + k is a linear function of that at p, the same for every p.
    table = sinusoidal_table(60, 8, np.float64)
    turn, *_ = np.linalg.lstsq(table[:20], table[7:27], rcond=None)
    np.testing.assert_allclose(table[20:50] @ turn, table[27:57], atol=1e-10)


@BOTH
def test_positions_are_added(kind):
    layer = kind(9, 4)
    layer.double()
    x, table = draw(3, 5, 4), table_of(layer)
    np.testing.assert_allclose(layer(x), x + table[:5], atol=1e-15)
    np.testing.assert_allclose(layer(x, offset=4), x + table[4:9], atol=1e-15)
    np.testing.assert_allclose(layer(x[0], offset=1), x[0] + table[1:6], atol=1e-15)
    for places in ([8, 0, 0, 1, 7], np.random.default_rng(1).integers(0, 9, (3, 5))):
        np.testing.assert_allclose(layer(x, places), x + table[places], atol=1e-15)
        np.testing.assert_array_equal(layer(x, Tensor(places)), layer(x, places))
    assert layer(x[:, :0]).shape == (3, 0, 4) and layer(x[:0]).shape == (0, 5, 4)


@BOTH
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_stays(kind, dtype):
    layer = kind(9, 4)
    layer.to(dtype)
    y = layer(draw(2, 5, 4, dtype=dtype))
    dx = layer.backward(y)
    assert y.dtype == dx.dtype == dtype
    np.testing.assert_array_equal(dx, y)


def test_the_table_gets_the_sum_of_gradients():
    layer = LearnedPositions(6, 2)
    layer.double()
    x, grad = draw(3, 4, 2), np.random.default_rng(1).normal(size=(3, 4, 2))
    for places in (None, [5, 1, 1, 0], np.random.default_rng(2).integers(0, 6, (3, 4))):
        layer.zero_grad()
        layer(x, places, offset=2 if places is None else 0)
        np.testing.assert_array_equal(layer.backward(grad), grad)
        where = np.broadcast_to(np.arange(2, 6) if places is None else places, (3, 4))
        wanted = np.zeros((6, 2))
        for n, t in np.ndindex(3, 4):
            wanted[where[n, t]] += grad[n, t]
        np.testing.assert_allclose(layer.weight.grad, wanted, atol=1e-14)


def test_the_beginning():
    manual_seed(0)
    weight = LearnedPositions(400, 250).weight.numpy()
    assert abs(weight.std() - 0.02) < 5 * 0.02 / np.sqrt(2e5) and weight.dtype == np.float32
    assert not LearnedPositions(3, 2, std=0).weight.numpy().any()
    assert LearnedPositions(3, 2, dtype=np.float64).weight.dtype == np.float64
    assert [name for name, _ in LearnedPositions(3, 2).named_parameters()] == ["weight"]
    assert not SinusoidalPositions(3, 2).state_dict()
    assert repr(SinusoidalPositions(3, 2)) == "SinusoidalPositions(3, 2)"


@BOTH
@pytest.mark.parametrize(
    ("x", "kwargs", "error", "words"),
    [
        (np.zeros(4), {}, ShapeError, r"\(4,\)"),
        (np.zeros((2, 3)), {}, ShapeError, r"\(2, 3\).*T, 4"),
        (np.zeros((2, 4), int), {}, DTypeError, "int64"),
        (np.zeros((7, 4)), {}, IndexingError, r"position 6 .*there are 6 \(0 to 5\).*max_len"),
        (np.zeros((2, 4)), {"offset": -1}, IndexingError, "position -1"),
        (np.zeros((2, 4)), {"offset": 5}, IndexingError, "position 6"),
        (np.zeros((2, 4)), {"offset": 0.5}, ArgumentError, "offset"),
        (np.zeros((2, 4)), {"positions": [0, 6]}, IndexingError, "position 6"),
        (np.zeros((2, 4)), {"positions": [-1, 0]}, IndexingError, "position -1"),
        (np.zeros((2, 4)), {"positions": [0.0, 1.0]}, DTypeError, "whole numbers"),
        (np.zeros((2, 4)), {"positions": [[0, 1]]}, ShapeError, r"\(1, 2\).*\(2,\)"),
        (np.zeros((3, 2, 4)), {"positions": [[0, 1]]}, ShapeError, r"\(1, 2\).*\(N, T\)"),
        (np.zeros((2, 3, 2, 4)), {"positions": [[0, 1]] * 2}, ShapeError, r"\(2, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused(kind, x, kwargs, error, words):
    with pytest.raises(error, match=words):
        kind(6, 4)(x, **kwargs)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: SinusoidalPositions(-1, 2), ArgumentError, "max_len"),
        (lambda: LearnedPositions(2, 2.0), ArgumentError, "dim"),
        (lambda: LearnedPositions(True, 2), ArgumentError, "max_len"),
        (lambda: LearnedPositions(2, 2, std=-1), ArgumentError, "std"),
        (lambda: LearnedPositions(2, 2, std=math.nan), ArgumentError, "std"),
        (lambda: sinusoidal_table(2, -1), ArgumentError, "dim"),
        (lambda: sinusoidal_table(2, 2, int), DTypeError, "int64"),
    ],
)
def test_settings_that_are_none_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
