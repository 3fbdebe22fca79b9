"""No gradient shares memory with another, and several calls of backward add up."""

import numpy as np
import pytest

import tt_autograd
import tt_tensor as tt

SHAPE = (2, 3)


def values(shape=SHAPE, start=1):
    """Distinct, of both signs, away from 0."""
    steps = np.arange(start, start + int(np.prod(shape)))
    return (((steps * 5) % 13 - 6.5) / 4).reshape(shape)


def leaf(shape=SHAPE, start=1):
    return tt.tensor(values(shape, start), requires_grad=True)


MASK = np.array([[True, False, True], [False, True, False]])

# --- no gradient shares memory with another -------------------------------------------------------------

PASSES = {
    "add": tt.add,
    "sub": tt.sub,
    "add broadcast": lambda x, y: x + y[:1],
    "where": lambda x, y: tt.where(np.ones(SHAPE, bool), x, y),
    "reshape": lambda x, y: x.reshape(3, 2) + y.reshape(3, 2),
    "transpose": lambda x, y: x.T + y.T,
    "flip": lambda x, y: x.flip() + y.flip(),
    "squeeze": lambda x, y: x.unsqueeze(0).squeeze(0) + y.expand_dims(2).squeeze(),
    "expand": lambda x, y: x.expand(2, 3) + y.broadcast_to((2, 3)),
    "expand more": lambda x, y: x.expand(4, 2, 3) + y,
    "sum": lambda x, y: x.sum() + y.sum(),
    "sum of an axis": lambda x, y: x.sum(0, keepdims=True) + y.sum(1, keepdims=True),
    "mean": lambda x, y: x.mean(0) + y.mean(0),
    "concatenate": lambda x, y: tt.cat([x, y]),
    "stack": lambda x, y: tt.stack([x, y]),
    "getitem": lambda x, y: x[:] + y[...],
    "rows": lambda x, y: x[0] + y[0],
    "split": lambda x, y: x.split([1], axis=1)[0] + y.split([1], axis=1)[0],
    "clone": lambda x, y: x.clone() + y.clone(),
    "positive": lambda x, y: tt.positive(x) + tt.positive(y),
    "astype": lambda x, y: x.astype("float64") + y.astype("float64"),
    "clip": lambda x, y: x.clip(-9.0, 9.0) + y.clip(-9.0, 9.0),
    "scatter_add": lambda x, y: x.scatter_add([[0, 1, 0]], y, 0),
    "masked_fill": lambda x, y: x.masked_fill(~MASK, 0.0) + y.masked_fill(~MASK, 0.0),
    "pad": lambda x, y: x.pad(1) + y.pad(1),
    "tile once": lambda x, y: x.tile((1, 1)) + y.tile((1, 1)),
    "roll by nothing": lambda x, y: x.roll(0) + y.roll(0),
    "power of one": lambda x, y: x**1 + y**1,
    "in place": lambda x, y: tt.zeros(SHAPE, dtype="float64").add_(x).add_(y),
    "copied": lambda x, y: tt.zeros((2, *SHAPE), dtype="float64")[0].copy_(x).add_(y),
}


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("kept", [False, True], ids=["", "with the gradients on the way"])
def test_writing_into_one_gradient_changes_no_other(name, kept):
    x, y = leaf(), leaf(start=5)
    z = PASSES[name](x, y)
    if kept:
        z.retain_grad()
    given = tt.tensor(values(z.shape, 2))
    z.backward(given)
    everything = {
        "x.grad": x.grad,
        "y.grad": y.grad,
        "what was given": given,
        "x": x.detach(),
        "y": y.detach(),
    }
    if kept:
        everything["z.grad"] = z.grad
    before = {what: one.numpy().copy() for what, one in everything.items()}
    for what, one in everything.items():
        if what in ("x", "y"):
            continue
        one.numpy()[...] = 1e6
        for other, found in everything.items():
            if other != what:
                np.testing.assert_array_equal(found.numpy(), before[other], f"{what} shows in {other}")
        one.numpy()[...] = before[what]


