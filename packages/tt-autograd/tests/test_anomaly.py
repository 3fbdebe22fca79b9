"""detect_anomaly names the first bad operation, and the line of this file that asked for it; the rest it lets be."""

import asyncio
import gc
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_autograd as ta
import tt_tensor as tt
from tt_autograd import anomaly, watching
from tt_autograd.anomaly import detect_anomaly
from tt_autograd.checkpointing import checkpoint
from tt_tensor.errors import ArgumentError, GradientError, InPlaceError

INF, NAN = float("inf"), float("nan")
SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()


def tensor(*values, dtype="float32"):
    return tt.tensor(list(values), dtype=dtype, requires_grad=True)


def place(mark):
    """How a message names the line of this file that ends with `# <mark>`."""
    (number,) = [number for number, line in enumerate(SOURCE, 1) if line.endswith(f"# {mark}")]
    return f'File "{__file__}", line {number}, in '


def found(run):
    """The message of the AnomalyError that `run` ends in, inside the mode."""
    with pytest.raises(ta.AnomalyError) as caught, detect_anomaly():
        run()
    assert isinstance(caught.value, GradientError)
    return str(caught.value)


# --- forward --------------------------------------------------------------------------------------------

FORWARD = {
    "Log gives -inf at [1] ": lambda: tt.log(tensor(1.0, 0.0)),
    "Sqrt gives nan at [0] ": lambda: tt.sqrt(tensor(-1.0, 0.0)),
    "Div gives inf at [1] ": lambda: 1 / tensor(2.0, 0.0),
    "Div gives nan at [0] ": lambda: tensor(0.0, 1.0) / 0,
    "Exp gives inf at [0] ": lambda: tt.exp(tensor(1000.0)),
    "Exp gives inf at [2] ": lambda: np.exp(tensor(1.0, 2.0, 1000.0)),
    "Mul gives inf at [0] ": lambda: tensor(1e30) * tensor(1e30),
    "Pow gives nan at [0] ": lambda: tensor(-2.0) ** 0.5,
    "Sum gives inf, shape (), ": lambda: tensor(3e38, 3e38).sum(),
    "MatMul gives inf at [0, 0] ": lambda: tt.full((1, 2), 2e38) @ tt.ones((2, 1)),
    "Cast gives inf at [1] ": lambda: tensor(1.0, 1e5).astype("float16"),
    # A NaN out of infinities that were there on purpose is the first NaN all the same.
    "Sub gives nan at [1] ": lambda: tensor(0.0, INF) - INF,
    "Mul gives nan at [0] ": lambda: tt.tensor([-INF, -INF]) * tensor(0.0, 1.0),
    "Softmax gives nan at [0] ": lambda: tensor(INF, 0.0).softmax(-1),
    "Div in place gives inf at [1] ": lambda: tensor(0.0, 1.0).mul(1).div_(tt.tensor([1.0, 0.0])),
}


@pytest.mark.parametrize("told", FORWARD)
def test_the_function_that_made_it_is_named_with_index_and_value(told):
    run = FORWARD[told]
    message = found(run)
    assert message.startswith(told)
    line = run.__code__.co_firstlineno
    assert f'File "{__file__}", line {line}, in <lambda>\n    {SOURCE[line - 1].strip()}' in message


def test_the_first_of_several_is_named():
    def run():
        x = tensor(0.0, 4.0)
        y = x.log()  # the first
        return (y - y).sqrt() / 0

    message = found(run)
    assert message.startswith(
        "Log gives -inf at [0] (1 of 2 values are not finite), shape (2,), of (2,) float32 (0.0 to 4.0)"
    )
    assert place("the first") in message


def test_what_requires_no_gradient_is_watched_too():
    def run():
        with ta.no_grad():
            tt.log(tt.zeros(3))  # no gradient

    assert place("no gradient") in found(run)


def test_the_line_is_the_innermost_of_the_users():
    def logarithm(x):
        return x.log()  # inner

    assert place("inner") in found(lambda: logarithm(tensor(0.0)))


def masked(x):
    return x.masked_fill(np.arange(x.size).reshape(x.shape) % 3 == 1, -INF)


ON_PURPOSE = {
    "masked_fill": masked,
    "added mask": lambda x: x + tt.tensor(np.where(np.arange(x.shape[-1]) > 1, -INF, 0.0), dtype=x.dtype),
    "array mask": lambda x: x + np.where(np.arange(x.shape[-1]) > 1, -INF, 0.0).astype(x.dtype),
    "where": lambda x: tt.where(np.arange(x.shape[-1]) > 1, x, -INF),
    "pad": lambda x: tt.pad(x, 1, constant_values=-INF),
    "clip": lambda x: x.clip(-INF, INF),
    "number": lambda x: x + INF,
    "division": lambda x: x / INF,
    "everything": lambda x: x.masked_fill(tt.full(x.shape, True), -INF),
}


