"""inverse, solve, det: NumPy's values, dtypes, and what cannot be inverted."""

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 3)) + 3 * np.eye(3)


def test_values_are_numpys():
    np.testing.assert_allclose(tt.inverse(X).numpy(), np.linalg.inv(X), 1e-12)
    np.testing.assert_allclose(tt.Tensor(X).det().numpy(), np.linalg.det(X), 1e-12)
    for shape in ((3,), (3, 2), (2, 3, 1)):
        b = RNG.normal(size=shape)
        found = tt.solve(X, b)
        matrix = b[:, None] if len(shape) == 1 else b
        wanted = np.linalg.solve(X, np.broadcast_to(matrix, (2, *matrix.shape[-2:])))
        np.testing.assert_allclose(found.numpy(), wanted[..., 0] if len(shape) == 1 else wanted, 1e-12)


def test_numpys_functions_are_these():
    x = tt.Tensor(X)
    np.testing.assert_array_equal(np.linalg.inv(x).numpy(), x.inverse().numpy())
    np.testing.assert_array_equal(np.linalg.det(x).numpy(), x.det().numpy())
    np.testing.assert_array_equal(np.linalg.solve(x, x[..., :1]).numpy(), tt.solve(x, x[..., :1]).numpy())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_dtype_stays(dtype):
    x = tt.Tensor(X, dtype)
    assert x.inverse().dtype == x.det().dtype == tt.solve(x, x).dtype == dtype
    assert tt.inverse([[2, 0], [0, 4]]).tolist() == [[0.5, 0], [0, 0.25]]
    assert tt.det([[2, 1], [0, 4]]).dtype == np.float64


def test_what_cannot_be_inverted():
    singular = [[1.0, 2.0], [2.0, 4.0]]
    with pytest.raises(ArgumentError, match="inverse: a matrix is singular"):
        tt.inverse(singular)
    with pytest.raises(ArgumentError, match="solve: a matrix is singular"):
        tt.solve(singular, [1.0, 2.0])
    for function in (tt.inverse, tt.det):
        with pytest.raises(ShapeError, match=r"square matrix is wanted.*\(2, 3\)"):
            function(np.zeros((2, 3)))
        with pytest.raises(ShapeError, match="square"):
            function([1.0])
    with pytest.raises(ShapeError, match=r"b \(…, n, k\)"):
        tt.solve(X, np.zeros((2, 1)))


def test_a_determinant_has_a_gradient_where_there_is_no_inverse(tape):
    x = tt.Tensor(np.array([[1.0, 2.0], [2.0, 4.0]]))
    (grad,) = tape.gradients(lambda x: x.det(), [x], tt.ones((), dtype="float64"))[1]
    np.testing.assert_allclose(grad.numpy(), [[4, -2], [-2, 1]], atol=1e-12)