@pytest.mark.parametrize("name", PASSES)
def test_what_grad_returns_is_nobodys_else(name):
    x, y = leaf(), leaf(start=5)
    z = PASSES[name](x, y)
    given = tt.tensor(values(z.shape, 2))
    found = [*tt_autograd.grad(z, (x, y), given), given]
    for k, one in enumerate(found):
        before = [other.numpy().copy() for other in found]
        one.numpy()[...] = 1e6
        for other, was in (
            list(zip(found, before, strict=True))[:k] + list(zip(found, before, strict=True))[k + 1 :]
        ):
            np.testing.assert_array_equal(other.numpy(), was)


# --- several calls --------------------------------------------------------------------------------------


def test_backward_adds_up_over_calls_until_the_gradient_is_taken_away():
    x = leaf()
    y = (x * x).sum()
    for k in range(1, 4):
        y.backward(retain_graph=True)
        np.testing.assert_allclose(x.grad.numpy(), 2.0 * k * values(), 1e-14)
    x.grad = None
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full(SHAPE, 3.0), strict=True)


def test_adding_up_changes_neither_what_was_given_nor_another_leaf():
    x, y = leaf(), leaf(start=5)
    given = tt.tensor(values(start=2))
    for _ in range(3):
        (x + y).backward(given)
    np.testing.assert_array_equal(given.numpy(), values(start=2))
    np.testing.assert_allclose(x.grad.numpy(), 3.0 * values(start=2), 1e-15)
    np.testing.assert_allclose(y.grad.numpy(), 3.0 * values(start=2), 1e-15)


def test_calls_with_and_without_a_graph_add_up():
    x = leaf()
    (x * x).sum().backward(create_graph=True)
    (x * x * x).sum().backward()
    v = values()
    np.testing.assert_allclose(x.grad.numpy(), 2 * v + 3 * v * v, 1e-13)
    x.grad = None  # it may hold a graph that leads back to x


def test_one_gradient_that_goes_to_two_places_is_not_added_to_itself():
    """x + x sends the same array twice; added up in place it would count three or four times."""
    x = leaf()
    y = x * 1.0
    z = (y + y) + (y + y)
    z.backward(np.ones(SHAPE))
    np.testing.assert_array_equal(x.grad.numpy(), np.full(SHAPE, 4.0), strict=True)


class Keeps(tt.Function):
    """y = 2 x, whose rule gives `how` memory for its gradient that others hold, too."""

    def __init__(self, how):
        self.how = how

    def forward(self, x):
        return x * 2

    def backward(self, grad):
        g = grad * 2
        held = {"alone": None, "itself": g, "its base": None, "a view": g[:1], "a frozen one": None}[self.how]
        if self.how == "its base":
            held, g = g, g[:]
        if self.how == "a frozen one":
            g.flags.writeable = False
        HELD.append(held)
        return g


HELD = []


@pytest.mark.parametrize("how", ["alone", "itself", "its base", "a view", "a frozen one"])
def test_parts_are_added_into_memory_that_nobody_else_holds(how):
    HELD.clear()
    x = tt.tensor(np.ones((100, 100)), requires_grad=True)
    h = x * 1.0
    y = Keeps(how)(h) + h * 3.0  # the rule of Keeps comes second
    y.backward(tt.tensor(np.ones((100, 100))))
    np.testing.assert_array_equal(x.grad.numpy(), np.full((100, 100), 5.0))
    for held in HELD:
        assert held is None or np.array_equal(held, np.full(held.shape, 2.0))


def test_the_sum_of_two_large_parts_takes_no_new_memory():
    import tracemalloc

    x = tt.tensor(np.ones((400, 400)), requires_grad=True)
    h = x * 1.0
    y = h * 2.0 + h * 3.0
    seed = tt.tensor(np.ones((400, 400)))
    tracemalloc.start()
    try:
        y.backward(seed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(x.grad.numpy(), np.full((400, 400), 5.0))
    assert peak < 2.5 * x.numpy().nbytes
