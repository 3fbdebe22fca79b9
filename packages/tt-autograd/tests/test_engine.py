"""The way back meets released graphs, wrong gradients, bad rules and overwritten values, and says so."""

import itertools
import weakref

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, InPlaceError, ShapeError, TTError


def leaf(*numbers, dtype="float64"):
    return tt.tensor(list(numbers), dtype=dtype, requires_grad=True)


def same(found, wanted):
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), 1e-12, 1e-300)


class Asked(tt.Function):
    """The sum of its inputs; keeps which of them its rule was asked for."""

    def forward(self, *inputs):
        return sum(inputs)

    def backward(self, grad):
        self.asked = [self.wants(k) for k in range(len(self.inputs))]
        return tuple(grad if asked else None for asked in self.asked)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_rule_is_told_which_inputs_want_a_gradient(count):
    for kinds in itertools.product(["leaf", "result", "constant", "number", "array"], repeat=count):
        if count > 2 and len(set(kinds)) < 3:
            continue
        made = {
            "leaf": lambda: leaf(1.0),
            "result": lambda: leaf(1.0) * 2,
            "constant": lambda: tt.ones(1),
            "number": lambda: 1.0,
            "array": lambda: np.ones(1),
        }
        wanted = [kind in ("leaf", "result") for kind in kinds]
        function = Asked()
        y = function(*[made[kind]() for kind in kinds])
        assert y.requires_grad is any(wanted)
        if any(wanted):
            y.backward(retain_graph=True)
            assert function.asked == wanted


# --- what is said -----------------------------------------------------------------------------------------


def test_a_graph_that_was_released():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(ta.ReleasedGraphError, match=r"released at Sum.*retain_graph=True"):
        y.backward()
    same(x.grad, [2.0, 4.0])
    shared = x.exp()
    shared.sum().backward()
    with pytest.raises(ta.ReleasedGraphError, match="released at Exp"):
        (shared * 2).sum().backward()
    with pytest.raises(ta.ReleasedGraphError, match="released at Exp"):
        ta.grad((shared * 2).sum(), x)
    with pytest.raises(ta.ReleasedGraphError, match="released at Exp"):
        (shared * 2).sum().backward(create_graph=True)


def test_a_shared_part_that_saved_nothing_is_gone_through_again():
    # As in PyTorch, which refuses only where a saved value is gone.
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    shared = x + w
    (shared * 2).sum().backward()
    (shared * 3).sum().backward()
    same(x.grad, [5.0, 5.0])
    same(w.grad, [5.0, 5.0])
    behind = x.exp() + w
    behind.sum().backward()
    with pytest.raises(ta.ReleasedGraphError, match="released at Exp"):
        behind.sum().backward()


def test_what_saved_nothing_holds_no_constant_afterwards():
    # The sum's own number is all that it may keep: a constant that went in is let go of with what others saved.
    x = leaf(1.0, 2.0)
    constant = tt.tensor([3.0, 4.0])
    gone = weakref.ref(constant)
    y = x + constant
    y.sum().backward()
    del constant
    assert gone() is None
    assert y.shape == (2,)


def test_two_parts_of_different_shapes_that_were_released():
    x, w = leaf(1.0, 2.0), leaf(1.0, 2.0, 3.0)
    p, q = x * 2, w * 2
    (p.sum() + q.sum()).backward()
    with pytest.raises(ta.ReleasedGraphError, match="released at Mul"):
        (p.sum() + q.sum()).backward()


def test_what_lies_behind_the_inputs_may_be_released():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.sum().backward()
    (g,) = ta.grad((y * y).sum(), y)
    same(g, [4.0, 8.0])


@pytest.mark.parametrize("held", [True, False])
def test_what_rules_saved_is_gone_as_soon_as_they_ran(held):
    saved: list[weakref.ref[np.ndarray]] = []
    alive: list[int] = []

    class Saving(tt.Function):
        def forward(self, x):
            self.kept = x + 1
            saved.append(weakref.ref(self.kept))
            return x * 2

        def backward(self, grad):
            alive.append(sum(each() is not None for each in saved))
            return grad * 2

    y, outputs = leaf(1.0, 2.0), []
    for _ in range(5):
        y = Saving()(y)
        if held:  # then the Function lives on, without what it saved
            outputs.append(y)
    loss = y.sum()
    del y
    loss.backward()
    # A Function that nobody else holds may still be there while the next rule runs.
    assert alive[-1] <= 2 and all(now <= before for before, now in itertools.pairwise(alive))
    assert not any(each() is not None for each in saved)


@pytest.mark.parametrize("again", [True, False])
def test_retain_graph(again):
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    for count in (1, 2, 3):
        y.backward(retain_graph=True)
        same(x.grad, count * 2 * x.numpy())
    y.backward(retain_graph=again)
    if not again:
        with pytest.raises(ta.ReleasedGraphError):
            y.backward()


def test_create_graph_retains_unless_told_otherwise():
    x = leaf(3.0)
    y = x * x * x
    ta.grad(y, x, create_graph=True)
    (g,) = ta.grad(y, x, create_graph=True, retain_graph=False)
    assert g.item() == 27.0
    with pytest.raises(ta.ReleasedGraphError):
        y.backward()


