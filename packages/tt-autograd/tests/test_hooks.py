"""Hooks see, and may replace, the gradient at a leaf or a result; retain_grad keeps it."""

import copy
import gc
import weakref

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import DTypeError, GradientError


def leaf(*numbers):
    return tt.tensor(list(numbers), dtype="float64", requires_grad=True)


def same(found, wanted):
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), 1e-12)


def place(kind, x):
    """x itself, or a result on the way from it with the same gradient."""
    return {"leaf": x, "result": x * 1.0, "view": (x * 1.0).reshape(2, 1)}[kind]


kinds = pytest.mark.parametrize("kind", ["leaf", "result", "view"])
WAYS_BACK = {
    "backward": lambda y, x: (y.backward(), x.grad)[1],
    "backward create_graph": lambda y, x: (y.backward(create_graph=True), x.grad)[1].detach(),
    "grad": lambda y, x: ta.grad(y, x)[0],
    "grad create_graph": lambda y, x: ta.grad(y, x, create_graph=True)[0],
}
ways = pytest.mark.parametrize("way", WAYS_BACK)


# --- what a hook does -----------------------------------------------------------------------------------


@kinds
@ways
def test_a_hook_sees_the_whole_gradient_once(kind, way):
    x = leaf(1.0, 2.0)
    h = place(kind, x)
    seen = []
    h.register_hook(lambda g: seen.append(g))
    g = WAYS_BACK[way]((h * h + 3.0 * h).sum(), x)
    same(g, 2 * x.numpy() + 3)
    assert len(seen) == 1
    assert seen[0].shape == h.shape
    same(seen[0].reshape(2), 2 * x.numpy() + 3)


@kinds
@ways
def test_a_hook_replaces_the_gradient(kind, way):
    x = leaf(1.0, 2.0)
    h = place(kind, x)
    h.register_hook(lambda g: g * 10.0)
    same(WAYS_BACK[way]((h * h).sum(), x), 20 * x.numpy())


@kinds
@ways
def test_hooks_run_in_their_order_each_on_what_the_last_one_gave(kind, way):
    x = leaf(1.0, 2.0)
    h = place(kind, x)
    seen = []
    h.register_hook(lambda g: g + 1.0)
    h.register_hook(lambda g: seen.append(g.reshape(2).tolist()))
    h.register_hook(lambda g: g * 2.0)
    h.register_hook(lambda g: seen.append(g.reshape(2).tolist()))
    same(WAYS_BACK[way](h.sum(), x), [4.0, 4.0])
    assert seen == [[2.0, 2.0], [4.0, 4.0]]


def test_the_hook_of_a_leaf_sees_the_sum_over_its_uses_and_each_call_of_backward():
    x = leaf(1.0, 2.0)
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * x + x.exp() * 0).sum().backward()
    (x * 3).sum().backward()
    assert seen == [[2.0, 4.0], [3.0, 3.0]]
    same(x.grad, [5.0, 7.0])


def test_a_hook_that_writes_into_what_it_is_given_changes_nothing():
    def write(g):
        g.zero_()

    x, w = leaf(1.0, 2.0), leaf(1.0, 2.0)
    x.register_hook(write)
    (x + w).sum().backward()
    same(x.grad, [1.0, 1.0])
    same(w.grad, [1.0, 1.0])


def test_what_a_hook_is_given_is_its_own():
    x = leaf(1.0, 2.0)
    kept = []
    x.register_hook(kept.append)
    (x * 2).sum().backward()
    kept[0].fill_(100.0)
    same(x.grad, [2.0, 2.0])


def test_a_hook_may_compute_and_differentiate():
    x, w = leaf(1.0, 2.0), leaf(5.0, 5.0)
    h = x * 2
    h.register_hook(lambda g: g * w)
    h.register_hook(lambda g: ta.grad((w * w).sum() / 10.0, w)[0] * g)
    (h * 3).sum().backward()
    same(x.grad, [30.0, 30.0])
    assert w.grad is None


