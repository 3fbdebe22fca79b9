"""Trigonometry equals NumPy's under both of its names, and has the slopes that PyTorch defines at the edges."""

import numpy as np
import pytest

import tt_tensor as tt

NAMES = {
    "tan": "tan", "sinh": "sinh", "cosh": "cosh", "asin": "arcsin", "acos": "arccos", "atan": "arctan",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_equals_numpy(name, dtype):
    x = np.array([1, 2, 5] if name == "acosh" else [0, 0.25, 0.75], dtype)
    wanted = getattr(np, NAMES[name])(x)
    for called in (name, NAMES[name]):
        np.testing.assert_array_equal(getattr(tt, called)(x).numpy(), wanted, strict=True)
        np.testing.assert_array_equal(getattr(tt.from_numpy(x), called)().numpy(), wanted, strict=True)


def test_the_angle_of_a_point(tape):
    x, y = np.array([1.0, -1.0, -1.0, 0.0]), np.array([[1.0], [-1.0], [0.0]])
    np.testing.assert_array_equal(tt.atan2(y, x).numpy(), np.arctan2(y, x), strict=True)
    point = tt.tensor([0.0, 2.0], dtype="float64")
    _, (dy, dx) = tape.gradients(tt.arctan2, [point, point.clone()], np.ones(2))
    np.testing.assert_array_equal(dy, [0.0, 0.25])  # none at the origin
    np.testing.assert_array_equal(dx, [0.0, -0.25])
