"""Forward mode: tangents that travel along, at the cost of one pass, with nothing kept."""

import gc
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_autograd.forward_mode import ForwardModeError, Tangents, moves
from tt_autograd.watching import watch

X = np.array([0.7, -1.3, 2.1])
V = np.array([1.0, 10.0, 100.0])


def t(data, dtype="float64"):
    return tt.tensor(data, dtype=dtype)


def travelling(call, x=X, v=V):
    """call(x) and its tangent along v, by the engine itself; no other mode steps in."""
    tangents = Tangents()
    moving = t(x)
    tangents[moving] = np.asarray(v)
    with tangents.travel():
        y = call(moving)
    return y, tangents.get(y)


CALLS = {
    "exp": (lambda x: x.exp(), lambda x: np.exp(x)),
    "x³": (lambda x: x**3, lambda x: 3 * x**2),
    "x x x": (lambda x: x * x * x, lambda x: 3 * x**2),
    "a fan": (lambda x: (h := x.sin()) * h + h, lambda x: np.sin(2 * x) + np.cos(x)),
    "constants": (lambda x: 2.0 * x + t(X) - 1.0, lambda x: 2.0 + 0 * x),
    "views": (lambda x: x.reshape(3, 1)[::-1].T[0][::-1] * 2.0, lambda x: 2.0 + 0 * x),
    "kinks": (lambda x: x.clip(0.0, 1.0) + tt.abs(x), lambda x: ((x > 0) & (x < 1)) + np.sign(x)),
    "where": (lambda x: tt.where(x > 0, x * 3.0, x * x), lambda x: np.where(x > 0, 3.0, 2 * x)),
    "given back": (lambda x: x, lambda x: 1.0 + 0 * x),
    "checkpointed": (lambda x: ta.checkpoint(lambda h: h * x, x * 1.0), lambda x: 2 * x),
}


@pytest.mark.parametrize("name", CALLS)
def test_tangents_of_closed_forms(name):
    call, slope = CALLS[name]
    y, moved = travelling(call)
    np.testing.assert_allclose(moved, slope(X) * V, 1e-13)
    assert y.grad_fn is None  # nothing was recorded


def test_sums_products_and_joins():
    matrix = np.arange(6.0).reshape(2, 3) - 2.5
    for call, wanted in (
        (lambda x: x.sum(), V.sum()),
        (lambda x: x.mean(), V.mean()),
        (lambda x: x @ x, 2 * X @ V),
        (lambda x: t(matrix) @ x, matrix @ V),
        (lambda x: tt.outer(x, x), np.outer(V, X) + np.outer(X, V)),
        (lambda x: tt.cat([x, x * 2.0]), np.r_[V, 2 * V]),
        (lambda x: tt.stack([x, t(X)]), np.stack([V, 0 * V])),
        (lambda x: x[[2, 0, 0]], V[[2, 0, 0]]),
        (lambda x: x.max(), V[2]),
        (lambda x: x.expand(2, 3), np.stack([V, V])),
        (lambda x: x + t(matrix), np.stack([V, V])),
        (lambda x: x.softmax(0), (s := np.exp(X) / np.exp(X).sum()) * (V - s @ V)),
        (lambda x: x.cumsum(0), V.cumsum()),
    ):
        np.testing.assert_allclose(travelling(call)[1], wanted, 1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_tangent_has_the_dtype_of_its_value(dtype):
    y, moved = travelling(lambda x: x.astype(dtype) * 2 + t(X))
    assert moved.dtype == y.dtype
    y, moved = travelling(lambda x: (x.astype(dtype) * 2).exp())
    assert moved.dtype == y.dtype == dtype


def test_what_does_not_move_has_no_tangent():
    w = t(X).requires_grad_()
    for call in (lambda x: w * 2.0, lambda x: x.detach() * 2.0, lambda x: t(x.tolist()), lambda x: x > 0):
        assert travelling(call)[1] is None
    _, moved = travelling(lambda x: x.floor())
    assert not moved.any()
    with ta.no_grad():
        np.testing.assert_allclose(
            travelling(lambda x: x * w)[1], X * V
        )  # it is a derivative that was asked for

    def stopped(x):
        with ta.no_grad():
            k = x * 2.0
        assert not k.requires_grad
        return x * k

    np.testing.assert_allclose(travelling(stopped)[1], 2 * X * V)


def test_what_does_not_move_is_recorded_as_ever():
    w = t(X).requires_grad_()
    kept = []
    travelling(lambda x: kept.append(w * w) or x)
    kept[0].sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * X)


class Counted(tt.Function):
    """y = x³, and how often formula and rule ran."""

    forwards = backwards = 0

    def forward(self, x):
        Counted.forwards += 1
        self.x = x
        return x**3

    def backward(self, grad):
        Counted.backwards += 1
        return 3 * grad * self.x**2


