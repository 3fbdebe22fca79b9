"""Views and writes: who shows the memory shares the history; the gradient is that of the same code on arrays."""

import gc
import weakref

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import InPlaceError

SHAPE = (2, 3)


def values(shape=SHAPE, start=1):
    """Distinct, of both signs, away from 0."""
    steps = np.arange(start, start + int(np.prod(shape)))
    return (((steps * 5) % 13 - 6.5) / 4).reshape(shape)


def leaf(shape=SHAPE, start=1):
    return tt.tensor(values(shape, start), requires_grad=True)


def same(found, wanted, tolerance=1e-12):
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), tolerance, 1e-12)


def slopes(program, eps=1e-6):
    """The gradient of a program at `values()` by central differences, run on plain NumPy arrays."""
    found = np.zeros(SHAPE)
    for place in np.ndindex(SHAPE):
        step = np.zeros(SHAPE)
        step[place] = eps
        found[place] = (program(values() + step) - program(values() - step)) / (2 * eps)
    return found


def check(program):
    """`program` takes an array or a Tensor alike: NumPy's views share memory in the same way."""
    x = leaf()
    y = program(x)
    assert y.item() == pytest.approx(float(program(values())), rel=1e-12)
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), slopes(program), 1e-6, 1e-6)


CUTS = {
    "row": lambda y: y[1],
    "last column": lambda y: y[:, -1],
    "element": lambda y: y[1, 2:3],
    "all": lambda y: y[:],
    "new axis": lambda y: y[None, :, 1],
    "every second from behind": lambda y: y[:, ::-2],
    "transposed": lambda y: y.T,
    "flat": lambda y: y.reshape(6),
    "other shape": lambda y: y.reshape(3, 2),
    "of a view": lambda y: y.T[1:].reshape(2, 2)[:, 0] if isinstance(y, tt.Tensor) else y.T[1:][:, 0],
    "of a view of a view": lambda y: y.T[::2].T[0],
}
WRITES = {
    "times": lambda v: v.__imul__(1.5),
    "plus one": lambda v: v.__iadd__(1.0),
    "all of it": lambda v: v.__setitem__(..., 0.5 - v * 2.0),
    "a number": lambda v: v.__setitem__(..., 0.75),
    "twice": lambda v: (v.__imul__(2.0), v.__iadd__(v * 0.5)),
}
cuts = pytest.mark.parametrize("cut", CUTS)


@cuts
@pytest.mark.parametrize("write", WRITES)
def test_a_write_to_a_view_is_a_write_to_its_base(cut, write):
    def program(x):
        y = x * 2.0
        before = (y * y).sum() if not isinstance(y, tt.Tensor) else (y.clone() ** 2).sum()
        v = CUTS[cut](y)
        WRITES[write](v)
        return (y * y * values(start=3)).sum() + (v * 3.0).sum() + before

    check(program)


@cuts
@pytest.mark.parametrize("write", WRITES)
def test_a_write_to_the_base_shows_in_its_view(cut, write):
    def program(x):
        y = x * 2.0
        v = CUTS[cut](y)
        WRITES[write](y)
        return (v * v * 3.0).sum() + y.sum()

    check(program)


@cuts
@pytest.mark.parametrize("other", ["flat", "transposed", "row", "every second from behind"])
def test_a_write_to_one_view_shows_in_another(cut, other):
    def program(x):
        y = x * 2.0
        v, w = CUTS[cut](y), CUTS[other](y)
        v *= 1.5
        w += 0.25
        return (v * v).sum() + (w * w * 3.0).sum() + (y * values(start=4)).sum()

    check(program)


def test_writes_in_turns_through_three_tensors():
    def program(x):
        y = x * 1.0
        row, column = y[0], y[:, 1]
        for step in range(4):
            row *= 1.1
            column += row[step % 3]
            y *= column.sum() * 0.3
            row[1:] = column * 0.5
        return (y * y).sum() + row.sum() * column.sum()

    check(program)


def test_what_was_computed_before_a_write_keeps_its_gradient():
    x = leaf()
    y = x * 2
    v = y[0]
    early = v + 1.0  # saves nothing
    v *= 10.0
    (early.sum() + (v * 5.0).sum()).backward()
    same(x.grad, [[102.0] * 3, [0.0] * 3])


def test_a_saved_view_of_what_is_written_is_refused():
    x = leaf()
    y = x * 2
    z = y[0] * y[1]
    y[1, 0] = 0.0
    with pytest.raises(InPlaceError, match="Mul needs its saved value"):
        z.sum().backward()


# --- constants -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", ["copy_", "setitem", "add_"])
def test_a_constant_gets_a_history_through_its_view(write):
    x = leaf()
    base = tt.zeros((3, 3), dtype="float64")
    view, other = base[1:], base.T
    if write == "copy_":
        view.copy_(x)
    elif write == "add_":
        view.add_(x)
    else:
        base[1:] = x
    for one in (base, view, other):
        assert one.requires_grad
        assert not one.is_leaf
    (base * 2.0 + other).sum().backward()
    same(x.grad, np.full(SHAPE, 3.0))


ASKS = {
    "requires_grad": lambda v: v.requires_grad,
    "is_leaf": lambda v: not v.is_leaf,
    "grad_fn": lambda v: v.grad_fn is not None,
    "backward": lambda v: v.backward([1.0, 1.0]) is None,
    "grad": lambda v: ta.grad((v * 1.0).sum(), v) is not None,
    "retain_grad": lambda v: v.retain_grad() is None,
    "register_hook": lambda v: v.register_hook(lambda g: g * 2.0) is not None,
    "an operation": lambda v: (v + 1.0).requires_grad,
    "a write to another": lambda v: (leaf((2,)) * 1.0).add_(v).requires_grad,
    "a write to a constant": lambda v: tt.zeros(2, dtype="float64").copy_(v).requires_grad,
}