@pytest.mark.parametrize("name", ON_PURPOSE)
def test_an_infinity_put_in_on_purpose_is_none(name):
    x = tt.tensor(np.linspace(-1, 1, 6).reshape(2, 3), requires_grad=True)
    with detect_anomaly():
        y = ON_PURPOSE[name](x)
        if name not in ("number", "clip"):
            y.softmax(-1).sum().backward()
            ON_PURPOSE[name](x).log_softmax(-1)[0, 0].backward()
            ON_PURPOSE[name](x).max().backward()


@given(st.integers(0, 10**6), st.integers(1, 5), st.floats(0, 1))
def test_masked_attention_passes_with_the_same_bits(seed, n, share):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, n, n)).astype(np.float32)
    mask = np.where(rng.random((n, n)) < share, -INF, 0.0).astype(np.float32)

    def gradient():
        x = tt.tensor(values, requires_grad=True)
        ((x + mask).softmax(-1) @ x).square().mean().backward()
        return x.grad.numpy()

    plain = gradient()
    with detect_anomaly():
        np.testing.assert_array_equal(gradient(), plain, strict=True)


class Filled(tt.Function):
    """A parameter under its own name."""

    def __init__(self, value):
        self.value = value

    def forward(self, x):
        return np.where(x > 0, x, self.value)


class Renamed(tt.Function):
    """A parameter under another name."""

    def __init__(self, value):
        self.filling = value

    def forward(self, x):
        return np.where(x > 0, x, self.filling)


class Saves(tt.Function):
    """What is saved is no parameter, whatever its value."""

    def __init__(self, power):
        self.power = power

    def forward(self, x):
        self.top = float(x.max()) ** self.power * INF
        self.y = x / (x - x)
        return self.y


@pytest.mark.parametrize("function", [Filled, Renamed])
def test_a_number_given_to_the_function_may_be_infinite(function):
    x = tensor(-1.0, 1.0)
    with detect_anomaly():
        assert function(-INF)(x).tolist() == [-INF, 1.0]
        assert np.isnan(function(NAN)(x).numpy()[0])


def test_what_a_function_saves_is_no_parameter():
    assert found(lambda: Saves(2)(tensor(1.0, 2.0))).startswith("Saves gives inf at [0]")


def test_in_place_writes_are_judged_by_what_was_there_before():
    scores = tt.zeros((2, 2))
    with detect_anomaly():
        scores[0] = -INF
        scores += 1.0
        with ta.no_grad():
            scores *= 2.0
        weight = tensor(1.0, -INF)
        with ta.no_grad():
            weight -= 0.5
        y = weight * 1
        y += 1
    assert scores.tolist() == [[-INF, -INF], [2.0, 2.0]]


def test_an_update_that_overflows_is_found():
    weight = tensor(3e38)

    def run():
        with ta.no_grad():
            weight.mul_(10.0)  # update

    message = found(run)
    assert message.startswith("Mul in place gives inf at [0] (the only value), shape (1,), of (1,) float32")
    assert place("update") in message


# --- backward -------------------------------------------------------------------------------------------


def by_backward(y, x):
    y.sum().backward()


def by_grad(y, x):
    ta.grad(y.sum(), x)


def by_create_graph(y, x):
    ta.grad(y.sum(), x, create_graph=True)


def by_backward_with_graph(y, x):
    y.sum().backward(create_graph=True)


WAYS = [by_backward, by_grad, by_create_graph, by_backward_with_graph]


@pytest.mark.parametrize("way", WAYS)
def test_the_rule_is_named_with_the_line_of_its_forward(way):
    x = tensor(4.0, 0.0)

    def run():
        y = x.sqrt()  # forward of sqrt
        way(y * 3, x)

    message = found(run)
    assert message.startswith(
        "backward: the rule of Sqrt gives inf at [1] (1 of 2 values are not finite) as the gradient at input 0, "
        "of shape (2,), for a finite gradient (all 3.0) at its output, applied here:"
    )
    assert place("forward of sqrt") in message


