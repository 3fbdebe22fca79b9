"""Initialisations have the bounds, means and deviations that their formulas say, and refuse what has no fan."""

import math

import numpy as np
import pytest

from tt_nn import Linear, init
from tt_tensor import empty, manual_seed, ones
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

MATRIX, KERNEL = (300, 200), (40, 30, 5, 5)  # fan_in 200 and 750, fan_out 300 and 1000


def uniform_to(bound):
    return 0.0, bound / math.sqrt(3), bound


@pytest.fixture(autouse=True)
def seeded():
    manual_seed(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("fill", "shape", "expected"),
    [
        (lambda t: init.uniform_(t, -2, 1), MATRIX, (-0.5, 3 / math.sqrt(12), 2)),
        (lambda t: init.normal_(t, 1, 3), MATRIX, (1, 3, None)),
        (lambda t: init.xavier_uniform_(t, 2.0), MATRIX, uniform_to(2 * math.sqrt(6 / 500))),
        (init.xavier_uniform_, KERNEL, uniform_to(math.sqrt(6 / 1750))),
        (init.xavier_normal_, MATRIX, (0, math.sqrt(2 / 500), None)),
        (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), MATRIX, uniform_to(1 / math.sqrt(200))),
        (lambda t: init.kaiming_uniform_(t, nonlinearity="relu"), KERNEL, uniform_to(math.sqrt(6 / 750))),
        (lambda t: init.kaiming_normal_(t, mode="fan_out"), KERNEL, (0, math.sqrt(2 / 1000), None)),
        # Of a standard normal cut at ±2 deviations, the deviation is 0.8796.
        (lambda t: init.trunc_normal_(t, 1.0, 0.5, 0.0, 2.0), MATRIX, (1.0, 0.5 * 0.8796, 2.0)),
    ],
)
def test_moments_and_bounds(fill, shape, expected, dtype):
    tensor = empty(*shape, dtype=dtype)
    assert fill(tensor) is tensor and tensor.dtype == dtype
    mean, std, bound = expected
    values = tensor.numpy()
    # The mean of n numbers is off by std/√n, their deviation by less than that.
    off = 5 * std / math.sqrt(values.size)
    assert abs(values.mean() - mean) < off and abs(values.std() - std) < off
    if bound is not None:
        assert 0.99 * bound < np.abs(values).max() <= bound * (1 + 1e-6)


def test_linear_starts_as_pytorchs():
    layer = Linear(100, 400)
    for values in (layer.weight.numpy(), layer.bias.numpy()):
        assert np.abs(values).max() <= 0.1
        assert abs(values.std() - 0.1 / math.sqrt(3)) < 0.005


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (4, 4), (4, 2, 3)])
def test_orthogonal(shape):
    q = init.orthogonal_(empty(*shape), gain=2.0).numpy().reshape(shape[0], -1)
    gram = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_constants():
    assert init.constant_(empty(2), 0.25).tolist() == [0.25, 0.25]
    assert init.zeros_(ones(2)).tolist() == [0, 0] and init.ones_(empty(2)).tolist() == [1, 1]
    assert init.eye_(empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("name", "param", "gain"),
    [
        ("linear", None, 1),
        ("tanh", None, 5 / 3),
        ("relu", None, math.sqrt(2)),
        ("leaky_relu", None, math.sqrt(2 / (1 + 1e-4))),
        ("leaky_relu", 2, math.sqrt(2 / 5)),
        ("selu", None, 0.75),
    ],
)
def test_gains(name, param, gain):
    assert init.calculate_gain(name, param) == pytest.approx(gain)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: init.zeros_(np.zeros(3)), DTypeError, "zeros_: expected a Tensor to fill, not ndarray"),
        (lambda: init.ones_([1.0]), DTypeError, "ones_: expected a Tensor"),
        (lambda: init.constant_(3.0, 1.0), DTypeError, "constant_: expected a Tensor"),
        (lambda: init.eye_(np.eye(2)), DTypeError, "eye_: expected a Tensor"),
        (lambda: init.eye_(empty(2)), ShapeError, "has two axes"),
        (lambda: init.normal_(empty(2, dtype=np.int64)), DTypeError, "this tensor is int64"),
        (lambda: init.normal_(empty(2), 0, -1), ArgumentError, "std is a standard deviation"),
        (lambda: init.uniform_(empty(2), 1, 0), ArgumentError, "is empty"),
        (lambda: init.xavier_uniform_(empty(3)), ShapeError, "has no fan"),
        (lambda: init.kaiming_normal_(empty(2, 2), mode="fan"), ArgumentError, "mode must be"),
        (lambda: init.kaiming_normal_(empty(2, 2), nonlinearity="x"), ArgumentError, "no gain is known"),
        (lambda: init.orthogonal_(empty(3)), ShapeError, "two axes or more"),
        (lambda: init.trunc_normal_(empty(3), 0, 1, 8, 9), ArgumentError, "hardly anything"),
    ],
)
def test_wrong_calls(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()
