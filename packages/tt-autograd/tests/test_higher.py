"""Derivatives of derivatives: closed forms to the fifth order, central differences, and whose `.grad` they fill."""

import gc
import math
import weakref

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import InPlaceError


def leaf(data, dtype="float64"):
    return tt.tensor(data, dtype=dtype, requires_grad=True)


def same(found, wanted, tolerance=1e-10):
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), tolerance, 1e-12)


def values(*shape):
    """Distinct, from 0.3 to 2."""
    return np.linspace(0.3, 2.0, int(np.prod(shape)))[::-1].reshape(shape)


def sinh(x, k):
    return np.sinh(x) if k % 2 == 0 else np.cosh(x)


# f → its k-th derivative
ORDERS = {
    "x^5": (lambda x: x**5, lambda x, k: math.perm(5, k) * x ** (5 - k)),
    "x x x x x": (lambda x: x * x * x * x * x, lambda x, k: math.perm(5, k) * x ** (5 - k)),
    "exp": (lambda x: x.exp(), lambda x, k: np.exp(x)),
    "sin": (lambda x: x.sin(), lambda x, k: np.sin(x + k * np.pi / 2)),
    "cos": (lambda x: x.cos(), lambda x, k: np.cos(x + k * np.pi / 2)),
    "log": (lambda x: x.log(), lambda x, k: (-1.0) ** (k - 1) * math.factorial(k - 1) / x**k),
    "1/x": (lambda x: 1.0 / x, lambda x, k: (-1.0) ** k * math.factorial(k) / x ** (k + 1)),
    "sqrt": (
        lambda x: x.sqrt(),
        lambda x, k: math.prod(0.5 - j for j in range(k)) * x ** (0.5 - k),
    ),
    "x exp x": (lambda x: x * x.exp(), lambda x, k: (x + k) * np.exp(x)),
    "(e^x - e^-x)/2": (lambda x: (x.exp() - (-x).exp()) / 2.0, sinh),
    "written in place": (
        lambda x: (x * 1.0).mul_(x).mul_(x).add_(x),
        lambda x, k: math.perm(3, k) * x ** max(3 - k, 0) + (k == 1),
    ),
    "a constant, written in place": (
        lambda x: tt.full(x.shape, 2.0, dtype="float64").mul_(x).mul_(x),
        lambda x, k: 2 * math.perm(2, k) * x ** max(2 - k, 0),
    ),
    "written through a view": (
        lambda x: through_view(x),
        lambda x, k: math.perm(4, k) * x ** max(4 - k, 0),
    ),
    "checkpointed": (
        lambda x: ta.checkpoint(lambda v: v**3, x),
        lambda x, k: math.perm(3, k) * x ** max(3 - k, 0),
    ),
}


def through_view(x):
    y = x * x
    view = y.reshape(-1)
    view *= view.clone()
    return y


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_every_order_of_a_closed_form(name, shape):
    call, derivative = ORDERS[name]
    x = leaf(values(*shape))
    y = call(x)
    for k in range(1, 6):
        if not y.requires_grad:  # of a polynomial nothing is left
            same(tt.tensor(derivative(x.numpy(), k)), np.zeros(shape))
            break
        (y,) = ta.grad(y.sum(), x, create_graph=True)
        same(y, derivative(x.numpy(), k), 1e-9)
    assert x.grad is None


def test_a_reversed_view_to_every_order():
    x = leaf(values(2, 3))
    y = (x[::-1].T ** 3 * tt.tensor(values(3, 2))).sum()
    weight = values(3, 2).T[::-1]
    for wanted in (3 * x.numpy() ** 2, 6 * x.numpy(), 6.0):
        (g,) = ta.grad(y, x, create_graph=True)
        same(g, wanted * weight)
        y = g.sum()


# --- several variables ----------------------------------------------------------------------------------


def test_mixed_derivatives_come_out_the_same_in_every_order():
    x, y = leaf(0.7), leaf(1.3)
    f = (x * y).sin() * x
    v, w = 0.7, 1.3
    dxy = ta.grad(ta.grad(f, x, create_graph=True)[0], y, create_graph=True)[0]
    dyx = ta.grad(ta.grad(f, y, create_graph=True)[0], x, create_graph=True)[0]
    wanted = 2 * v * np.cos(v * w) - v * v * w * np.sin(v * w)
    assert dxy.item() == pytest.approx(wanted, rel=1e-13)
    assert dyx.item() == pytest.approx(wanted, rel=1e-13)


def test_the_hessian_of_a_quadratic_form():
    a = tt.tensor(values(3, 3), dtype="float64")
    x = leaf(values(3))
    (g,) = ta.grad(x @ a @ x, x, create_graph=True)
    rows = [ta.grad(g[k], x, retain_graph=True)[0].numpy() for k in range(3)]
    np.testing.assert_allclose(rows, a.numpy() + a.numpy().T, 1e-13)


def test_a_gradient_of_a_gradient_at_a_result_on_the_way():
    x = leaf(values(3))
    h = x * x
    (dh,) = ta.grad((h**3).sum(), h, create_graph=True)  # 3 h²
    (ddh,) = ta.grad(dh.sum(), h, create_graph=True)  # 6 h
    (dx,) = ta.grad(ddh.sum(), x)  # 12 x
    same(dh, 3 * x.numpy() ** 4)
    same(ddh, 6 * x.numpy() ** 2)
    same(dx, 12 * x.numpy())


