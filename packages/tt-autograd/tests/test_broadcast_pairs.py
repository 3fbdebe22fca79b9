"""Every pair of shapes of rank 4 or less, with sizes from {0, 1, 3}, that broadcast: the gradient has the shape and
dtype of its own operand, and is the sum over the places to which each element went.

Whole numbers everywhere, so that sums are exact in any order and nothing has a tolerance.
"""

from itertools import product

import numpy as np
import pytest

import tt_autograd  # noqa: F401  (records)
import tt_tensor as tt

RANKS = range(5)
SHAPES = {rank: list(product((0, 1, 3), repeat=rank)) for rank in RANKS}


def pairs(rank, other):
    for a in SHAPES[rank]:
        for b in SHAPES[other]:
            try:
                yield a, b, np.broadcast_shapes(a, b)
            except ValueError:
                continue


def whole(shape, start, dtype):
    """Whole numbers that differ along every axis: …, of both signs, never 0."""
    steps = np.arange(start, start + int(np.prod(shape)))
    return ((steps * 7) % 11 - 5.5).reshape(shape).astype(dtype) * 2


def summed(grad, shape):
    """Axis after axis, what was repeated is added up."""
    while grad.ndim > len(shape):
        grad = grad.sum(0)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(axis, keepdims=True)
    return grad


def check(call, x, y, grad, dx, dy):
    a, b = tt.tensor(x, requires_grad=True), tt.tensor(y, requires_grad=True)
    z = call(a, b)
    assert z.shape == grad.shape
    z.backward(grad)
    np.testing.assert_array_equal(a.grad.numpy(), summed(dx, x.shape).astype(x.dtype), strict=True)
    np.testing.assert_array_equal(b.grad.numpy(), summed(dy, y.shape).astype(y.dtype), strict=True)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("other", RANKS)
def test_gradient_of_every_pair_of_shapes(rank, other):
    count = 0
    for a, b, out in pairs(rank, other):
        x, y, grad = whole(a, 0, "float32"), whole(b, 3, "float64"), whole(out, 5, "float64")
        mask = whole(b, 1, "float64") > 0  # of one operand's shape: three things broadcast
        check(tt.add, x, y, grad, grad, grad)
        check(tt.mul, x, y, grad, grad * y, grad * x)
        check(lambda x, y, mask=mask: tt.where(mask, x, y), x, y, grad, grad * mask, grad * ~mask)
        count += 1
    # Per axis that both have, 7 of the 9 pairs of sizes fit; one that only one of them has is free.
    assert count == 7 ** min(rank, other) * 3 ** abs(rank - other)
