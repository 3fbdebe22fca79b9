"""grad: the gradients at the given inputs, on the way or at its end, and nobody's `.grad` changes."""

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError


def leaf(*numbers):
    return tt.tensor(list(numbers), dtype="float64", requires_grad=True)


def same(found, wanted):
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), 1e-12, 1e-300)


def test_grad_leaves_every_grad_alone():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    x.grad = tt.tensor([7.0, 7.0], dtype="float64")
    y = x * w
    y.retain_grad()
    gx, gw = ta.grad((y * y).sum(), (x, w))
    same(gx, 2 * x.numpy() * w.numpy() ** 2)
    same(gw, 2 * w.numpy() * x.numpy() ** 2)
    same(x.grad, [7.0, 7.0])
    assert w.grad is None


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("create", [False, True])
def test_grad_of_results_on_the_way(retain, create):
    """d/dx, d/dy and d/dz of one output, x → y → z, asked for in every order."""
    wanted = {"x": [32.0, 256.0], "y": [16.0, 128.0], "z": [4.0, 16.0]}
    for names in ("x", "y", "z", "xy", "yx", "zx", "yz", "xyz", "zyx", "yxz"):
        x = leaf(1.0, 2.0)
        y = x * 2
        z = y * y
        places = {"x": x, "y": y, "z": z}
        found = ta.grad(
            (z * z / 2).sum(), [places[n] for n in names], retain_graph=retain, create_graph=create
        )
        for name, g in zip(names, found, strict=True):
            same(g, wanted[name])
            assert g.requires_grad is create
        assert x.grad is y.grad is z.grad is None


def test_what_was_left_out_is_there_the_next_time():
    """grad tells each rule what it needs, which holds for that way back only."""
    for call in (tt.matmul, tt.mul, tt.div, tt.outer):
        x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
        y = call(x, w).sum()
        (gx,) = ta.grad(y, x, retain_graph=True)
        y.backward()
        same(x.grad, gx.numpy())
        assert w.grad.numpy().any()


def test_the_gradient_at_a_result_counts_what_goes_through_other_inputs():
    """As in PyTorch, inputs are not held constant: y depends on x."""
    x = leaf(3.0)
    y = x * x
    gx, gy = ta.grad(x * y, (x, y))
    same(gx, [27.0])
    same(gy, [3.0])


def test_an_input_that_is_the_output():
    x = leaf(3.0, 4.0)
    y = x * 2
    gy, gx = ta.grad(y, (y, x), [[1.0, 10.0]])
    same(gy, [1.0, 10.0])
    same(gx, [2.0, 20.0])


def test_an_input_named_twice():
    x = leaf(3.0, 4.0)
    a, b = ta.grad((x * x).sum(), (x, x))
    same(a, [6.0, 8.0])
    same(b, [6.0, 8.0])
    a += 1
    same(b, [6.0, 8.0])


def test_inputs_as_a_generator():
    xs = [leaf(1.0), leaf(2.0)]
    found = ta.grad(xs[0] * xs[1], (x for x in xs))
    assert [g.item() for g in found] == [2.0, 1.0]


def test_unused_inputs():
    x, w = leaf(1.0, 2.0), leaf(3.0)
    later = x * 2
    y = x.sum()
    for unused in (w, later, w * 2):
        with pytest.raises(GradientError, match=r"no output depends on input 1 of shape"):
            ta.grad(y, (x, unused), retain_graph=True)
        gx, none = ta.grad(y, (x, unused), retain_graph=True, allow_unused=True)
        assert none is None
        same(gx, [1.0, 1.0])
        gx, zeros = ta.grad(y, (x, unused), retain_graph=True, materialize_grads=True)
        assert zeros.shape == unused.shape
        assert zeros.dtype == unused.dtype
        assert not zeros.numpy().any()
    with pytest.raises(ArgumentError, match="allow_unused cannot be False"):
        ta.grad(y, x, allow_unused=False, materialize_grads=True)


def test_an_input_without_a_gradient():
    x, c = leaf(1.0), tt.ones(1)
    with pytest.raises(GradientError, match=r"input 1 of shape .* does not require a gradient"):
        ta.grad(x * c, (x, c))
    with ta.no_grad():
        y = x * 2
    with pytest.raises(GradientError, match="does not require a gradient"):
        ta.grad(x * 3, y)


