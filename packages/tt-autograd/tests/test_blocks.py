"""Modes as decorators: of functions, coroutine functions, generator functions and async generator functions."""

import asyncio
import contextlib
import gc
import inspect
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_autograd.blocks import Block
from tt_tensor.errors import ArgumentError

# (make the mode, what holds inside where outside it records, and where it does not)
MODES = {
    "no_grad": (ta.no_grad, False, False),
    "enable_grad": (ta.enable_grad, True, True),
    "set_grad_enabled(False)": (lambda: ta.set_grad_enabled(False), False, False),
    "set_grad_enabled(True)": (lambda: ta.set_grad_enabled(True), True, True),
    "inference_mode": (ta.inference_mode, False, False),
    "inference_mode(False)": (lambda: ta.inference_mode(False), True, True),
}
modes = pytest.mark.parametrize("name", MODES)


@pytest.fixture(autouse=True)
def _left_as_it_was():
    yield
    assert ta.is_grad_enabled()
    assert not ta.is_inference_mode_enabled()


def recorded():
    """What really happens to an operation, not what the question is answered with."""
    y = tt.ones(2, dtype="float64").requires_grad_() * 2
    assert y.requires_grad == (y.grad_fn is not None) == ta.is_grad_enabled()
    return y.requires_grad


def outside(recording):
    return ta.set_grad_enabled(recording)


# --- functions -------------------------------------------------------------------------------------------


@modes
@pytest.mark.parametrize("recording", [True, False])
def test_a_decorated_function(name, recording):
    make, *inside = MODES[name]

    @make()
    def function(a, /, *b, c, **d):
        """What it says."""
        assert recorded() is inside[not recording]
        return a, b, c, d

    assert function.__name__ == "function"
    assert function.__doc__ == "What it says."
    assert inspect.signature(function) == inspect.signature(function.__wrapped__)
    with outside(recording):
        assert function(1, 2, c=3, e=4) == (1, (2,), 3, {"e": 4})
        assert recorded() is recording


@modes
def test_a_decorated_function_that_raises_and_one_that_calls_itself(name):
    make, inside, _ = MODES[name]

    @make()
    def fall(n):
        assert recorded() is inside
        if n == 0:
            raise KeyError(n)
        try:
            fall(n - 1)
        finally:
            assert recorded() is inside

    for _ in range(2):
        with pytest.raises(KeyError):
            fall(3)
        assert recorded()


@pytest.mark.parametrize("mode", [ta.no_grad, ta.enable_grad, ta.inference_mode])
def test_without_parentheses(mode):
    with ta.no_grad():
        expected = mode()(recorded)()
        assert mode(recorded)() is expected
    assert mode(recorded).__name__ == "recorded"


def test_as_a_decorator_it_sets_nothing_when_it_is_made():
    decorated = ta.set_grad_enabled(False)(recorded)
    assert recorded()
    assert not decorated()
    assert recorded()


class Net:
    @ta.no_grad()
    def method(self):
        return self, recorded()

    @classmethod
    @ta.no_grad
    def of(cls):
        return cls, recorded()

    @staticmethod
    @ta.inference_mode()
    def static():
        return recorded()

    def __call__(self):
        return recorded()


def test_methods_and_objects_that_can_be_called():
    net = Net()
    assert net.method() == (net, False)
    assert Net.of() == (Net, False)
    assert net.static() is False
    assert ta.no_grad()(net)() is False
    assert net() is True


@pytest.mark.parametrize("make", [ta.no_grad, ta.inference_mode, lambda x: ta.set_grad_enabled(True)(x)])
@pytest.mark.parametrize("wrong", [3.0, [recorded], "f"])
def test_what_cannot_be_decorated(make, wrong):
    with pytest.raises(ArgumentError, match="decorates a function, not"):
        make(wrong)


def test_a_decorated_function_in_many_threads():
    decorated = ta.no_grad()(lambda: [recorded() for _ in range(20)])
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(decorated if k % 2 else lambda: [recorded()] * 20) for k in range(40)]
        assert [all(f.result()) for f in found] == [k % 2 == 0 for k in range(40)]
        assert not any(any(f.result()) for f in found[1::2])


# --- generators -----------------------------------------------------------------------------------------


