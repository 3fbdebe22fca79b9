"""Whether operations are recorded: set for a block or a function, put back however it ends, for one thread only."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_tensor import recorder
from tt_tensor.errors import ArgumentError, InPlaceError

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


# --- blocks ---------------------------------------------------------------------------------------------


@modes
@pytest.mark.parametrize("recording", [True, False])
def test_a_block(name, recording):
    make, *inside = MODES[name]
    with outside(recording):
        with make():
            assert recorded() is inside[not recording]
        assert recorded() is recording


@modes
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit, StopIteration])
def test_a_block_that_ends_in_an_exception(name, error):
    make, _, inside = MODES[name]
    with ta.no_grad():

        def fail():
            with make():
                assert recorded() is inside
                raise error

        with pytest.raises(error):
            fail()
        assert not recorded()
    assert recorded()


@pytest.mark.parametrize("inner", MODES)
@modes
def test_blocks_in_blocks(name, inner):
    outer, inside, _ = MODES[name]
    make, *deeper = MODES[inner]
    with outer():
        for _ in range(2):
            with make():
                inferring = ta.is_inference_mode_enabled()
                # Inside inference_mode only inference_mode(False) records.
                assert recorded() is (deeper[not inside] and not inferring)
            assert recorded() is inside


def test_inference_mode_holds_against_enable_grad():
    with ta.inference_mode():
        assert ta.is_inference_mode_enabled()
        with ta.enable_grad(), ta.set_grad_enabled(True):
            assert not recorded()
        with ta.no_grad(), ta.inference_mode(False):
            assert recorded()
            assert not ta.is_inference_mode_enabled()
        assert ta.is_inference_mode_enabled()


def test_one_object_entered_inside_itself():
    off, on = ta.no_grad(), ta.enable_grad()
    with off:
        with on:
            with off:
                with on:
                    assert recorded()
                assert not recorded()
            assert recorded()
        assert not recorded()
    assert recorded()


@pytest.mark.parametrize("inner", MODES)
@modes
def test_blocks_that_end_in_another_order(name, inner):
    """Two generators, each in a block of its own, closed in the order in which they were opened."""

    def inside(make):
        with make():
            yield

    first, second = inside(MODES[name][0]), inside(MODES[inner][0])
    next(first)
    next(second)
    held = recorded()
    first.close()
    assert recorded() is held  # the second block has not ended
    second.close()
    assert recorded()


def test_what_a_constant_allows():
    x = tt.ones(2).requires_grad_()
    with pytest.raises(InPlaceError):
        x.mul_(2.0)
    with ta.no_grad():
        x.mul_(2.0)
        x -= 0.5
    assert x.tolist() == [1.5, 1.5]
    assert x.requires_grad
    with ta.no_grad():
        y = tt.ones(2).requires_grad_()  # a leaf may be made inside
    assert y.requires_grad
    (y * x).sum().backward()
    assert y.grad.tolist() == [1.5, 1.5]


def test_backward_inside_no_grad():
    x = tt.ones(2).requires_grad_()
    y = (x * x).sum()
    with ta.no_grad():
        y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_block_inside_a_generator_that_is_left_half_way():
    def generator():
        with ta.no_grad():
            yield recorded()

    g = generator()
    assert next(g) is False
    g.close()
    assert recorded()
    g = generator()
    assert next(g) is False
    del g
    assert recorded()


# --- set_grad_enabled as a call -------------------------------------------------------------------------


def test_a_plain_call_holds_until_the_next():
    try:
        ta.set_grad_enabled(False)
        assert not recorded()
        ta.set_grad_enabled(True)
        assert recorded()
    finally:
        ta.set_grad_enabled(True)


def test_a_plain_call_ends_with_the_block_around_it():
    with ta.no_grad():
        ta.set_grad_enabled(True)
        assert recorded()
    assert recorded()
    with ta.enable_grad():
        ta.set_grad_enabled(False)
        assert not recorded()
    assert recorded()


def test_one_object_as_several_blocks():
    off = ta.set_grad_enabled(False)
    assert not recorded()
    with off:
        assert not recorded()
    assert recorded()
    for recording in (True, False, True):
        with outside(recording):
            with off:
                assert not recorded()
            assert recorded() is recording


@pytest.mark.parametrize("mode", [1, 0, None, "no", np.True_])
def test_a_mode_is_true_or_false(mode):
    with pytest.raises(ArgumentError, match="set_grad_enabled: mode is True or False"):
        ta.set_grad_enabled(mode)


# --- threads --------------------------------------------------------------------------------------------


def in_a_thread(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


@modes
def test_a_new_thread_records(name):
    with MODES[name][0]():
        assert in_a_thread(recorded)
        assert not in_a_thread(ta.is_inference_mode_enabled)


def test_a_thread_changes_nothing_in_another():
    started, leave = threading.Event(), threading.Event()

    def other():
        with ta.no_grad():
            started.set()
            leave.wait(10)
            return recorded()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other)
        started.wait(10)
        assert recorded()
        with ta.inference_mode():
            leave.set()
            assert waiting.result() is False
        assert recorded()


def test_one_object_in_two_threads_at_once():
    off = ta.no_grad()
    inside, both = threading.Event(), threading.Event()

    def other():
        with ta.enable_grad(), off:
            inside.set()
            both.wait(10)
        return recorded()

    with ThreadPoolExecutor(1) as pool, ta.no_grad():
        waiting = pool.submit(other)
        inside.wait(10)
        with off:
            both.set()
            assert waiting.result() is True
            assert not recorded()
        assert not recorded()
    assert recorded()


def test_a_context_that_was_copied_has_what_held_there():
    with ta.no_grad():
        context = contextvars.copy_context()
    assert recorded()
    assert context.run(recorded) is False


# --- tasks ----------------------------------------------------------------------------------------------


def test_two_tasks_that_take_turns():
    async def off(log):
        with ta.no_grad():
            for _ in range(5):
                await asyncio.sleep(0)
                log.append(("off", recorded()))
        log.append(("off, after", recorded()))

    async def on(log):
        for _ in range(7):
            log.append(("on", recorded()))
            await asyncio.sleep(0)

    async def both():
        log = []
        await asyncio.gather(off(log), on(log))
        assert recorded()
        return log

    log = asyncio.run(both())
    assert [name for name, _ in log][:4] in (["on", "off"] * 2, ["on", "on", "off", "on"])  # in turns
    assert all(value is (name != "off") for name, value in log)


def test_a_new_task_begins_with_what_held_where_it_was_started():
    async def question():
        await asyncio.sleep(0)
        return recorded()

    async def main():
        with ta.no_grad():
            task = asyncio.create_task(question())
        assert recorded()
        return await task

    assert asyncio.run(main()) is False


def test_a_block_in_an_async_generator_that_another_task_closes():
    async def generator():
        with ta.no_grad():
            yield recorded()
            yield recorded()

    async def begin(g):
        assert await g.asend(None) is False

    async def main():
        g = generator()
        await asyncio.create_task(begin(g))
        assert recorded()
        with ta.no_grad(), ta.enable_grad():
            await g.aclose()
            assert recorded()
            with ta.no_grad():
                assert not recorded()
        assert recorded()

    asyncio.run(main())


# --- the seam's own word for it ---------------------------------------------------------------------------


def test_the_seams_pause_is_inference_mode():
    with recorder.paused():
        assert not recorded()
        assert ta.is_inference_mode_enabled()
        assert not recorder.by_hand()
        with ta.enable_grad():
            assert not recorded()
    assert recorded()
    with ta.no_grad():
        with recorder.paused():
            assert not recorded()
        assert not recorded()
        assert not ta.is_inference_mode_enabled()
