"""checkpoint: the memory that it saves, the random state and modes that it leaves alone, and what it refuses."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, InPlaceError


def leaf(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return tt.from_numpy(rng.normal(size=shape).astype("float32")).requires_grad_()


def dropout(x):
    return x * (tt.rand(*x.shape) > 0.3) / 0.7


# --- memory ----------------------------------------------------------------------------------------------


def deep(x, layers=24):
    for _ in range(layers):
        x = (x * 1.01).tanh()
    return x


def peak_of(call):
    gc.collect()
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_less_memory():
    x = leaf(50_000)

    def plain():
        deep(x).sum().backward()

    def in_six():
        ta.checkpoint_sequential([lambda v: deep(v, 4)] * 6, 6, x).sum().backward()

    plain(), in_six()
    assert peak_of(in_six) < 0.6 * peak_of(plain)


def test_fewer_arrays_between_forward_and_backward():
    kept = {}
    for name, call in (("plain", deep), ("checkpointed", lambda x: ta.checkpoint(deep, x))):
        x = leaf(1000)
        gc.collect()
        tracemalloc.start()
        y = call(x)
        kept[name] = tracemalloc.get_traced_memory()[0] / x.nbytes
        tracemalloc.stop()
        y.sum().backward()
    assert kept["plain"] > 24
    assert kept["checkpointed"] < 5  # the result, and what Python objects take


def test_nothing_is_left_for_the_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(3)
        h = x * 2.0
        y = ta.checkpoint(lambda v, h=h: (v * h).exp(), h)
        gone = [weakref.ref(one) for one in (h, y, h.grad_fn, y.grad_fn)]
        z = y.sum()
        del h, y
        z.backward()
        del z
        assert [one() for one in gone] == [None] * 4
    finally:
        gc.enable()


# --- random state, and exceptions ------------------------------------------------------------------------


def test_without_preserving_the_random_state():
    x = leaf(1000)
    y = ta.checkpoint(dropout, x, preserve_rng_state=False)
    before = tt.default_generator().get_state()
    y.sum().backward()
    assert tt.default_generator().get_state() != before  # it drew again
    assert ((x.grad.numpy() != 0) != (y.numpy() != 0)).any()
    ta.checkpoint_sequential([dropout], 1, x, preserve_rng_state=False, use_reentrant=False)


@pytest.mark.parametrize("run", [1, 2])
def test_an_exception_inside_leaves_everything_as_it_was(run):
    x = leaf(3)
    runs = []

    def fail(v):
        runs.append(1)
        tt.rand(3)
        if len(runs) == run:
            raise KeyError("mine")
        return v * tt.rand(3)

    def whole():
        ta.checkpoint(fail, x).sum().backward()

    tt.manual_seed(0)
    with pytest.raises(KeyError, match="mine"):
        whole()
    assert ta.is_grad_enabled()
    assert not ta.is_inference_mode_enabled()
    assert x.grad is None
    found = tt.default_generator().get_state()
    tt.manual_seed(0)
    for _ in range(run):
        tt.rand(3)
    assert found == tt.default_generator().get_state()  # where the first run left it
    assert (x * 2.0).requires_grad


# --- what is refused ------------------------------------------------------------------------------------


def test_writes_into_what_it_did_not_make():
    x, w = leaf(3), leaf(3, seed=1)
    h = x * 2.0
    c = tt.ones(3)
    for call in (lambda v: v.mul_(2.0), lambda v: v[:1].fill_(0.0), lambda v: v * w.add_(1.0)):
        for argument in (h, c, x):
            with pytest.raises(InPlaceError, match="wrote into an argument, or into another tensor"):
                ta.checkpoint(call, argument)
    with pytest.raises(InPlaceError, match="wrote into"):
        ta.checkpoint(lambda v: v * h.mul_(2.0), x)
    y = ta.checkpoint(lambda v: (v * 1.0).mul_(v).add_(1.0), h)  # into what it made itself
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 4 * h.numpy(), 1e-6)


@pytest.mark.parametrize("what", ["argument", "parameter"])
def test_a_write_between_forward_and_backward(what):
    x, w = leaf(3), leaf(3, seed=1)
    y = ta.checkpoint(lambda v: v + w, x).sum()
    with ta.no_grad():
        (x if what == "argument" else w).mul_(2.0)
    with pytest.raises(InPlaceError, match="Segment needs its saved value"):
        y.backward()


def test_a_function_that_computes_something_else_the_second_time():
    x, sizes = leaf(5), [3, 4]
    y = ta.checkpoint(lambda v: v[: sizes.pop()], x).sum()
    with pytest.raises(
        GradientError, match=r"the second run gives a result of shape \(3,\), the first gave \(4,\)"
    ):
        y.backward()
    assert x.grad is None


class Holder:
    def __init__(self, value):
        self.value = value


def test_tensors_hidden_in_a_result():
    x = leaf(3)
    for call in (lambda v: Holder(v * 2.0), lambda v: (v, {"a": [Holder(v * 2.0)]})):
        with pytest.raises(DTypeError, match="gives a Holder, and no gradient would flow"):
            ta.checkpoint(call, x)
    assert ta.checkpoint(lambda v: (v, Holder(3.0)), x)[1].value == 3.0


def test_no_gradient_is_taken_inside():
    x = leaf(3)
    with pytest.raises(GradientError):
        ta.checkpoint(lambda v: ta.grad((v * v).sum(), v)[0], x)
    y = ta.checkpoint(lambda v: ta.vjp(lambda u: u**3, v, tt.ones(3), create_graph=True)[1], x)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * x.numpy(), 1e-5)


def test_wrong_calls():
    x = leaf(3)
    for wrong in (3.0, None, "f", x):
        with pytest.raises(DTypeError, match="expected a function or a module"):
            ta.checkpoint(wrong, x)
    for segments in (0, 3, -1, 1.0, True, "2"):
        with pytest.raises(ArgumentError, match="segments is a number from 1 to that of the functions, 2"):
            ta.checkpoint_sequential([deep, deep], segments, x)
    with pytest.raises(TypeError, match="argument"):
        ta.checkpoint(lambda v: v, x, unknown=1)


def test_segments_are_even():
    x = leaf(3)
    for count in range(1, 8):
        for segments in range(1, count + 1):
            sizes = []
            now = []

            def layer(v, now=now):
                now.append(1)
                return v * 1.0

            def whole(segments=segments, count=count, layer=layer):
                return ta.checkpoint_sequential([layer] * count, segments, x)

            y = whole()
            function = y.grad_fn
            while isinstance(function, tt.Function):
                now.clear()
                function.run(*[tt.ones(3)])
                sizes.append(len(now))
                function = function.inputs[0]
            assert sum(sizes) == count
            assert len(sizes) == segments
            assert max(sizes) - min(sizes) <= 1
