"""backward: which gradients there are, and where they go."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import GradientError


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


def test_the_gradient_of_an_output_has_its_dtype():
    x = leaf(1.0, 2.0, dtype="float32")
    x.backward(np.array([1.0, 2.0]))
    assert x.grad.dtype == np.float32
    y = x * 2
    y.retain_grad()
    y.backward([1, 2])
    assert y.grad.dtype == np.float32
    assert ta.grad(x, x, np.ones(2))[0].dtype == np.float32


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


@pytest.mark.parametrize("create_graph", [False, True])
def test_only_the_inputs_that_were_named_collect(create_graph):
    """Leaves and results on the way, once each, added to what they have, their hooks called once."""
    x, w, other = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0)
    w.grad = tt.tensor([1.0, 1.0], dtype="float64")
    seen = []
    w.register_hook(lambda g: seen.append(g.tolist()))
    for _ in range(2):
        y = x * w
        (y * y / 2).sum().backward(inputs=[w, y, w, other], create_graph=create_graph)
        same(y.grad, [3.0, 8.0])
    same(w.grad, [7.0, 33.0])
    assert seen == [[3.0, 16.0]] * 2
    assert x.grad is other.grad is None
    assert w.grad.requires_grad is create_graph
    ta.backward((x * w).sum(), inputs=x)
    same(x.grad, [3.0, 4.0])
    with pytest.raises(GradientError, match="does not require a gradient"):
        (x * w).sum().backward(inputs=[tt.tensor([1.0])])


def test_detach_in_place():
    x = leaf(1.0, 2.0)
    y = x * 3
    v, z = y[0], y * y
    assert y.detach_() is y
    assert y.is_leaf and not y.requires_grad
    (z.sum() + v).backward()  # what was computed before keeps its history
    same(x.grad, [21.0, 36.0])
    x.grad.detach_().zero_()
    same(x.grad, [0.0, 0.0])
    with pytest.raises(GradientError, match="view"):
        (x * 3)[0].detach_()


def test_constants_get_none():
    x, c = leaf(1.0, 2.0), tt.tensor([3.0, 4.0])
    (x * c + c).sum().backward()
    assert c.grad is None
    same(x.grad, [3.0, 4.0])


def test_a_constant_that_becomes_a_result_after_its_use():
    x, w, buffer = leaf(1.0, 2.0), leaf(3.0, 4.0), tt.zeros(2, dtype="float64")
    y = x + buffer  # saves nothing
    buffer += w
    y.sum().backward()
    same(x.grad, [1.0, 1.0])
    assert buffer.grad is w.grad is None


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


def test_threads_that_come_with_the_first_gradient_at_the_same_time():
    """A graph of their own for each sum takes long enough to meet in the middle of it."""
    xs = [tt.zeros(8, dtype="float64").requires_grad_() for _ in range(200)]
    ready = threading.Barrier(4)

    def work(k):
        ready.wait(10)
        for x in xs:
            ta.backward((x * float(k)).sum(), create_graph=True)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(work, k) for k in (1, 10, 100, 1000)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)
    assert [x.grad.numpy().tolist() for x in xs] == [[1111.0] * 8] * 200


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


@pytest.mark.parametrize("create_graph", [False, True])
def test_one_thread_wants_one_input_while_another_wants_all(create_graph):
    main, inside, done = threading.current_thread(), threading.Event(), threading.Event()

    class Product(tt.Function):
        def forward(self, x, y):
            self.x, self.y = x, y
            return x * y

        def backward(self, grad):
            if threading.current_thread() is not main:
                inside.set()
                done.wait(10)  # the other thread goes back through here in the middle of this rule
            return grad * self.y if self.wants(0) else None, grad * self.x if self.wants(1) else None

    x, y = leaf(2.0, 3.0), leaf(5.0, 7.0)
    out = Product()(x, y).sum()
    with ThreadPoolExecutor(1) as pool:
        only_x = pool.submit(ta.grad, out, x, retain_graph=True, create_graph=create_graph)
        assert inside.wait(10)
        out.backward(retain_graph=True)
        done.set()
        same(only_x.result()[0], y.numpy())
    same(x.grad, y.numpy())
    same(y.grad, x.numpy())


def test_backward_in_another_thread_than_forward():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    with ta.no_grad(), ThreadPoolExecutor(1) as pool:
        pool.submit(y.backward).result()
    same(x.grad, [2.0, 4.0])
