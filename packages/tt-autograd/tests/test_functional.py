"""vjp, jvp, jacobian, hessian, hvp, vhp: closed forms, PyTorch's forms of results, derivatives of the results."""

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import InPlaceError

A = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5]])
X = np.array([0.7, -1.3, 2.1])
Y = np.array([1.1, 0.4])


def t(data, dtype="float64"):
    return tt.tensor(data, dtype=dtype)


def same(found, wanted, tolerance=1e-12):
    assert isinstance(found, tt.Tensor)
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), tolerance, 1e-13)
    assert found.shape == np.shape(wanted)


def wave(x):
    """R³ → R²: sin(A x); its Jacobian is diag(cos(A x)) A."""
    return (t(A) @ x).sin()


SLOPE = np.cos(A @ X)[:, None] * A


def scaled(x, y):
    """(R³, R²) → (R², R): y · sin(A x), Σ y."""
    return y * wave(x), y.sum()


def cubes(x):
    return (x**3).sum()


def mixed(x, y):
    """Σ x² · Σ y³."""
    return (x * x).sum() * (y**3).sum()


# --- first order ----------------------------------------------------------------------------------------


def test_vjp():
    value, found = ta.vjp(wave, t(X), t([2.0, -3.0]))
    same(value, np.sin(A @ X))
    same(found, [2.0, -3.0] @ SLOPE)
    assert not value.requires_grad
    assert not found.requires_grad


def test_vjp_of_several():
    values, found = ta.vjp(scaled, (t(X), t(Y)), (t([2.0, -3.0]), t(5.0)))
    assert isinstance(values, tuple)
    assert isinstance(found, tuple)
    same(values[0], Y * np.sin(A @ X))
    same(values[1], Y.sum())
    same(found[0], [2.0, -3.0] * Y @ SLOPE)
    same(found[1], [2.0, -3.0] * np.sin(A @ X) + 5.0)


def test_jvp():
    for create_graph in (False, True):
        value, found = ta.jvp(wave, t(X), t([1.0, 10.0, 100.0]), create_graph=create_graph)
        same(value, np.sin(A @ X))
        same(found, SLOPE @ [1.0, 10.0, 100.0])
        assert found.requires_grad is create_graph


def test_jvp_of_several():
    for create_graph in (False, True):
        values, found = ta.jvp(scaled, (t(X), t(Y)), (t([1.0, 2.0, 3.0]), t([4.0, 5.0])), create_graph)
        same(values[1], Y.sum())
        same(found[0], Y * (SLOPE @ [1.0, 2.0, 3.0]) + np.sin(A @ X) * [4.0, 5.0])
        same(found[1], 9.0)


def test_one_number_needs_no_v():
    for inputs in (t(2.0), t([2.0]), t([[2.0]])):
        value, found = ta.vjp(lambda x: x**3, inputs)
        same(found, np.full(inputs.shape, 12.0))
        value, found = ta.jvp(lambda x: x**3, inputs)
        same(value, np.full(inputs.shape, 8.0))
        same(found, np.full(inputs.shape, 12.0))
        same(ta.hvp(lambda x: (x**3).sum(), inputs)[1], np.full(inputs.shape, 12.0))
    same(ta.vjp(cubes, t(X))[1], 3 * X**2)


strategies = pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])


@strategies
def test_jacobian(strategy):
    same(ta.jacobian(wave, t(X), strategy=strategy), SLOPE)
    same(ta.jacobian(cubes, t(X), strategy=strategy), 3 * X**2)
    same(ta.jacobian(lambda x: x * 2.0, t(3.0), strategy=strategy), 2.0)
    same(ta.jacobian(lambda x: x * t(X), t(3.0), strategy=strategy), X)
    found = ta.jacobian(lambda x: x.T * 2.0, t(A), strategy=strategy)
    same(found, 2.0 * np.einsum("il,jk->ijkl", np.eye(3), np.eye(2)))
    assert not found.requires_grad