def test_an_output_of_several_elements_needs_a_gradient():
    x = leaf(1.0, 2.0)
    for call in ((x * 2).backward, lambda: ta.grad(x * 2, x), lambda: ta.backward([x.sum(), x * 2])):
        with pytest.raises(GradientError, match=r"an output of shape \(2,\) is not a single number.*sum\(\)"):
            call()
    assert x.grad is None


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 2)])
def test_a_gradient_of_another_shape(shape):
    x = leaf(1.0, 2.0)
    y = x * 2
    with pytest.raises(ShapeError, match=r"the gradient has shape .*, the output \(2,\)"):
        y.backward(np.ones(shape))
    with pytest.raises(ShapeError, match=r"the gradient has shape"):
        ta.grad(y, x, np.ones(shape))
    y.backward(np.ones(2))  # nothing was spent
    same(x.grad, [2.0, 2.0])


@pytest.mark.parametrize("wrong", ["one", object(), [[1.0], [1.0, 2.0]]])
def test_a_gradient_that_is_no_array(wrong):
    with pytest.raises(TTError):
        (leaf(1.0, 2.0) * 2).backward(wrong)


def test_what_was_not_recorded():
    x = leaf(1.0)
    with ta.no_grad():
        y = x * 2
    for output in (y, tt.ones(1), x.detach(), x.data, x.detach() * 2):
        with pytest.raises(GradientError, match="nothing was recorded for this output of shape"):
            output.backward()
        with pytest.raises(GradientError, match="nothing was recorded"):
            ta.grad([x * 2, output], x)
    assert x.grad is None


def test_wrong_things_instead_of_tensors():
    x = leaf(1.0)
    for wrong in (3.0, None, np.ones(1), "y", {"y": 1}):
        with pytest.raises(DTypeError, match="expected"):
            ta.backward(wrong)
        with pytest.raises(DTypeError, match="expected"):
            ta.grad(x * 2, wrong)
    for call in (lambda: ta.backward([]), lambda: ta.grad((), x), lambda: ta.grad(x * 2, iter(()))):
        with pytest.raises(ArgumentError, match="no tensors"):
            call()
    with pytest.raises(ArgumentError, match="3 gradients for 2 outputs"):
        ta.grad([x, x * 2], x, [None, None, None])
    with pytest.raises(ArgumentError, match="1 gradients for 2 outputs"):
        ta.backward([x, x * 2], tt.ones(1))


class Cube(tt.Function):
    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, grad):
        return grad * 3 * self.x**2


def test_one_instance_is_one_application():
    x, w = leaf(1.0, 2.0), leaf(5.0, 6.0)
    cube = Cube()
    y = cube(x)
    with pytest.raises(GradientError, match=r"Cube: this instance was applied before.*Cube\(\)\(x\)"):
        cube(w)
    with pytest.raises(GradientError, match="applied before"):
        cube(y)
    y = (cube := Cube())(x)
    with ta.no_grad(), pytest.raises(GradientError, match="applied before"):
        cube(w)
    with pytest.raises(GradientError, match="applied before"):
        cube(tt.ones(2))
    same(ta.grad(y.sum(), x)[0], 3 * x.numpy() ** 2)


class Bad(tt.Function):
    def __init__(self, gradient):
        self.gradient = gradient

    def forward(self, x):
        return x * 2

    def backward(self, grad):
        return self.gradient(grad)


@pytest.mark.parametrize(
    "gradient",
    [lambda g: (g, g), lambda g: (), lambda g: np.ones(5), lambda g: 1.0, lambda g: 2, lambda g: [g, g]],
)
@pytest.mark.parametrize("higher", [False, True])
def test_a_rule_that_gives_nonsense(gradient, higher):
    x = leaf(1.0, 2.0)
    with pytest.raises((GradientError, ShapeError), match="Bad"):
        Bad(gradient)(x).sum().backward(create_graph=higher)
    assert x.grad is None


def test_a_rule_that_fails_leaves_every_gradient_as_it_was():
    def fail(grad):
        raise KeyError("mine")

    x, w = leaf(1.0, 2.0), leaf(1.0, 2.0)
    (x * w).sum().backward()
    y = (Bad(fail)(x * 1) + w * 7).sum()
    with pytest.raises(KeyError, match="mine"):
        y.backward()
    same(x.grad, [1.0, 2.0])
    same(w.grad, [1.0, 2.0])


def test_a_saved_value_that_was_overwritten():
    x = leaf(1.0, 2.0)
    y = x * 1
    z = y * y
    y += 1
    with pytest.raises(InPlaceError, match="Mul needs its saved value"):
        z.sum().backward()
    w = leaf(1.0, 2.0)
    z = (w * w).sum()
    with ta.no_grad():
        w += 1
    with pytest.raises(InPlaceError, match="clone"):
        z.backward()
    assert w.grad is None


def test_a_gradient_that_a_graph_has_saved_is_not_added_to_in_silence():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    x.sum().backward()
    y = (x.grad * w).sum()
    x.sum().backward()
    with pytest.raises(InPlaceError, match="Mul needs its saved value"):
        y.backward()


class Protected(tt.Function):
    """Whose rule gives memory that must not be written."""

    def forward(self, x):
        return x + 0

    def backward(self, grad):
        found = np.array(grad)
        found.setflags(write=False)
        return found


def test_a_gradient_can_be_written():
    x = leaf(1.0, 2.0)
    Protected()(x).sum().backward()
    x.grad.mul_(2.0)
    Protected()(x).sum().backward()
    same(x.grad, [3.0, 3.0])


def test_a_write_to_a_leaf_and_to_a_view_of_one():
    x = leaf(1.0, 2.0)
    for write in (x.zero_, lambda: x[0].fill_(1.0), lambda: x.reshape(2, 1).T.add_(1.0)):
        with pytest.raises(InPlaceError, match=r"in-place write to a.*leaf that collects a gradient"):
            write()
    assert x.tolist() == [1.0, 2.0]