def test_the_cost_one_pass_for_each_direction_or_one_way_back_for_each_number():
    """f: Rⁿ → Rᵐ costs n passes along, or m ways back."""
    for n, m in ((1, 5), (5, 1), (3, 3)):
        weight = np.arange(1.0, 1 + m * n).reshape(m, n)
        wanted = weight * 3 * np.linspace(1.0, 2.0, n) ** 2

        def call(x, weight=weight):
            return t(weight) @ Counted()(x)

        Counted.forwards = Counted.backwards = 0
        found = ta.jacobian(call, t(np.linspace(1.0, 2.0, n)), strategy="forward-mode")
        np.testing.assert_allclose(found.numpy(), wanted, 1e-12)
        assert Counted.forwards == Counted.backwards == n
        Counted.forwards = Counted.backwards = 0
        found = ta.jacobian(call, t(np.linspace(1.0, 2.0, n)))
        np.testing.assert_allclose(found.numpy(), wanted, 1e-12)
        assert (Counted.forwards, Counted.backwards) == (1, m)


def test_only_the_gradients_of_what_moves_are_worked_out():
    asked = []

    class Product(tt.Function):
        def forward(self, x, y):
            self.x, self.y = x, y
            return x * y

        def backward(self, grad):
            asked.append((self.wants(0), self.wants(1)))
            return grad * self.y if self.wants(0) else None, grad * self.x if self.wants(1) else None

    function = Product()
    _, moved = travelling(lambda x: function(x, t(X)))
    np.testing.assert_allclose(moved, X * V)
    assert asked == [(True, False)]
    assert function.needs is None  # whoever calls the rule by hand gets both
    _, moved = travelling(lambda x: Product()(x, x))
    np.testing.assert_allclose(moved, 2 * X * V)
    assert asked[1:] == [(True, True)]


def test_nothing_is_kept_of_a_chain():
    def chain(x):
        for _ in range(30):
            x = x.sin()
        return x

    x, v = tt.ones(100_000, dtype="float64"), tt.ones(100_000, dtype="float64")
    for call, most in ((lambda: ta.jvp(chain, x, v), 12), (lambda: ta.vjp(chain, x, v), 60)):
        gc.collect()
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1] / x.nbytes
        tracemalloc.stop()
        assert peak < most
        assert most == 12 or peak > 30  # reverse mode keeps every value, forward mode a few


def test_tangents_go_with_their_tensors():
    tangents = Tangents()
    x = t(X)
    tangents[x] = V
    gc.collect()
    gc.disable()
    try:
        with tangents.travel():
            y = x * 2.0
            gone = weakref.ref(y)
            del y
            assert gone() is None
        assert list(tangents._of) == [id(x)]
    finally:
        gc.enable()


def test_who_watches_sees_the_operations_and_not_how_their_tangents_are_made():
    seen = []
    with watch(lambda function, *_: seen.append(type(function).__name__)):
        travelling(lambda x: (x.exp() * x).sum())
    assert seen == ["Exp", "Mul", "Sum"]


def test_what_it_leaves_to_reverse_mode():
    def write(x):
        z = tt.zeros(3, dtype="float64")
        z[1:] = x[1:]
        return z

    def differentiate(x):
        return ta.grad((x * x).sum(), x, create_graph=True)[0]

    def backward(x):
        (x * x).sum().backward()

    for call in (write, differentiate, backward):
        with pytest.raises(ForwardModeError):
            travelling(call)
        assert (tt.ones(1).requires_grad_() * 2).requires_grad  # everything is as it was


def test_a_mode_that_ends_in_an_exception():
    def fail(x):
        raise KeyError

    with ta.no_grad():
        with pytest.raises(KeyError):
            travelling(fail)
        assert not ta.is_grad_enabled()
    x = t(X).requires_grad_()
    assert (x * 2).requires_grad


def test_it_is_asked_for_what_moves():
    tangents = Tangents()
    x, w = t(X), t(X)
    tangents[x] = V
    assert not moves(x)
    with tangents.travel():
        y = x * w
        assert moves(x)
        assert moves(y)
        assert not moves(w)
        with ThreadPoolExecutor(1) as pool:
            assert not pool.submit(moves, x).result()
    assert not moves(y)


def test_another_thread_records_meanwhile():
    def elsewhere():
        x = t(X).requires_grad_()
        y = (x * x).sum()
        y.backward()
        return x.grad.numpy()

    def call(x):
        y = x * x
        with ThreadPoolExecutor(1) as pool:
            np.testing.assert_allclose(pool.submit(elsewhere).result(), 2 * X)
        return y * x

    np.testing.assert_allclose(travelling(call)[1], 3 * X**2 * V)


def test_a_function_with_a_composite():
    class Fused(tt.Function):
        """x², with a rule that cannot run on Tensors."""

        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, grad):
            out = np.empty_like(self.x)
            np.multiply(2 * self.x, grad, out=out)
            return out

        @staticmethod
        def composite(x):
            return x * x

    np.testing.assert_allclose(travelling(lambda x: Fused()(x) * x)[1], 3 * X**2 * V)


def test_directions_of_zero_length_and_empty_inputs():
    _, moved = travelling(lambda x: x.exp(), v=0 * V)
    assert not moved.any()
    y, moved = travelling(lambda x: x.exp(), np.zeros((0, 3)), np.zeros((0, 3)))
    assert moved.shape == y.shape == (0, 3)