@strategies
def test_jacobian_of_several(strategy):
    """A tuple over the outputs of tuples over the inputs; a tuple alone where there is one of either."""
    found = ta.jacobian(scaled, (t(X), t(Y)), strategy=strategy)
    same(found[0][0], Y[:, None] * SLOPE)
    same(found[0][1], np.diag(np.sin(A @ X)))
    same(found[1][0], np.zeros(3))
    same(found[1][1], np.ones(2))
    (over_inputs,) = ta.jacobian(lambda x: wave(x), (t(X),), strategy=strategy)
    same(over_inputs, SLOPE)
    ((nested,),) = ta.jacobian(lambda x: [wave(x)], [t(X)], strategy=strategy)
    same(nested, SLOPE)
    dx, dy = ta.jacobian(mixed, (t(X), t(Y)), strategy=strategy)
    same(dx, 2 * X * (Y**3).sum())
    same(dy, 3 * Y**2 * (X * X).sum())
    values = ta.jacobian(lambda x: (x * 2.0, x.sum()), t(X), strategy=strategy)
    same(values[0], 2.0 * np.eye(3))
    same(values[1], np.ones(3))


@strategies
@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_jacobian_of_nothing(strategy, shape):
    same(ta.jacobian(lambda x: x * 2.0, tt.zeros(shape), strategy=strategy), np.zeros(shape + shape))
    same(ta.jacobian(lambda x: x.sum(), tt.zeros(shape), strategy=strategy), np.zeros(shape))
    same(ta.jacobian(lambda x: x[:0], t(X), strategy=strategy), np.zeros((0, 3)))
    same(ta.hessian(lambda x: (x * x).sum(), tt.zeros(shape)), np.zeros(shape + shape))
    value, found = ta.vjp(lambda x: x.exp(), tt.zeros(shape), tt.zeros(shape))
    assert found.shape == value.shape == shape


@strategies
def test_a_constant_result(strategy):
    same(ta.jacobian(lambda x: t(Y), t(X), strategy=strategy), np.zeros((2, 3)))
    same(ta.vjp(lambda x: t(Y), t(X), t(Y))[1], np.zeros(3))
    same(ta.jvp(lambda x: t(Y), t(X), t(X))[1], np.zeros(2))
    same(ta.hvp(lambda x: t(1.0), t(X), t(X))[1], np.zeros(3))
    same(ta.hvp(lambda x: x.sum(), t(X), t(X))[1], np.zeros(3))
    same(ta.hessian(lambda x: x.sum(), t(X)), np.zeros((3, 3)))


@strategies
def test_the_input_given_back(strategy):
    x = t(X)
    same(ta.jacobian(lambda v: v, x, strategy=strategy), np.eye(3))
    value, found = ta.jvp(lambda v: v, x, t(A[0]))
    found.fill_(0.0)
    same(value, X)
    same(x, X)


@strategies
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_have_the_dtype_of_the_inputs(strategy, dtype):
    x = t(X, dtype)
    assert ta.jacobian(lambda v: (v * v).astype("float64"), x, strategy=strategy).dtype == dtype
    assert ta.hessian(cubes, x).dtype == dtype
    assert ta.hvp(cubes, x, t(X))[1].dtype == dtype
    assert ta.vjp(lambda v: v * v, x, t(X))[1].dtype == dtype
    assert ta.jvp(lambda v: v * v, x, t(X))[1].dtype == dtype
    assert ta.jvp(lambda v: v * v, x, t(X), create_graph=True)[1].dtype == dtype


