"""backward: which gradients, where they go, and what backward and grad say where there are none."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, InPlaceError, ShapeError, TTError


def leaf(*numbers, dtype="float64"):
    return tt.tensor(list(numbers), dtype=dtype, requires_grad=True)


def same(found, wanted):
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), 1e-12, 1e-300)


# --- backward -------------------------------------------------------------------------------------------


def test_the_gradient_of_a_polynomial():
    x = leaf(1.0, -2.0, 3.0)
    (x**3 - 4.0 * x).sum().backward()
    same(x.grad, 3 * x.numpy() ** 2 - 4)
    assert x.grad.is_leaf
    assert not x.grad.requires_grad


@pytest.mark.parametrize("gradient", [[2.0, -1.0], np.array([2, -1]), tt.tensor([2.0, -1.0]), (2.0, -1.0)])
def test_backward_with_a_gradient_of_every_kind(gradient):
    x = leaf(1.0, 2.0)
    (x * x).backward(gradient)
    same(x.grad, [4.0, -4.0])


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
def test_a_single_element_needs_no_gradient(shape):
    x = tt.ones(shape, dtype="float64").requires_grad_()
    (x * 3.0).backward()
    assert x.grad.shape == shape
    assert x.grad.item() == 3.0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_gradient_has_the_dtype_of_its_leaf(dtype):
    x = leaf(1.0, 2.0, dtype=dtype)
    y = x * 2
    y.backward(np.array([1.0, 2.0]))  # given as float64
    assert x.grad.dtype == dtype
    (g,) = ta.grad(x * 2, x, [[1, 1]][0:1])
    assert g.dtype == dtype
    z = leaf(1.0, 1.0)
    (x * z).sum().backward()
    assert x.grad.dtype == dtype
    assert z.grad.dtype == np.float64


def test_a_leaf_is_an_output_of_itself():
    x = leaf(2.0)
    x.backward()
    x.backward([3.0])
    same(x.grad, [4.0])
    (g,) = ta.grad(x, x)
    same(g, [1.0])


def test_several_outputs_in_one_go():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    ta.backward([(x * w).sum(), x * x, w[0]], [None, np.array([1.0, 10.0]), 5.0])
    same(x.grad, w.numpy() + 2 * x.numpy() * [1.0, 10.0])
    same(w.grad, x.numpy() + np.array([5.0, 0.0]))


def test_one_output_named_twice_counts_twice():
    x = leaf(3.0)
    y = x * x
    ta.backward((y, y))
    same(x.grad, [12.0])
    (g,) = ta.grad((x, x, x), x)
    same(g, [3.0])


def test_results_on_the_way_have_no_gradient_unless_asked():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * y
    z.retain_grad()
    z.sum().backward()
    assert y.grad is None
    same(z.grad, [1.0, 1.0])


def test_constants_get_none():
    x, c = leaf(1.0, 2.0), tt.tensor([3.0, 4.0])
    (x * c + c).sum().backward()
    assert c.grad is None
    same(x.grad, [3.0, 4.0])


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_integers_have_no_gradient(dtype):
    with pytest.raises(GradientError, match="only floating dtypes"):
        tt.ones(2, dtype=dtype).requires_grad_()
    with pytest.raises(GradientError, match="only floating dtypes"):
        tt.tensor([1, 0], dtype=dtype, requires_grad=True)
    x = leaf(1.0, 2.0)
    y = x.astype(dtype)
    assert not y.requires_grad
    assert y.grad_fn is None
    with pytest.raises(GradientError, match="nothing was recorded"):
        y.sum().backward()


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


def test_a_write_to_a_leaf_and_to_a_view_of_one():
    x = leaf(1.0, 2.0)
    for write in (x.zero_, lambda: x[0].fill_(1.0), lambda: x.reshape(2, 1).T.add_(1.0)):
        with pytest.raises(InPlaceError, match=r"in-place write to a.*leaf that collects a gradient"):
            write()
    assert x.tolist() == [1.0, 2.0]


# --- several threads --------------------------------------------------------------------------------------


def test_two_threads_and_one_parameter():
    """Whole numbers in float64 add up exactly, in every order."""
    x = tt.zeros(64, dtype="float64").requires_grad_()
    ready = threading.Barrier(4)

    def work(k):
        ready.wait(10)
        for step in range(100):
            (x * float(k * 1000 + step)).sum().backward()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, k) for k in range(4)]:
            done.result()
    wanted = sum(k * 1000 + step for k in range(4) for step in range(100))
    np.testing.assert_array_equal(x.grad.numpy(), np.full(64, float(wanted)))


def test_two_threads_go_back_through_one_graph():
    x = leaf(1.0, 2.0)
    shared = (x * x).exp()

    def work(k):
        for _ in range(50):
            (shared * float(k)).sum().backward(retain_graph=True)
        return ta.grad((shared * float(k)).sum(), x, retain_graph=True)[0]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(work, (1, 3)))
    slope = 2 * x.numpy() * np.exp(x.numpy() ** 2)
    same(found[0], slope)
    same(found[1], 3 * slope)
    np.testing.assert_allclose(x.grad.numpy(), 200 * slope, 1e-10)


def test_backward_in_another_thread_than_forward():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    with ta.no_grad(), ThreadPoolExecutor(1) as pool:
        pool.submit(y.backward).result()
    same(x.grad, [2.0, 4.0])
