"""What vjp, jvp, jacobian, hessian and hvp refuse, and what they say then."""

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError

A = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5]])
X = np.array([0.7, -1.3, 2.1])
Y = np.array([1.1, 0.4])


def t(data):
    return tt.tensor(data, dtype="float64")


def wave(x):
    """R³ → R²."""
    return (t(A) @ x).sin()


def scaled(x, y):
    """(R³, R²) → (R², R)."""
    return y * wave(x), y.sum()


def cubes(x):
    return (x**3).sum()


def used_one(x, y):
    return x * 2.0


def test_strict():
    pair = (t(X), t(X))
    for call in (
        lambda: ta.vjp(used_one, pair, t(X), strict=True),
        lambda: ta.jvp(used_one, pair, pair, strict=True),
        lambda: ta.jacobian(used_one, pair, strict=True),
        lambda: ta.hvp(lambda x, y: cubes(x), pair, pair, strict=True),
    ):
        with pytest.raises(GradientError, match="no output depends on input 1, and strict=True"):
            call()
    for call in (
        lambda: ta.vjp(lambda x: (x * 2.0, t(1.0)), t(X), (t(X), t(1.0)), strict=True),
        lambda: ta.jvp(lambda x: (x * 2.0, t(1.0)), t(X), t(X), strict=True),
        lambda: ta.jacobian(lambda x: (x * 2.0, t(1.0)), t(X), strict=True),
    ):
        with pytest.raises(GradientError, match="output 1 depends on no input, and strict=True"):
            call()
    with pytest.raises(GradientError, match="strict=True"):
        ta.hessian(lambda x: x.sum(), t(X), strict=True)
    slope = np.cos(A @ X)[:, None] * A
    np.testing.assert_allclose(ta.vjp(wave, t(X), t(Y), strict=True)[1].numpy(), Y @ slope)
    np.testing.assert_allclose(ta.jvp(wave, t(X), t(X), strict=True)[1].numpy(), slope @ X)
    np.testing.assert_allclose(ta.hessian(cubes, t(X), strict=True).numpy(), np.diag(6 * X))


def test_v_of_another_shape():
    for call in (
        lambda: ta.vjp(wave, t(X), t(X)),
        lambda: ta.jvp(wave, t(X), t(Y)),
        lambda: ta.hvp(cubes, t(X), t(Y)),
        lambda: ta.vjp(wave, t(X), 1.0),
    ):
        with pytest.raises(ShapeError, match=r"v has shape .* must be equal"):
            call()
    for call in (
        lambda: ta.jvp(scaled, (t(X), t(Y)), t(X)),
        lambda: ta.vjp(scaled, (t(X), t(Y)), (t(Y), t(1.0), t(1.0))),
    ):
        with pytest.raises(ShapeError, match=r"v has . parts for 2"):
            call()


def test_v_left_out_where_it_is_needed():
    for call in (
        lambda: ta.vjp(wave, t(X)),
        lambda: ta.jvp(wave, t(X)),
        lambda: ta.hvp(cubes, t(X)),
        lambda: ta.vjp(lambda x: (x.sum(), x.sum()), t(X)),
    ):
        with pytest.raises(ShapeError, match="single number"):
            call()


def test_a_hessian_of_several_numbers():
    for call in (lambda: ta.hessian(wave, t(X)), lambda: ta.hvp(wave, t(X), t(X))):
        with pytest.raises(ShapeError, match=r"must give a single number here, but gives shape \(2,\)"):
            call()


def test_inputs_and_outputs_that_have_no_derivative():
    for call in (
        lambda: ta.jacobian(wave, tt.tensor([1, 2, 3])),
        lambda: ta.hessian(cubes, [t(X), 3.0]),
        lambda: ta.jvp(wave, X, t(X)),
        lambda: ta.jacobian(lambda x: x > 0, t(X)),
        lambda: ta.vjp(lambda x: 3.0, t(X)),
        lambda: ta.jvp(lambda x: (x, None), t(X), t(X)),
        lambda: ta.jacobian(lambda x: [], t(X)),
    ):
        with pytest.raises(DTypeError):
            call()
    with pytest.raises(ArgumentError, match="no inputs"):
        ta.jacobian(lambda: t(X), ())


def test_strategies():
    with pytest.raises(ArgumentError, match="strategy is 'reverse-mode' or 'forward-mode', not 'backward'"):
        ta.jacobian(wave, t(X), strategy="backward")
    for flag in ("create_graph", "strict"):
        with pytest.raises(ArgumentError, match=f"{flag}=True goes with strategy='reverse-mode'"):
            ta.jacobian(wave, t(X), strategy="forward-mode", **{flag: True})