# --- second order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_hessian(strategy):
    same(ta.hessian(cubes, t(X), outer_jacobian_strategy=strategy), np.diag(6 * X))
    same(ta.hessian(lambda x: x**4, t(2.0), outer_jacobian_strategy=strategy), 48.0)
    same(ta.hessian(lambda x: (x**4).reshape(1), t([2.0]), outer_jacobian_strategy=strategy), [[48.0]])
    (xx, xy), (yx, yy) = ta.hessian(mixed, (t(X), t(Y)), outer_jacobian_strategy=strategy)
    same(xx, 2 * np.eye(3) * (Y**3).sum())
    same(xy, np.outer(2 * X, 3 * Y**2))
    same(yx, xy.numpy().T)
    same(yy, np.diag(6 * Y) * (X * X).sum())
    ((only,),) = ta.hessian(lambda x: cubes(x), (t(X),), outer_jacobian_strategy=strategy)
    same(only, np.diag(6 * X))
    found = ta.hessian(lambda x: (x**3).sum() * x[0, 0], t(A), outer_jacobian_strategy=strategy)
    assert found.shape == (2, 3, 2, 3)
    same(found[1, 1, 1, 1], 6 * A[1, 1] * A[0, 0])
    same(found[0, 0, 1, 1], 3 * A[1, 1] ** 2)


@pytest.mark.parametrize("product", [ta.hvp, ta.vhp])
def test_a_hessian_times_a_vector(product):
    value, found = product(cubes, t(X), t([1.0, 10.0, 100.0]))
    same(value, (X**3).sum())
    same(found, 6 * X * [1.0, 10.0, 100.0])
    value, (dx, dy) = product(mixed, (t(X), t(Y)), (t([1.0, 2.0, 3.0]), t([4.0, 5.0])))
    v, w = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0])
    same(dx, 2 * v * (Y**3).sum() + 2 * X * (3 * Y**2 @ w))
    same(dy, 3 * Y**2 * (2 * X @ v) + 6 * Y * w * (X * X).sum())
    same(value, (X * X).sum() * (Y**3).sum())


# --- results that are differentiable --------------------------------------------------------------------


def test_results_can_be_differentiated_in_inputs_and_v():
    x, v = t(X).requires_grad_(), t([1.0, 10.0, 100.0]).requires_grad_()

    def check(found, wanted_x, wanted_v):
        assert found.requires_grad
        dx, dv = ta.grad(found.sum(), (x, v), materialize_grads=True)
        same(dx, wanted_x)
        same(dv, wanted_v)

    def cube(x):
        return x**3

    w = v.numpy()
    check(ta.vjp(cube, x, v, create_graph=True)[1], 6 * X * w, 3 * X**2)
    check(ta.jvp(cube, x, v, create_graph=True)[1], 6 * X * w, 3 * X**2)
    check(ta.hvp(cubes, x, v, create_graph=True)[1], 6 * w, 6 * X)
    check(ta.jacobian(cube, x, create_graph=True), 6 * X, np.zeros(3))
    check(ta.hessian(cubes, x, create_graph=True), np.full(3, 6.0), np.zeros(3))
    check(ta.vjp(cube, x, v, create_graph=True)[0], 3 * X**2, np.zeros(3))
    assert x.grad is v.grad is None


def test_without_create_graph_nothing_hangs_on_the_inputs():
    x = t(X).requires_grad_()
    v = t(X).requires_grad_()
    for found in (
        *ta.vjp(lambda x: x**3, x, v),
        *ta.jvp(lambda x: x**3, x, v),
        *ta.hvp(cubes, x, v),
        ta.jacobian(lambda x: x**3, x),
        ta.hessian(cubes, x),
    ):
        assert not found.requires_grad
    assert x.requires_grad
    assert x.grad is None


@pytest.mark.parametrize("mode", [ta.no_grad, ta.inference_mode])
def test_inside_no_grad(mode):
    with mode():
        same(ta.vjp(wave, t(X), t(Y))[1], Y @ SLOPE)
        same(ta.jvp(wave, t(X), t(X))[1], SLOPE @ X)
        same(ta.jacobian(wave, t(X)), SLOPE)
        same(ta.hessian(cubes, t(X)), np.diag(6 * X))
        same(ta.hvp(cubes, t(X), t(X))[1], 6 * X * X)