@modes
@pytest.mark.parametrize("recording", [True, False])
def test_a_decorated_generator_holds_it_while_it_runs_and_nobody_else(name, recording):
    make, *inside = MODES[name]
    seen = []

    @make()
    def generator(n):
        try:
            for k in range(n):
                assert recorded() is inside[not recording]
                try:
                    seen.append((yield k))
                except KeyError:
                    seen.append("caught")
        finally:
            assert recorded() is inside[not recording]
            seen.append("closed")
        return "value"

    with outside(recording):
        g = generator(4)
        assert next(g) == 0
        assert recorded() is recording
        assert g.send("sent") == 1
        assert g.throw(KeyError) == 2
        assert recorded() is recording
        assert g.send(None) == 3
        with pytest.raises(StopIteration) as stop:
            next(g)
        assert stop.value.value == "value"
        assert seen == ["sent", "caught", None, None, "closed"]
        seen.clear()
        g = generator(4)
        next(g)
        g.close()
        assert seen == ["closed"]
        assert recorded() is recording
        h = generator(4)
        next(h)
        with pytest.raises(ValueError, match="mine"):
            h.throw(ValueError("mine"))
        assert recorded() is recording
        assert list(generator(3)) == [0, 1, 2]


def test_a_decorated_generator_that_is_driven_with_another_mode_each_time():
    @ta.no_grad()
    def generator():
        while True:
            yield recorded()

    g = generator()
    for recording in (True, False, True):
        with outside(recording):
            assert next(g) is False
            assert recorded() is recording
    g.close()


def test_a_generator_that_fails_leaves_no_circle():
    class Mine(Exception):  # noqa: N818
        pass

    @ta.no_grad()
    def generator():
        yield

    gc.collect()
    gc.disable()
    try:
        g = generator()
        next(g)
        error = Mine()
        gone = weakref.ref(error)
        with contextlib.suppress(Mine):
            g.throw(error)
        del error, g
        assert gone() is None
    finally:
        gc.enable()


# --- async -----------------------------------------------------------------------------------------------


@modes
def test_a_decorated_coroutine_function(name):
    make, inside, _ = MODES[name]

    @make()
    async def coroutine(x):
        assert recorded() is inside
        await asyncio.sleep(0)
        assert recorded() is inside
        return x

    @make()
    async def failing():
        await asyncio.sleep(0)
        raise KeyError

    async def main():
        assert await coroutine(1) == 1
        assert recorded()
        assert await asyncio.gather(*[coroutine(k) for k in range(5)]) == list(range(5))
        with pytest.raises(KeyError):
            await failing()
        assert recorded()

    assert inspect.iscoroutinefunction(coroutine)
    asyncio.run(main())


@modes
def test_a_decorated_async_generator(name):
    make, inside, _ = MODES[name]
    seen = []

    @make()
    async def generator(n):
        try:
            for k in range(n):
                await asyncio.sleep(0)
                assert recorded() is inside
                try:
                    seen.append((yield k))
                except KeyError:
                    seen.append("caught")
        finally:
            await asyncio.sleep(0)
            seen.append(recorded() is inside)

    async def main():
        async for _ in generator(3):
            assert recorded()
        assert seen == [None, None, None, True]
        seen.clear()
        g = generator(5)
        assert await g.asend(None) == 0
        assert await g.asend("sent") == 1
        assert await g.athrow(KeyError) == 2
        assert recorded()
        await g.aclose()
        assert seen == ["sent", "caught", True]
        h = generator(5)
        await h.asend(None)
        with pytest.raises(ValueError, match="mine"):
            await h.athrow(ValueError("mine"))
        assert recorded()

    assert inspect.isasyncgenfunction(generator)
    asyncio.run(main())


class Own(Block):
    """A block that keeps what it needs to end on itself, as detect_anomaly does."""

    open = ()

    def fresh(self):
        return Own()

    def __enter__(self):
        self.open = (*self.open, threading.get_ident())

    def __exit__(self, *_):
        *rest, thread = self.open
        assert thread == threading.get_ident()
        self.open = rest


def test_calls_in_several_threads_each_have_a_block_of_their_own():
    entered = threading.Barrier(2)
    left = threading.Barrier(2)

    @Own()
    def function(k):
        entered.wait(10)
        if k:
            left.wait(10)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(function, 0), pool.submit(function, 1)
        first.result()
        left.wait(10)
        second.result()
