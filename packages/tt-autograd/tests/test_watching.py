"""Watchers: told of every operation in their own thread, and nobody is asked when nobody watches."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_autograd.watching import alert, unwatched, watch


@pytest.fixture
def seen():
    return []


@pytest.fixture
def note(seen):
    return lambda function, inputs, output: seen.append(
        (type(function).__name__, len(inputs), output.tolist())
    )


def test_told_of_every_operation_with_what_went_in_and_came_out(seen, note):
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    with watch(note):
        y = x * 2.0 + tt.ones(2)
        with ta.no_grad():
            z = -y
            z.mul_(2.0)
    x.exp()
    assert seen == [
        ("Mul", 2, [2.0, 4.0]),
        ("Add", 2, [3.0, 5.0]),
        ("Neg", 1, [-3.0, -5.0]),
        ("Mul", 2, [-6.0, -10.0]),
    ]


def test_what_a_watcher_claims_is_not_recorded(seen, note):
    x = tt.tensor([1.0], requires_grad=True)
    with watch(lambda function, inputs, output: type(function).__name__ == "Mul"), watch(note):
        assert not (x * 2.0).requires_grad
        assert (x + 2.0).requires_grad
    assert [name for name, *_ in seen] == ["Mul", "Add"]  # the others are told all the same
    assert (x * 2.0).requires_grad


def test_watchers_inside_watchers(seen, note):
    inner = []
    with watch(note):
        tt.ones(1) + 1.0
        with watch(lambda *told: inner.append(type(told[0]).__name__)):
            tt.ones(1) * 1.0
        with unwatched():
            tt.ones(1) / 1.0
            with watch(lambda *told: inner.append(type(told[0]).__name__)):
                -tt.ones(1)
    assert [name for name, *_ in seen] == ["Add", "Mul"]
    assert inner == ["Mul", "Neg"]


def test_a_watcher_that_raises_stops_the_operation_and_goes():
    def refuse(*told):
        raise KeyError("mine")

    before = alert.watchers
    with pytest.raises(KeyError, match="mine"), watch(refuse):
        tt.ones(1) + 1.0
    assert alert.watchers == before
    tt.ones(1) + 1.0


def test_another_thread_is_not_watched(seen, note):
    def elsewhere():
        return (tt.tensor([3.0], requires_grad=True) * 2.0).requires_grad

    with watch(note), ThreadPoolExecutor(1) as pool:
        assert pool.submit(elsewhere).result()
    assert seen == []


def test_many_threads_come_and_go():
    def work(k):
        seen = []
        for _ in range(50):
            with watch(lambda *told: seen.append(1)):
                tt.ones(1) + 1.0
        return len(seen)

    before = alert.watchers
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(8))) == [50] * 8
    assert alert.watchers == before