class Lopsided(tt.Function):
    """Gives NaN as the gradient at input `index`."""

    def __init__(self, index):
        self.index = index

    def forward(self, x, y):
        return x + y

    def backward(self, grad):
        grads = [grad * 1, grad * 1]
        grads[self.index] = grad * NAN
        return tuple(grads)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("way", WAYS)
def test_the_input_is_named(index, way):
    x, y = tensor(1.0), tensor(2.0)
    message = found(lambda: way(Lopsided(index)(x, y), (x, y)))
    assert (
        f"the rule of Lopsided gives nan at [0] (the only value) as the gradient at input {index}, "
        in message
    )


def test_a_gradient_that_goes_nowhere_does_not_count():
    x, y = tensor(1.0), tensor(2.0)
    with detect_anomaly():
        Lopsided(1)(x, tt.tensor([2.0])).sum().backward()
        ta.grad(Lopsided(1)(x, y).sum(), x)
    assert x.grad.tolist() == [1.0]


@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_gradient_that_is_given_bad_is_named_as_such(bad):
    x = tensor(1.0, 2.0)
    told = f"the gradient to begin with, of shape (2,), is {bad} at [1] (1 of 2 values are not finite)"
    given_gradient = tt.tensor([1.0, bad])
    assert told in found(lambda: (x * 2).backward(given_gradient))
    assert told in found(lambda: x.backward(given_gradient))
    assert told in found(lambda: ta.grad(x * 2, x, given_gradient))
    assert told in found(lambda: ta.grad(x * 2, x, given_gradient, create_graph=True))
    assert x.grad is None


def test_a_hook_is_suspected():
    x = tensor(1.0)

    def run():
        y = x * 2  # hooked
        y.register_hook(lambda grad: grad * NAN)
        y.sum().backward()

    message = found(run)
    assert "the gradient at the output of Mul" in message
    assert "a hook at that output made it so" in message
    assert place("hooked") in message


def test_a_sum_over_uses_that_overflows_is_named():
    x = tensor(1e-30)

    def run():
        y = x * 1  # used twice
        (y * 2e38 + y * 2e38).sum().backward()

    message = found(run)
    assert "the gradient at the output of Mul, of shape (1,), is inf at [0]" in message
    assert "their sum over all uses is too large for float32" in message
    assert place("used twice") in message
    assert "their sum is too large for float32" in found(lambda: (x * 2e38 + x * 2e38).sum().backward())
    assert "their sum is too large for float32" in found(lambda: ta.grad((x * 2e38 + x * 2e38).sum(), x))


def test_above_first_order_both_lines_are_named():
    x = tensor(0.0, 4.0)

    def run():
        y = x**1.5  # power
        (dx,) = ta.grad(y.sum(), x, create_graph=True)  # first derivative
        dx.sum().backward()

    message = found(run)
    first, second = message.split("\nwhile the rule of Pow was running, applied here:\n")
    assert "the rule of Pow gives inf at [0]" in first
    assert place("first derivative") in first
    assert place("power") in second


def test_what_a_derivative_passes_through_and_discards_does_not_count():
    # The derivative of x^p by p goes through 0 · log 0 where x is 0, and selects 0 there.
    def gradients():
        x, p = tensor(0.0, 2.0), tensor(2.0, 2.0)
        first = ta.grad((x**p).sum(), (x, p), create_graph=True)
        return [g.numpy() for g in ta.grad(first[0].sum() + first[1].sum(), (x, p))]

    plain = gradients()
    assert np.isfinite(plain).all()
    with detect_anomaly():
        np.testing.assert_array_equal(gradients(), plain)


def test_a_graph_recorded_outside_has_no_line_to_show():
    x = tensor(0.0)
    y = x.sqrt().sum()
    assert "Sqrt gives inf at [0] (the only value) as the gradient at input 0" in (
        message := found(y.backward)
    )
    assert "put the forward into the block, too" in message


# --- checkpoints, threads, tasks ------------------------------------------------------------------------


def test_inside_a_checkpoint_the_operation_itself_is_named():
    x = tensor(0.0, 1.0)
    message = found(lambda: checkpoint(lambda a: a.log(), x))
    assert message.startswith("Log gives -inf at [0]")

    def block(a):
        return a.sqrt() + 1  # inside the block

    def run(**how):
        y = checkpoint(block, x)  # checkpoint
        ta.grad(y.sum(), x, **how)

    for message in (found(run), found(lambda: run(create_graph=True))):
        inner, outer = message.split("\nwhile the rule of Segment was running, applied here:\n")
        assert "the rule of Sqrt gives inf at [0]" in inner
        assert place("inside the block") in inner
        assert place("checkpoint") in outer


