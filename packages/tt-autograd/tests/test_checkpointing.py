"""checkpoint: the same bits as the plain call, of everything inside only the arguments are kept."""

import threading
from collections import OrderedDict, defaultdict, namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt


def leaf(*shape, seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    return tt.from_numpy(rng.normal(size=shape).astype(dtype)).requires_grad_()


def bits(tensors):
    return [None if x is None else (x.dtype.char, x.shape, x.numpy().tobytes()) for x in tensors]


def dropout(x, generator=None):
    return x * (tt.rand(*x.shape, generator=generator) > 0.3) / 0.7


class Block:
    """x + tanh(dropout(x W + b)), a layer that draws random numbers."""

    def __init__(self, width, seed, generator=None):
        self.weight, self.bias = leaf(width, width, seed=seed), leaf(width, seed=seed + 100)
        self.generator = generator

    def __call__(self, x):
        return x + dropout(x @ self.weight + self.bias, self.generator).tanh()


def ways(make):
    """`make(call)` with checkpoint and plainly: outputs, and gradients of what it says, as bits."""
    found = []
    for call in (lambda f, *args, **kwargs: f(*args, **kwargs), ta.checkpoint):
        tt.manual_seed(7)
        output, leaves = make(call)
        after = tt.default_generator().get_state()
        (output * output).sum().backward()
        found.append((bits([output]), bits([x.grad for x in leaves]), after))
        assert tt.default_generator().get_state() == after  # backward draws nothing
    return found


def check(make):
    plain, checkpointed = ways(make)
    assert checkpointed == plain


# --- the same bits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("own", [False, True], ids=["the default generator", "generators of their own"])
def test_layers_with_dropout(depth, own):
    def make(call):
        blocks = [Block(5, seed, tt.Generator(seed) if own else None) for seed in range(depth)]
        x = leaf(4, 5)
        y = x
        for block in blocks:
            y = call(block, y)
        return y, [x, *[p for b in blocks for p in (b.weight, b.bias)]]

    check(make)


@pytest.mark.parametrize("segments", [1, 2, 3, 5, None])
def test_a_sequence_in_segments(segments):
    def make(call):
        blocks = [Block(5, seed) for seed in range(5)]
        x = leaf(4, 5)
        if call is ta.checkpoint:
            y = ta.checkpoint_sequential(blocks, segments, x)
        else:
            y = x
            for block in blocks:
                y = block(y)
        return y, [x, *[p for b in blocks for p in (b.weight, b.bias)]]

    check(make)


def test_checkpoints_inside_checkpoints():
    def make(call):
        blocks = [Block(5, seed) for seed in range(4)]
        x = leaf(4, 5)

        def pair(a, b):
            return lambda v: call(b, call(a, v))

        y = call(lambda v: call(pair(*blocks[2:]), call(pair(*blocks[:2]), v)), x)
        return y, [x, *[p for b in blocks for p in (b.weight, b.bias)]]

    check(make)


def test_several_uses_of_one_argument_and_one_parameter():
    """What is used inside and outside adds up in another order, so the last bits may differ."""
    found = []
    for call in (lambda f, *args: f(*args), ta.checkpoint):
        x, w = leaf(3, 3, dtype="float64"), leaf(3, 3, seed=1, dtype="float64")
        h = x @ w
        y = call(lambda a, b, w=w: (a @ w).tanh() * b + a, h, h)
        y = call(lambda a, h=h, x=x, w=w: a * h + x @ w, y)  # h and x are reached without being arguments
        (y + h).sum().backward()
        found.append((x.grad.numpy(), w.grad.numpy()))
    np.testing.assert_allclose(found[1], found[0], 1e-13)


def test_an_argument_that_is_also_reached_from_inside():
    def make(call):
        x = leaf(3)
        h = x * 2.0
        return call(lambda a, b: a * x + b * h, x, h), [x]

    check(make)


Pair = namedtuple("Pair", "first second")


@dataclass(frozen=True)
class Result:
    value: tt.Tensor
    note: str


FORMS = {
    "tuple": (lambda x: (x * 2.0, x.sum()), lambda r: [*r], tuple),
    "list": (lambda x: [x * 2.0, [x.exp(), x]], lambda r: [r[0], *r[1]], list),
    "dict": (lambda x: {"b": x * 2.0, "a": {"c": x.exp()}}, lambda r: [r["b"], r["a"]["c"]], dict),
    "OrderedDict": (lambda x: OrderedDict(a=x * 2.0, b=x), lambda r: list(r.values()), OrderedDict),
    "defaultdict": (lambda x: defaultdict(list, a=x * 2.0), lambda r: [r["a"], *r["new"]], defaultdict),
    "named tuple": (lambda x: Pair(x * 2.0, x.exp()), lambda r: [r.first, r.second], Pair),
    "dataclass": (lambda x: Result(x * 2.0, "note"), lambda r: [r.value], Result),
    "with others": (lambda x: (x * 2.0, None, "s", 3, np.ones(2)), lambda r: [r[0]], tuple),
    "of other dtypes": (lambda x: (x * 2.0, x.astype("float64") * 3.0), lambda r: [*r], tuple),
    "with indices": (lambda x: (x.argmax(), x * 2.0, x > 0), lambda r: [r[1]], tuple),
    "one twice": (lambda x: (lambda y: (y, y))(x * 2.0), lambda r: [*r], tuple),
    "its argument": (lambda x: x, lambda r: [r], tt.Tensor),
    "views of its argument": (lambda x: (x.reshape(6), x[0]), lambda r: [*r], tuple),
    "empty": (lambda x: (x[:0], x * 2.0), lambda r: [*r], tuple),
    "of shape ()": (lambda x: x.sum(), lambda r: [r], tt.Tensor),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_result(name):
    call, tensors, kind = FORMS[name]

    def make(way):
        x = leaf(2, 3)
        result = way(call, x)
        assert type(result) is kind
        parts = tensors(result)
        shown = bits(parts)
        total = sum([(part * float(k + 1)).sum() for k, part in enumerate(parts)], tt.zeros(()))
        results.append(shown)
        return total, [x]

    results = []
    check(make)
    assert results[0] == results[1]


def test_what_is_no_gradients_affair_comes_through():
    note, array = object(), np.arange(3)
    x = leaf(3)
    values = ta.checkpoint(lambda x: (x * 2.0, note, array, x.argmax(), None), x)
    assert values[1] is note
    assert values[2] is array
    assert values[3].item() == int(x.numpy().argmax())
    assert values[4] is None


def test_arguments_of_every_kind():
    def call(x, scale, *rest, mask, power=2, options=None):
        return (x**power * scale + rest[0]["y"]) * mask + options[1][0]

    def make(way):
        x, y, z = leaf(3), leaf(3, seed=1), leaf(3, seed=2)
        mask = tt.tensor([True, False, True])
        return way(call, x, 0.5, {"y": y}, mask=mask, power=3, options=["o", (z,)]), [x, y, z]

    check(make)


def test_arguments_that_want_no_gradient():
    x, w, c = leaf(3), leaf(3, seed=1), tt.ones(3)
    y = ta.checkpoint(lambda a, b, c: a * b * c, x, w.detach(), c)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), w.numpy())
    assert w.grad is c.grad is None
    y = ta.checkpoint(lambda a: a * w, c)  # only what it closes over
    y.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), np.ones(3))
    y = ta.checkpoint(lambda: w * 2.0)
    y.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), np.full(3, 3.0))
    assert not ta.checkpoint(lambda a: a * 2.0, c).requires_grad
    assert ta.checkpoint(lambda a: 3, x) == 3