@pytest.mark.parametrize("ask", ASKS)
def test_who_asks_first_sees_the_history_as_it_is_now(ask):
    base = tt.zeros(3, dtype="float64")
    view = base[:2]
    base[:] = leaf()[0]
    assert ASKS[ask](view)


def test_a_view_that_is_first_used_inside_no_grad():
    for mode in (ta.no_grad, ta.inference_mode):
        x = leaf()
        y = x * 2
        v = y[0]
        y.mul_(3.0)
        with mode():
            v + 1.0
            assert v.requires_grad
        v.sum().backward()
        same(x.grad, [[6.0] * 3, [0.0] * 3])


# --- leaves, and modes -----------------------------------------------------------------------------------


@cuts
def test_a_leaf_is_not_written_through_a_view(cut):
    x = leaf()
    view = CUTS[cut](x)
    with pytest.raises(InPlaceError, match="a view of a leaf that collects a gradient"):
        view.mul_(2.0)
    np.testing.assert_array_equal(x.numpy(), values())
    with ta.no_grad():
        view.mul_(0.0)
        CUTS[cut](x).add_(1.0)
    assert (CUTS[cut](x).numpy() == 1.0).all()
    assert x.is_leaf
    x.sum().backward()
    same(x.grad, np.ones(SHAPE))


def test_a_view_made_inside_no_grad():
    x = leaf()
    y = x * 2
    with ta.no_grad():
        v = y[0]
        v.mul_(3.0)  # an update, for which the history of y stays as it is
    assert not v.requires_grad
    with pytest.raises(InPlaceError, match=r"made inside no_grad\(\), of a tensor with a history"):
        v.mul_(2.0)
    y.sum().backward()
    same(x.grad, np.full(SHAPE, 2.0))
    constant = tt.zeros(3)
    with ta.no_grad():
        v = constant[:2]
    v.copy_(leaf()[0, :2].astype("float32"))  # nothing lost: the base had no history
    assert constant.requires_grad


def test_a_view_may_be_a_leaf():
    base = tt.tensor(values())
    row = base[0].requires_grad_()
    (row * row).sum().backward()
    same(row.grad, 2 * values()[0])
    with pytest.raises(InPlaceError, match="a leaf that collects a gradient"):
        row.mul_(2.0)


def test_detach_cuts_and_shares():
    x = leaf()
    y = x * 2
    d = y.detach()
    assert d.shares_memory(y)
    assert not d.requires_grad
    assert d.is_leaf
    assert d.grad_fn is None
    (y * d).sum().backward()
    same(x.grad, 4 * values())
    z = (x * 2) ** 2
    d = z.detach()
    w = z * z
    d.mul_(2.0)
    with pytest.raises(InPlaceError):
        w.sum().backward()


def test_a_write_inside_no_grad_keeps_the_history_and_takes_the_new_values():
    for higher in (False, True):
        x = leaf()
        y = x * 2
        with ta.no_grad():
            y[0].mul_(10.0)
        (g,) = ta.grad((y * y).sum(), x, create_graph=higher)
        same(g, 2 * 2 * values() * 2 * np.array([[10.0], [1.0]]))  # 2 y dy, dy = 2


def test_what_was_written_inside_no_grad_needs_nothing_from_behind():
    x = leaf()
    h = x * x
    h.sum().backward()
    y = h * 2
    with ta.no_grad():
        y.mul_(10.0)
    (g,) = ta.grad((y * y).sum(), y, create_graph=True)
    same(g, 2 * 20 * values() ** 2)


# --- released --------------------------------------------------------------------------------------------


def test_a_view_whose_graph_was_released_still_shows_its_values():
    x = leaf()
    y = x * 2
    v = y[0]
    v.sum().backward()
    y.mul_(3.0)
    same(v * 1.0, 6 * values()[0])
    with pytest.raises(ta.ReleasedGraphError, match="released at GetItem"):
        (v * 1.0).sum().backward()
    v.add_(1.0)
    with pytest.raises(ta.ReleasedGraphError):
        y.sum().backward()
    same(x.grad, [[2.0] * 3, [0.0] * 3])


# --- higher orders ---------------------------------------------------------------------------------------


@cuts
def test_second_derivatives_through_writes(cut):
    """Those of the first, themselves by central differences."""

    def gradient(x):
        y = x * x
        v = CUTS[cut](y)
        v *= v.sum()
        (g,) = ta.grad((y * y * 0.1).sum() + (v * v).sum() * 0.2, x, create_graph=True)
        return (g * tt.tensor(values(start=2))).sum()

    x = leaf()
    (second,) = ta.grad(gradient(x), x)
    same(second, slopes(lambda a: gradient(tt.tensor(a, requires_grad=True)).item()), 1e-5)


# --- memory ----------------------------------------------------------------------------------------------


def test_views_and_writes_go_without_the_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf()
        y = x * 2
        v = y[0]
        w = v[1:]
        w.mul_(2.0)
        y.mul_(3.0)
        z = (v * v).sum() + w.sum()
        gone = [weakref.ref(one) for one in (y, v, w, z, y.grad_fn, v.grad_fn)]
        z.backward()
        del y, v, w, z
        assert [one() for one in gone] == [None] * 6
    finally:
        gc.enable()


def test_a_view_of_integers_holds_no_other_tensor():
    rows = tt.arange(6).reshape(2, 3)
    assert rows[0]._view is None