def test_each_thread_has_its_own():
    inside, seen = threading.Barrier(2, timeout=30), {}

    def plain():
        inside.wait()
        with np.errstate(divide="ignore"):
            y = tensor(0.0).log()
            y.sum().backward()
        seen["plain"] = y.tolist()
        inside.wait()

    def watched():
        inside.wait()
        with detect_anomaly():
            tensor(0.0).log()  # in a thread

    def other():
        try:
            watched()
        except ta.AnomalyError as error:
            seen["watched"] = str(error)
        inside.wait()

    threads = [threading.Thread(target=run) for run in (plain, other)]
    with detect_anomaly():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen["plain"] == [-INF]
    assert place("in a thread") in seen["watched"]


def test_each_task_has_its_own():
    async def watched():
        with detect_anomaly():
            await asyncio.sleep(0)
            with pytest.raises(ta.AnomalyError):
                tensor(0.0).log()
            await asyncio.sleep(0)

    async def plain():
        await asyncio.sleep(0)
        with np.errstate(divide="ignore"):
            return tensor(0.0).log().tolist()

    async def both():
        return (await asyncio.gather(watched(), plain(), watched(), plain()))[1::2]

    assert asyncio.run(both()) == [[-INF], [-INF]]


# --- the mode -------------------------------------------------------------------------------------------


def test_as_a_decorator():
    @detect_anomaly
    def bare(x):
        return x.log()

    @detect_anomaly()
    def called(x):
        return x.log()

    @detect_anomaly()
    def generated(x):
        yield x.sqrt()
        yield x.log()

    for function in (bare, called):
        with pytest.raises(ta.AnomalyError):
            function(tensor(0.0))
        assert function(tensor(1.0)).tolist() == [0.0]
        assert watching.guard.get() is None
    values = generated(tensor(0.0))
    assert next(values).tolist() == [0.0]
    assert watching.guard.get() is None
    with pytest.raises(ta.AnomalyError):
        next(values)


def test_off_is_off_also_inside():
    with np.errstate(divide="ignore"), detect_anomaly(False):
        assert tensor(0.0).log().tolist() == [-INF]
    with detect_anomaly():
        with detect_anomaly(mode=False):
            assert tensor(0.0).log().tolist() == [-INF]
        with detect_anomaly(), pytest.raises(ta.AnomalyError):
            tensor(0.0).log()
        with pytest.raises(ta.AnomalyError):
            tensor(0.0).log()


def test_it_ends_with_the_block_whatever_happens():
    for error in (KeyError, ta.AnomalyError):
        with pytest.raises(error), detect_anomaly():
            raise error("x")
        assert watching.guard.get() is None
        x = tensor(0.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeWarning):  # NumPy warns again
                x.log()


def test_without_checking_only_the_lines_are_told():
    x = tensor(0.0, 1.0)
    with detect_anomaly(check_nan=False):
        with np.errstate(divide="ignore"):
            (x.sqrt() * NAN).sum().backward()
        y = x.exp()  # to be overwritten
        z = y * 1
        y.array[:] = 0
        tt.memory.mark_written(y.array)
        with pytest.raises(InPlaceError) as caught:
            z.sum().backward()
    (note,) = caught.value.__notes__
    assert note.startswith("in backward of Exp, applied here:\n")
    assert place("to be overwritten") in note


class Faulty(tt.Function):
    def forward(self, x):
        return x * 1

    def backward(self, grad):
        raise ZeroDivisionError("my mistake")


def test_any_error_in_a_rule_gets_the_line_of_its_forward():
    with detect_anomaly():
        y = Faulty()(tensor(1.0)).sum()  # faulty
        with pytest.raises(ZeroDivisionError) as caught:
            y.backward()
    assert place("faulty") in caught.value.__notes__[0]


def test_what_is_no_switch_is_refused():
    with pytest.raises(ArgumentError, match="mode is True or False, not 1"):
        detect_anomaly(1)
    with pytest.raises(ArgumentError, match="check_nan"):
        detect_anomaly(check_nan=None)


def test_nothing_is_kept_longer_than_the_graph():
    gc.collect()
    gc.disable()
    try:
        before = len(anomaly._origins)
        with detect_anomaly():
            x = tensor(1.0, 2.0)
            (g,) = ta.grad((x.exp() * x).sum(), x, create_graph=True)
            assert len(anomaly._origins) > before
            g.sum().backward()
            del g
        assert len(anomaly._origins) == before
    finally:
        gc.enable()