def test_a_hook_under_create_graph_is_differentiated_too():
    """At h = x² the hook replaces g by g²: dx = (3h²)² · 2x = 18 x⁹."""
    x = leaf(1.0, 2.0)
    h = x * x
    h.register_hook(lambda g: g * g)
    (dx,) = ta.grad((h**3).sum(), x, create_graph=True)
    same(dx, 18 * x.numpy() ** 9)
    (ddx,) = ta.grad(dx.sum(), x)
    # Its way back comes by h again, where the hook squares what goes to h: 9·8 h³, d(18 h⁴ x)/dh at x, (72 h³ x)².
    direct, through_h = 18 * x.numpy() ** 8, 72 * x.numpy() ** 7
    same(ddx, direct + through_h**2 * 2 * x.numpy())


def test_hooks_inside_a_composite_and_a_checkpoint_run_once():
    """Both go a nested way back to the places where the outer one runs the hooks."""

    class Doubled(tt.Function):
        def forward(self, x):
            return 2 * x

        def backward(self, grad):
            return 2 * grad

        @staticmethod
        def composite(x):
            return x + x

    for inside in (Doubled(), lambda h: ta.checkpoint(lambda q: q * h, tt.full(2, 2.0, dtype="float64"))):
        x = leaf(1.0, 2.0)
        h = x * 1.0
        for at in (x, h):
            at.register_hook(lambda g: g * 3.0)
        h.retain_grad()
        (g,) = ta.grad(inside(h).sum(), x, create_graph=True)
        same(g, [18.0, 18.0])
        same(h.grad, [6.0, 6.0])
    w = leaf(1.0, 2.0)
    w.register_hook(lambda g: g * 3.0)
    ta.checkpoint(lambda q: q * w, leaf(1.0, 1.0)).sum().backward()
    same(w.grad, [3.0, 3.0])


# --- taking them away -----------------------------------------------------------------------------------


@kinds
def test_a_hook_is_removed(kind):
    x = leaf(1.0, 2.0)
    h = place(kind, x)
    handle = h.register_hook(lambda g: g * 10.0)
    h.sum().backward(retain_graph=True)
    same(x.grad, [10.0, 10.0])
    handle.remove()
    handle.remove()
    h.sum().backward()
    same(x.grad, [11.0, 11.0])


def test_a_handle_as_a_block():
    x = leaf(1.0, 2.0)
    with x.register_hook(lambda g: g * 10.0) as handle:
        assert handle is not None
        x.sum().backward()
    x.sum().backward()
    same(x.grad, [11.0, 11.0])
    with pytest.raises(KeyError), x.register_hook(lambda g: g * 10.0):
        raise KeyError
    x.sum().backward()
    same(x.grad, [12.0, 12.0])


def test_one_function_registered_twice_is_removed_where_it_was_registered():
    def add(g):
        return g + 1.0

    for removed, wanted in ((0, 3.0), (1, 3.0), (2, 4.0)):  # ((1 · 2) + 1), ((1 + 1) + 1), ((1 + 1) · 2)
        x = leaf(1.0)
        handles = [x.register_hook(hook) for hook in (add, lambda g: g * 2.0, add)]
        handles[removed].remove()
        x.sum().backward()
        assert x.grad.item() == wanted


def test_hooks_that_add_and_remove_hooks_while_they_run():
    x = leaf(1.0)
    handles = []

    def once(g):
        handles[0].remove()
        x.register_hook(lambda g: g * 5.0)
        return g + 1.0

    handles.append(x.register_hook(once))
    x.sum().backward()
    assert x.grad.item() == 2.0
    x.grad = None
    x.sum().backward()
    assert x.grad.item() == 5.0


def test_a_graph_with_hooks_goes_without_the_collector():
    x = leaf(1.0, 2.0)
    h = x * 2
    handle = h.register_hook(lambda g: g * 1.0)
    h.retain_grad()
    gone = weakref.ref(h), weakref.ref(h.grad_fn)
    gc.collect()
    gc.disable()
    try:
        (h * h).sum().backward()
        del h
        assert gone[0]() is None
        assert gone[1]() is None
    finally:
        gc.enable()
    handle.remove()  # harmless