def test_a_tensor_from_outside_that_is_given_back():
    x, w = leaf(3), leaf(3, seed=1)
    (ta.checkpoint(lambda a: w, x) * 2.0).sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), np.full(3, 2.0))


def test_a_result_shares_memory_with_nothing():
    x, w = leaf(3), leaf(3, seed=1)
    before = x.numpy().copy()
    for call in (lambda a: a, lambda a: w, lambda a: a[:2], lambda a: a.reshape(3, 1)):
        y = ta.checkpoint(call, x)
        assert not y.shares_memory(x)
        assert not y.shares_memory(w)
        y.mul_(3.0)
        y.sum().backward()
    np.testing.assert_array_equal(x.numpy(), before)
    np.testing.assert_array_equal(x.grad.numpy(), [9.0, 9.0, 6.0])


def test_an_argument_that_is_a_view_of_what_was_written():
    x, base = leaf(2), tt.zeros(3)
    view = base[:2]
    base[:2] = x * 2.0
    ta.checkpoint(lambda v: v * v, view).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 8.0 * x.numpy(), 1e-6)


def test_stopped_gradients_inside():
    def call(x):
        with ta.no_grad():
            k = x * 2.0
        return x * k + x.detach()

    def make(way):
        x = leaf(3)
        return way(call, x), [x]

    check(make)


# --- higher orders, and other ways back -----------------------------------------------------------------


def test_every_order_goes_through():
    def call(v):
        return (v * w).sin() * v

    found = []
    for way in (lambda f, x: f(x), ta.checkpoint):
        x, w = leaf(3, dtype="float64"), leaf(3, seed=1, dtype="float64")
        y = way(call, x).sum()
        grads = []
        for _ in range(3):
            gx, gw = ta.grad(y, (x, w), create_graph=True)
            grads += [gx.numpy(), gw.numpy()]
            y = gx.sum() + (gw * gw).sum()
        found.append(grads)
    for plain, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, plain, 1e-12)


def test_dropout_is_the_same_in_every_order():
    x = leaf(50, dtype="float64")
    y = ta.checkpoint(lambda v: v * v * (tt.rand(50) > 0.5), x)
    mask = y.numpy() != 0
    (g,) = ta.grad(y.sum(), x, create_graph=True)
    np.testing.assert_array_equal(g.numpy() != 0, mask)
    (h,) = ta.grad(g.sum(), x)
    np.testing.assert_array_equal(h.numpy(), np.where(mask, 2.0, 0.0))


def test_inside_no_grad_it_is_the_plain_call():
    x = leaf(3)
    calls = []
    with ta.no_grad():
        y = ta.checkpoint(lambda v: calls.append(1) or v * 2.0, x)
    assert not y.requires_grad
    assert calls == [1]


@pytest.mark.parametrize("mode", [ta.no_grad, ta.inference_mode])
def test_backward_inside_no_grad(mode):
    x = leaf(3)
    y = ta.checkpoint(lambda v: v * v, x).sum()
    with mode():
        y.backward()
        assert not ta.is_grad_enabled()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * x.numpy())


def test_backward_in_another_thread():
    def make(way):
        block, x = Block(5, 0), leaf(4, 5)
        y = way(block, x)
        threads.append(threading.get_ident())
        with ThreadPoolExecutor(1) as pool:
            pool.submit((y * 0.5).sum().backward).result()
        return way(block, x), [x, block.weight]

    threads = []
    check(make)


def test_the_function_runs_once_more_for_each_way_back():
    calls = []
    x = leaf(3)
    y = ta.checkpoint(lambda v: calls.append(ta.is_grad_enabled()) or v * v, x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert calls == [False, True, True]
    with pytest.raises(ta.ReleasedGraphError):
        y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), 4 * x.numpy())
