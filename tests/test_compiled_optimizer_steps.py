"""Compiled steps of Adam and SGD: like the loops, and like NumPy's over a hundred steps of a real optimizer."""

import math

import numpy as np
import pytest

import tt_optim
import tt_perf
import tt_tensor as tt
from tt_perf.compiled.adam import adam
from tt_perf.compiled.sgd import sgd
from tt_tensor import kernels

SIZES = [0, 1, 15, 1000]
ADAM = [  # sign, decay, shrink, beta1, beta2, pace, floor
    (1.0, 0.0, 0.9999, 0.9, 0.99, 2e-3, 1e-8),
    (-1.0, 0.1, 1.0, 0.9, 0.999, 1e-2, 1e-6),
    (1.0, 0.0, 1.0, 0.0, 0.0, 1e-2, 1e-8),
]
SGD = [  # sign, decay, momentum, share, nesterov, lr
    (1.0, 0.0, 0.9, 1.0, False, 0.1),
    (-1.0, 0.1, 0.9, 0.5, False, 0.1),
    (1.0, 0.01, 0.9, 1.0, True, 0.1),
]


def numbers(n, seed, low=-2.0):
    return np.random.default_rng(seed).uniform(low, 2, n).astype(np.float32)


@pytest.mark.parametrize("settings", ADAM, ids=str)
@pytest.mark.parametrize("n", SIZES)
def test_adam_is_like_the_loops(n, settings):
    state = [numbers(n, 0), numbers(n, 1), numbers(n, 2), numbers(n, 3, 0.0)]
    found, wanted = [one.copy() for one in state], [one.copy() for one in state]
    adam(*found, None, [], *settings)
    kernels.kernel("adam", "loops")(*wanted, None, [], *settings)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found[1], state[1])


@pytest.mark.parametrize("beta", [0.0, 0.01, 0.3])
def test_what_a_small_beta_forgets_leaves_nothing_in_the_digits(beta):
    mean, square, wanted = np.zeros(33, np.float32), np.zeros(33, np.float32), 0.0
    for g in (1e7, 1.25, -0.75):
        grads = np.full(33, g, np.float32)
        adam(np.zeros(33, np.float32), grads, mean, square, None, [], 1.0, 0.0, 1.0, beta, 0.0, 1e-2, 1e-8)
        wanted = beta * wanted + (1 - beta) * g
        np.testing.assert_allclose(mean, wanted, rtol=1e-6)


@pytest.mark.parametrize("settings", SGD, ids=str)
@pytest.mark.parametrize("n", SIZES)
def test_sgd_is_like_the_loops(n, settings):
    state = [numbers(n, 0), numbers(n, 1), numbers(n, 2)]
    found, wanted = [one.copy() for one in state], [one.copy() for one in state]
    sgd(*found, [], *settings)
    kernels.kernel("sgd", "loops")(*wanted, [], *settings)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found[1], state[1])


def test_what_is_not_finite_is_as_in_numpy():
    grads = np.array([math.inf, -math.inf, math.nan, 0, 1e-30, 3e38, 1] * 3, np.float32)
    values = np.array([1, 2, 3, math.inf, 0, 1, math.nan] * 3, np.float32)
    with np.errstate(all="ignore"):
        for run, operation, count, settings in ((adam, "adam", 2, ADAM), (sgd, "sgd", 1, SGD)):
            for setting in settings:
                found = [values.copy(), grads, *[np.zeros(21, np.float32) for _ in range(count)]]
                wanted = [one.copy() for one in found]
                rest = [None] * (operation == "adam")
                scratch = [np.empty(21, np.float32) for _ in range(2)]
                run(*found, *rest, scratch, *setting)
                kernels.kernel(operation, "numpy")(*wanted, *rest, scratch, *setting)
                for one, other in zip(found, wanted, strict=True):
                    np.testing.assert_allclose(one, other, rtol=1e-6)


OPTIMIZERS = {
    "Adam": lambda p: tt_optim.Adam(p, lr=1e-2, weight_decay=0.1),
    "AdamW": lambda p: tt_optim.AdamW(p, lr=1e-2, betas=(0.9, 0.99), weight_decay=0.1),
    "AdamW, amsgrad": lambda p: tt_optim.AdamW(p, lr=1e-2, amsgrad=True),
    "AdamW, maximize": lambda p: tt_optim.AdamW(p, lr=1e-3, maximize=True),
    "SGD": lambda p: tt_optim.SGD(p, lr=1e-2),
    "SGD, momentum": lambda p: tt_optim.SGD(p, lr=1e-2, momentum=0.9, weight_decay=1e-3),
    "SGD, nesterov": lambda p: tt_optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True),
}


def hundred_steps(make, dtype):
    """Of a quadratic bowl: parameters of many sizes, values and state after the steps."""
    sizes = [(3,), (64, 33), (300, 301), (0,)]
    parameters = [
        tt.Tensor(np.random.default_rng(k).normal(size=size).astype(dtype), requires_grad=True)
        for k, size in enumerate(sizes)
    ]
    starts = [p.numpy().copy() for p in parameters]
    bowls = [np.linspace(0.1, 2, max(p.size, 1)).astype(dtype)[: p.size].reshape(p.shape) for p in parameters]
    optimizer = make(parameters)
    for _ in range(100):
        for p, bowl in zip(parameters, bowls, strict=True):
            p.grad = tt.Tensor(p.numpy() * bowl)
        optimizer.step()
    state = optimizer.state_dict()["state"]
    return [p.numpy() for p in parameters], state, starts


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_hundred_steps(name):
    plain, state, starts = hundred_steps(OPTIMIZERS[name], np.float32)
    with tt_perf.accelerate(malloc=False):
        fast, fast_state, _ = hundred_steps(OPTIMIZERS[name], np.float32)
    for one, other, start in zip(fast, plain, starts, strict=True):
        assert one.dtype == np.float32
        largest = np.max(np.abs(start), initial=1e-9)  # on the way: what rounds there, stays
        assert np.max(np.abs(one - other), initial=0) <= 1e-6 * largest
    assert {k: set(v) for k, v in fast_state.items()} == {k: set(v) for k, v in state.items()}


def test_float64_stays_with_numpy():
    plain, *_ = hundred_steps(OPTIMIZERS["AdamW"], np.float64)
    with tt_perf.accelerate(malloc=False):
        fast, *_ = hundred_steps(OPTIMIZERS["AdamW"], np.float64)
    for one, other in zip(fast, plain, strict=True):
        np.testing.assert_array_equal(one, other)
