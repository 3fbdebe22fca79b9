"""Chains of 100,000: forward, backward and away, without recursion and without the collector."""

import gc
import sys
import weakref

import numpy as np

import tt_autograd
import tt_tensor as tt

SHAPE = (2, 3)


def values(shape=SHAPE, start=1):
    """Distinct, of both signs, away from 0."""
    steps = np.arange(start, start + int(np.prod(shape)))
    return (((steps * 5) % 13 - 6.5) / 4).reshape(shape)


def leaf(shape=SHAPE, start=1):
    return tt.tensor(values(shape, start), requires_grad=True)


LONG = 100_000


def test_a_long_chain_goes_forward_back_and_away():
    """Without recursion, and without the collector: what nobody holds is gone at once."""
    x = leaf(())
    first = y = x * 1.0
    for _ in range(LONG):
        y = y + 1e-5
    gone = weakref.ref(first.grad_fn)
    del first
    gc.collect()
    gc.disable()
    try:
        y.backward(retain_graph=True)
        assert x.grad.item() == 1.0
        assert gone() is not None
        del y
        assert gone() is None
    finally:
        gc.enable()


def test_a_long_chain_that_is_thrown_away_without_backward():
    x = leaf(())
    first = y = x * 1.0
    for step in range(LONG):
        y = -y if step % 2 else y.reshape(1).reshape(())
    gone = weakref.ref(first.grad_fn)
    del first, y
    assert gone() is None


def test_a_long_chain_of_writes():
    x = leaf()
    y = x * 1.0
    for _ in range(LONG // 10):
        y += 1e-4
        y *= 0.9999
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.full(SHAPE, 0.9999 ** (LONG // 10)), 1e-10)


def test_a_long_chain_of_writes_through_a_view():
    x = leaf()
    y = x * 1.0
    row = y[0]
    for _ in range(LONG // 20):
        row *= 0.9999
    y.sum().backward()
    wanted = np.ones(SHAPE)
    wanted[0] = 0.9999 ** (LONG // 20)
    np.testing.assert_allclose(x.grad.numpy(), wanted, 1e-10)


def test_a_long_chain_of_views_of_views():
    x = leaf((LONG // 50 + 1,))
    y = x * 1.0
    for _ in range(LONG // 50):
        y = y[1:]
    y.mul_(3.0)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.r_[np.zeros(LONG // 50), 3.0], strict=True)


def test_a_long_chain_to_second_order():
    x = leaf(())
    y = x
    for _ in range(LONG // 20):
        y = y * 1.0
    y = y * y
    (dx,) = tt_autograd.grad(y, x, create_graph=True)
    dx.backward()
    assert x.grad.item() == 2.0


def test_the_recursion_limit_is_left_alone():
    limit = sys.getrecursionlimit()
    leaf().sum().backward()
    assert sys.getrecursionlimit() == limit