def test_the_derivative_along_the_gradient_that_was_given():
    """⟨v, dx⟩ is linear in v, so its derivative in v is J: here 3x²."""
    x, v = leaf(values(3)), leaf([1.0, 10.0, 100.0])
    (dx,) = ta.grad(x**3, x, v, create_graph=True)
    dv, ddx = ta.grad(dx, (v, x), np.ones(3))
    same(dv, 3 * x.numpy() ** 2)
    same(ddx, 6 * x.numpy() * v.numpy())


# --- whose .grad ----------------------------------------------------------------------------------------


def test_a_gradient_penalty():
    """(‖∂f/∂x‖ - 1)² of a linear critic w·x: its gradient is 2 (‖w‖ - 1) w/‖w‖, whatever x is."""
    w, x = leaf(values(4)), leaf(values(5, 4))
    (slopes,) = ta.grad((x @ w).sum(), x, create_graph=True)
    assert w.grad is x.grad is None
    norms = (slopes**2).sum(1).sqrt()
    ((norms - 1.0) ** 2).mean().backward()
    length = np.linalg.norm(w.numpy())
    same(w.grad, 2 * (length - 1) * w.numpy() / length)
    assert x.grad is None  # the slopes do not depend on x


def test_backward_twice_adds_up_in_the_leaves_only():
    x, w = leaf(values(3)), leaf(values(3))
    y = (x**3 * w).sum()
    (dx,) = ta.grad(y, x, create_graph=True)
    dx.sum().backward()
    same(x.grad, 6 * x.numpy() * w.numpy())
    same(w.grad, 3 * x.numpy() ** 2)


def test_backward_with_create_graph_fills_grads_that_have_a_history():
    x = leaf(values(3))
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    same(x.grad, 3 * x.numpy() ** 2)
    first = x.grad
    x.grad = None
    (first * first).sum().backward()
    same(x.grad, 36 * x.numpy() ** 3)
    same(first, 3 * x.numpy() ** 2)  # it was not added to


def test_inside_no_grad_the_graph_of_the_gradient_is_made_all_the_same():
    x = leaf(values(3))
    y = (x**3).sum()
    with ta.no_grad():
        (g,) = ta.grad(y, x, create_graph=True)
    assert g.requires_grad
    same(ta.grad(g.sum(), x)[0], 6 * x.numpy())


def test_a_gradient_that_does_not_depend_on_the_input_has_no_history():
    x = leaf(values(3))
    (g,) = ta.grad((2.0 * x).sum(), x, create_graph=True)
    assert not g.requires_grad
    (g,) = ta.grad((x * x).sum(), x, create_graph=True)
    (g,) = ta.grad(g.sum(), x, create_graph=True)
    assert not g.requires_grad


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_order_stays_in_its_dtype(dtype):
    x = leaf([0.5, 1.5], dtype)
    y = (x**4 * 0.25 + x.exp()).sum()
    for _ in range(3):
        (g,) = ta.grad(y, x, create_graph=True)
        assert g.dtype == dtype
        y = g.sum()
        assert y.dtype == dtype


# --- values that are computed again ---------------------------------------------------------------------


class Noted(tt.Function):
    """x², without saving its value; counts how often its formula runs."""

    runs = 0

    def forward(self, x):
        Noted.runs += 1
        self.x = x
        return x * x

    def backward(self, grad):
        return 2 * grad * self.x


def test_each_value_is_computed_again_at_most_once_and_once_as_tensors():
    Noted.runs = 0
    x = leaf(1.1)
    y = x * 1.0
    for _ in range(20):
        y = Noted()(y)
        y = (y + y * 0.5).sqrt()
    ta.grad(y, x, create_graph=True)
    assert 2 * 20 < Noted.runs <= 3 * 20


def test_it_warns_about_nothing_that_the_first_run_warned_about():
    x = leaf([0.0, 1.0])
    with np.errstate(divide="ignore"):
        y = x.log()
    (g,) = ta.grad(tt.where(x > 0.5, y, 0.0).sum(), y, create_graph=True)
    same(g, [0.0, 1.0])


def test_values_that_were_changed_behind_the_graph_are_refused():
    x = leaf(values(3))
    for change in (lambda: x.detach().mul_(2.0), lambda: x.write(x.numpy() * 2.0)):
        y = (x.exp() * 2.0).sum()  # first order needs e^x, which is saved
        change()
        ta.grad(y, x, retain_graph=True)
        with pytest.raises(InPlaceError, match="create_graph: a value of shape"):
            ta.grad(y, x, create_graph=True)
        y = x.exp()  # whose value nobody else needs
        change()
        with pytest.raises(InPlaceError, match="create_graph: a value of shape"):
            ta.grad(y, x, np.ones(3), create_graph=True)


def test_released_on_the_way():
    x = leaf(values(3))
    h = x * x
    h.sum().backward()
    with pytest.raises(ta.ReleasedGraphError, match="released at Mul"):
        ta.grad((h * h).sum(), x, create_graph=True)


def test_graphs_of_graphs_go_without_the_collector():
    x = leaf(values(3))
    gc.collect()
    gc.disable()
    try:
        y = (x**3).exp().sum()
        (g,) = ta.grad(y, x, create_graph=True)
        (h,) = ta.grad(g.sum(), x, create_graph=True)
        gone = [weakref.ref(one) for one in (y, g, h, y.grad_fn, g.grad_fn, h.grad_fn)]
        h.sum().backward()
        del y, g, h
        assert [one() for one in gone] == [None] * 6
    finally:
        gc.enable()