def test_a_jacobian_of_a_jacobian():
    def slope(x):
        return ta.jacobian(lambda v: (v**3).sum(), x, create_graph=True)

    for strategy in ("reverse-mode", "forward-mode"):
        same(ta.jacobian(slope, t(X), strategy=strategy), np.diag(6 * X))
    third = ta.jacobian(lambda x: ta.hessian(cubes, x, create_graph=True), t(X))
    wanted = np.zeros((3, 3, 3))
    wanted[range(3), range(3), range(3)] = 6.0
    same(third, wanted)


# --- functions that write, close over others, or stop the gradient --------------------------------------


def filled(x):
    z = tt.zeros(3, dtype="float64")
    z[:2] = x[1:] * 2.0
    z[1] += x[0] ** 2
    return z


FILLED = np.array([[0.0, 2.0, 0.0], [2 * X[0], 0.0, 2.0], [0.0, 0.0, 0.0]])


@strategies
def test_a_function_that_writes(strategy):
    same(ta.jacobian(filled, t(X), strategy=strategy), FILLED)
    same(ta.jvp(filled, t(X), t(X))[1], FILLED @ X)
    same(ta.vjp(filled, t(X), t(X))[1], X @ FILLED)
    same(ta.jacobian(lambda x: (x * 1.0).mul_(2.0), t(X), strategy=strategy), 2 * np.eye(3))
    same(ta.hessian(lambda x: (filled(x) ** 2).sum(), t(X))[0, 2], 8.0 * X[0])


@strategies
def test_a_result_that_is_a_view_of_what_was_written_since(strategy):
    def call(x):
        z = tt.zeros(3, dtype="float64")
        view = z[:2]
        z[:] = x * 3.0
        return view

    same(ta.jacobian(call, t(X), strategy=strategy), 3 * np.eye(3)[:2])
    same(ta.vjp(call, t(X), t(Y))[1], [*(3 * Y), 0.0])
    same(ta.jvp(call, t(X), t(X))[1], 3 * X[:2])


def test_a_function_that_writes_into_its_input():
    x = t(X)
    for call in (
        lambda: ta.vjp(lambda x: x.mul_(2.0), x, t(X)),
        lambda: ta.jvp(lambda x: x.mul_(2.0), x, t(X)),
        lambda: ta.jacobian(lambda x: x.mul_(2.0), x, strategy="forward-mode"),
    ):
        with pytest.raises(InPlaceError, match="leaf that collects a gradient"):
            call()
    same(x, X)


@strategies
def test_what_is_constant_inside_is_constant(strategy):
    w = t(X).requires_grad_()

    def call(x):
        with ta.no_grad():
            k = x * 2.0
        return x * k * w + x.detach() * w

    same(ta.jacobian(call, t(X), strategy=strategy), np.diag(2 * X * X))
    for create_graph in (False, True):
        same(ta.jvp(call, t(X), t(X), create_graph)[1], 2 * X * X * X)
    assert w.grad is None


def test_a_function_that_takes_a_gradient_itself():
    def force(x):
        with ta.enable_grad():
            (g,) = ta.grad((x**4).sum(), x, create_graph=True)
        return -g

    same(ta.jvp(force, t(X), t([1.0, 10.0, 100.0]))[1], -12 * X**2 * [1.0, 10.0, 100.0])
    same(ta.jacobian(force, t(X), strategy="forward-mode"), np.diag(-12 * X**2))
    same(ta.vjp(force, t(X), t([1.0, 10.0, 100.0]))[1], -12 * X**2 * [1.0, 10.0, 100.0])

    def trained(x):
        """The gradient with respect to something else on the way."""
        w = t(1.0).requires_grad_()
        (g,) = ta.grad((w * x).sum() ** 2, w, create_graph=True)
        return g  # 2 w (Σx)²

    same(ta.jvp(trained, t(X), t([1.0, 0.0, 0.0]))[1], 4 * X.sum())