def test_a_copy_has_no_hooks():
    x = leaf(1.0)
    x.register_hook(lambda g: g * 10.0)
    y = copy.deepcopy(x)
    y.sum().backward()
    assert y.grad.item() == 1.0


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [lambda g: g.sum(), lambda g: 1.0, lambda g: g.numpy(), lambda g: [g]])
@kinds
def test_a_hook_that_returns_nonsense(kind, wrong):
    x = leaf(1.0, 2.0)
    place_of = place(kind, x)
    place_of.register_hook(wrong)
    with pytest.raises(GradientError, match="a hook returns None or a Tensor of the gradient's shape"):
        place_of.sum().backward()
    assert x.grad is None


def test_a_hook_of_another_dtype_is_cast():
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    x.register_hook(lambda g: g.astype("float64") * 2.0)
    h = x * 1
    h.register_hook(lambda g: tt.tensor([1, 2]))
    h.sum().backward()
    assert x.grad.dtype == np.float32
    same(x.grad, [2.0, 4.0])


def test_a_hook_that_raises_leaves_every_gradient_as_it_was():
    def fail(g):
        raise KeyError("mine")

    x, w = leaf(1.0, 2.0), leaf(1.0, 2.0)
    w.register_hook(fail)
    with pytest.raises(KeyError, match="mine"):
        (x * w).sum().backward()
    assert x.grad is None
    assert w.grad is None


def test_where_no_gradient_is_collected():
    x = leaf(1.0)
    with ta.no_grad():
        y = x * 2
    for constant in (tt.ones(1), y, x.detach()):
        with pytest.raises(GradientError, match="register_hook: no gradient is collected"):
            constant.register_hook(lambda g: g)
        with pytest.raises(GradientError, match="retain_grad: no gradient is collected"):
            constant.retain_grad()
    with pytest.raises(DTypeError, match="not callable"):
        x.register_hook(3)


# --- retain_grad ----------------------------------------------------------------------------------------


@ways
def test_results_keep_their_gradient(way):
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * y
    for result in (y, z, y):
        result.retain_grad()
    WAYS_BACK[way]((z * 3).sum(), x)
    same(y.grad, 6 * y.numpy())
    same(z.grad, [3.0, 3.0])


def test_it_adds_up_over_calls_of_backward():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    z = (y * y).sum()
    for count in (1, 2, 3):
        z.backward(retain_graph=True)
        same(y.grad, count * 2 * y.numpy())
    y.grad = None
    z.backward()
    same(y.grad, 2 * y.numpy())


def test_it_sees_what_hooks_made_of_the_gradient():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 10.0)
    y.sum().backward()
    same(y.grad, [10.0, 10.0])


def test_of_a_leaf_it_changes_nothing():
    x = leaf(1.0, 2.0)
    x.retain_grad()
    (x * 2).sum().backward()
    same(x.grad, [2.0, 2.0])


def test_of_an_output():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    y.backward([3.0, 4.0])
    same(y.grad, [3.0, 4.0])


def test_with_create_graph_what_is_kept_has_a_history():
    x, v = leaf(3.0), leaf(1.0)
    y = x * x
    y.retain_grad()
    (y * y).backward(v, create_graph=True)
    same(y.grad, [18.0])
    dx, dv = ta.grad(y.grad, (x, v))
    same(dx, [12.0])  # y.grad = 2 x² v
    same(dv, [18.0])


def test_after_a_write_it_is_the_gradient_of_what_the_tensor_is_now():
    """As in PyTorch: retain_grad goes with the tensor, other hooks stay with the value they were registered for."""
    x = leaf(1.0, 2.0)
    y = x * 2
    seen = []
    y.retain_grad()
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.mul_(3.0)
    (y * 5).sum().backward()
    same(y.grad, [5.0, 5.0])
    assert seen == [[15.0, 15.0]]


def test_after_a_write_through_a_view_and_to_its_base():
    x = leaf(1.0, 2.0)
    y = x * 2
    view = y[:1]
    y.retain_grad()
    view.retain_grad()
    view.mul_(3.0)
    y.mul_(7.0)
    ((view * 5.0).sum() + y.sum()).backward()
    same(y.grad, [6.0, 1.0])  # the view is now cut out of what y is now
    same(view.grad, [5.0])
    same(x.grad, [6 * 7 * 6.0, 14.0])


def test_a_result_that_is_gone_keeps_nothing_alive():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    z = (y * y).sum()
    gone = weakref.ref(y)
    del y
    assert gone() is None
    z.backward()
    same(x.grad, [8.0, 16.0])
