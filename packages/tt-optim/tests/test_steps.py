"""The kernels of Adam and SGD against the loops that define them."""

import math

import numpy as np
import pytest

import tt_optim
import tt_tensor as tt
from tt_tensor import kernels

SETTINGS = {
    "adam": [
        (1.0, 0.0, 1.0, 0.9, 0.999, 1e-2, 1e-8),
        (-1.0, 0.1, 1.0, 0.9, 0.99, 1e-2, 1e-6),
        (1.0, 0.0, 0.99, 0.5, 0.9, 1e-1, 1e-3),
    ],
    "sgd": [
        (1.0, 0.0, 0.9, 1.0, False, 0.1),
        (-1.0, 0.1, 0.9, 0.5, True, 0.1),
        (1.0, 0.1, 0.5, 0.7, False, 0.1),
    ],
}


@pytest.mark.parametrize("n", [0, 1, 37])
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    ("operation", "settings"), [(name, some) for name, all_of in SETTINGS.items() for some in all_of], ids=str
)
def test_numpy_is_as_the_loops(operation, settings, bare, n):
    rng = np.random.default_rng(n)
    state = [rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)]  # values, grads, mean or buffer
    if operation == "adam":
        # square, and with amsgrad largest
        state += [np.square(rng.normal(size=n)), None if bare else np.square(rng.normal(size=n))]
    elif bare:
        state[2] = None
    results = []
    for name in ("numpy", "loops"):
        arrays = [None if one is None else one.copy() for one in state]
        kernels.kernel(operation, name)(*arrays, [np.empty(n), np.empty(n)], *settings)
        results.append(arrays)
    for one, other in zip(*results, strict=True):
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(results[0][1], state[1])  # gradients are never written


@pytest.mark.parametrize("make", [tt_optim.Adam, lambda p: tt_optim.SGD(p, 0.1, momentum=0.9)])
def test_optimizers_run_on_the_loops(make):
    moved = []
    for name in ("numpy", "loops"):
        p = tt.Tensor(np.arange(5.0))
        optimizer = make([p])
        with kernels.use(name):
            for _ in range(3):
                p.grad = tt.Tensor(np.cos(p.numpy()))
                optimizer.step()
        moved.append(p.numpy())
    np.testing.assert_allclose(*moved, rtol=1e-13)


def test_loops_of_adam_divide_as_numpy_does():
    values = [np.array([1.0, 2.0, 3.0]) for _ in range(2)]
    for name, one in zip(("numpy", "loops"), values, strict=True):
        arrays = one, np.array([0.0, math.nan, math.inf]), np.zeros(3), np.zeros(3), None
        with np.errstate(all="ignore"):
            kernels.kernel("adam", name)(
                *arrays, [np.empty(3), np.empty(3)], 1.0, 0.0, 1.0, 0.9, 0.9, 0.1, 0.0
            )
    np.testing.assert_array_equal(*values)