@pytest.mark.parametrize("create", [False, True])
def test_what_grad_gives_shares_memory_with_nothing(create):
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    v = tt.tensor([5.0, 6.0], dtype="float64")
    y = x + w
    for output, inputs in ((y, (x, w, x, y)), (x, (x,)), (x.reshape(2, 1).reshape(2), (x,))):
        found = ta.grad(output, inputs, v, create_graph=create, retain_graph=True)
        everything = [*found, v, x, w]
        for k, one in enumerate(everything):
            assert not any(one.shares_memory(other) for other in everything[k + 1 :] if other is not one)
    (g,) = ta.grad(x.sum(), x, create_graph=create)
    g.add_(1.0)
    same(g, [2.0, 2.0])


# --- leaf_grads -------------------------------------------------------------------------------------------


def test_leaf_grads_are_those_of_grad_and_leave_grad_alone():
    x, w, unused = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0)
    y = (x * w + x).exp()
    v = tt.tensor([0.5, -1.0], dtype="float64")
    wanted = ta.grad(y, (x, w), v, retain_graph=True)
    a, none, b, again = ta.leaf_grads(y, (x, unused, w, x), v)
    assert none is None and x.grad is None and w.grad is None
    for found, right in ((a, wanted[0]), (b, wanted[1]), (again, wanted[0])):
        assert np.array_equal(found.numpy(), right.numpy())
    a.add_(1.0)
    assert np.array_equal(again.numpy(), wanted[0].numpy())
    with pytest.raises(ta.ReleasedGraphError):
        ta.leaf_grads(y, (x,), v)


def test_leaf_grads_share_memory_with_nothing():
    x, w, v = leaf(1.0, 2.0), leaf(3.0, 4.0), tt.tensor([5.0, 6.0], dtype="float64")
    for output in (x + w, (x + w).reshape(2, 1).reshape(2)):
        found = ta.leaf_grads(output, (x, w, x), v)
        everything = [*found, v, x, w]
        for k, one in enumerate(everything):
            assert not any(one.shares_memory(other) for other in everything[k + 1 :] if other is not one)


def test_a_hook_of_a_leaf_sees_what_leaf_grads_gives_once():
    x, seen = leaf(1.0, 2.0), []
    x.register_hook(lambda g: seen.append(g.numpy().copy()) or g * 10)
    a, b = ta.leaf_grads((x * x).sum(), (x, x))
    same(a, [20.0, 40.0])
    same(b, [20.0, 40.0])
    assert len(seen) == 1 and seen[0].tolist() == [2.0, 4.0]


def test_leaf_grads_are_for_leaves():
    x, c = leaf(1.0), tt.ones(1)
    y = x * 2
    with pytest.raises(GradientError, match=r"tensor 1 of shape \(1,\) was computed"):
        ta.leaf_grads(y * 3, (x, y))
    with pytest.raises(GradientError, match=r"tensor 0 .* does not require a gradient"):
        ta.leaf_grads(x * c, (c,))
    with pytest.raises(GradientError, match="not a single number"):
        ta.leaf_grads(leaf(1.0, 2.0) * 2, ())


def test_memory_that_was_made_for_a_gradient_alone_is_not_copied():
    from tt_autograd.engine import owned

    wide = [None, np.empty(40)[3:39].reshape(6, 6)]
    assert owned(wide) is wide[1]
    part, base = [None, np.empty(400)[:36]], np.empty(40)
    held = [None, base[:36]]
    for entry in (part, held):
        assert not np.shares_memory(owned(entry), entry[1])


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_gradient_for_each_row(create_graph):
    """The rows of the Jacobian in one call, and the graph is let go of at its end only."""
    x, w, unused = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0)
    y = x * x * w
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 10.0]])
    gx, gw, none = ta.grad(
        y, (x, w, unused), rows, create_graph=create_graph, allow_unused=True, is_grads_batched=True
    )
    same(gx, rows * 2 * x.numpy() * w.numpy())
    same(gw, rows * x.numpy() ** 2)
    assert none is None and gx.requires_grad is create_graph
    if create_graph:
        same(ta.grad(gx.sum(), x)[0], 2 * rows.sum(0) * w.numpy())
    else:
        with pytest.raises(ta.ReleasedGraphError):
            ta.grad(y, x, rows[0])
    for wrong in (1.0, np.ones((0, 2)), None):
        with pytest.raises((ShapeError, DTypeError)):
            ta.grad(x * x, x, wrong, is_grads_batched=True)
    with pytest.raises(ShapeError, match="as many rows"):
        ta.grad((x * x, x * 2), x, (rows, rows[:2]), is_grads_batched=True)


def test_only_the_inputs_as_always():
    x = leaf(1.0, 2.0)
    same(ta.grad((x * x).sum(), x, only_inputs=True)[0], [2.0, 4.0])
    with pytest.raises(ArgumentError, match="only_inputs"):
        ta.grad((x * x).sum(), x, only_inputs=False)
