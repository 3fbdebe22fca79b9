"""Inverse, solve and determinant count what eliminations in plain loops count, which find what NumPy finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_perf import flops
from tt_tensor import Tensor
from tt_tensor.ops.inverting import Det, Inverse, Solve


def matrices(*shape, seed=0):
    """Far from singular, so that no pivot has to be looked for."""
    return np.random.default_rng(seed).uniform(-1, 1, shape) + shape[-1] * np.eye(shape[-1])


def counted(function, *arrays, needs=None):
    """(forward, backward) of a Function, applied."""
    function.needs = needs
    function(*map(Tensor, arrays))
    found = flops(function)
    assert found.counted
    return found[:2]


def factors(x):
    """l below the diagonal, u from it up, and how many operations they took."""
    x, count = x.copy(), 0
    n = len(x)
    for p in range(n):
        for i in range(p + 1, n):
            x[i, p] /= x[p, p]
            count += 1
            for j in range(p + 1, n):
                x[i, j] -= x[i, p] * x[p, j]
                count += 2
    return x, count


def through(lu, b):
    """y with l u y = b, a column, and how many operations it took."""
    y, count = b.copy(), 0
    n = len(lu)
    for i in range(n):
        for j in range(i):
            y[i] -= lu[i, j] * y[j]
            count += 2
    for i in reversed(range(n)):
        for j in range(i + 1, n):
            y[i] -= lu[i, j] * y[j]
            count += 2
        y[i] /= lu[i, i]
        count += 1
    return y, count


def inverted(x):
    """x⁻¹, by Gauss and Jordan in place, and how many operations it took."""
    x, count = x.copy(), 0
    n = len(x)
    for p in range(n):
        others = [i for i in range(n) if i != p]
        x[p, p] = 1 / x[p, p]
        count += 1
        for j in others:
            x[p, j] *= x[p, p]
            count += 1
        for i in others:
            for j in others:
                x[i, j] -= x[i, p] * x[p, j]
                count += 2
        for i in others:
            x[i, p] *= -x[p, p]
            count += 1
    return x, count


@given(n=st.integers(0, 6), lead=st.sampled_from([(), (3,), (2, 0)]))
def test_inverse(n, lead):
    found, count = inverted(matrices(n, n))
    np.testing.assert_allclose(found, np.linalg.inv(matrices(n, n)), atol=1e-12)
    times = int(np.prod(lead))
    two_products_and_sign = 2 * (2 * n * n * n) + n * n
    assert counted(Inverse(), matrices(*lead, n, n)) == (times * count, times * two_products_and_sign)


@given(n=st.integers(0, 6), lead=st.sampled_from([(), (3,), (2, 0)]))
def test_det(n, lead):
    lu, count = factors(matrices(n, n))
    np.testing.assert_allclose(np.prod(np.diag(lu)), np.linalg.det(matrices(n, n)))
    count += max(n - 1, 0)
    times = int(np.prod(lead))
    back = inverted(matrices(n, n))[1] + 1 + n * n  # grad y, times x⁻ᵀ
    assert counted(Det(), matrices(*lead, n, n)) == (times * count, times * back)


@given(n=st.integers(0, 5), k=st.integers(0, 4))
def test_solve(n, k):
    a, b = matrices(n, n), np.random.default_rng(1).standard_normal((n, k))
    lu, count = factors(a)
    columns = [through(lu, column) for column in b.T]
    for (column, _), right in zip(columns, b.T, strict=True):
        np.testing.assert_allclose(a @ column, right, atol=1e-12)
    through_both = sum(each for _, each in columns)
    product = 2 * n * n * k + n * n  # da = -db yᵀ
    assert counted(Solve(), a, b) == (count + through_both, through_both + product)
    assert counted(Solve(), a, b, needs=(False, True))[1] == through_both
    assert counted(Solve(), a, b, needs=(False, False))[1] == 0


@pytest.mark.parametrize(("of_a", "of_b"), [((3, 4, 4), (3, 4, 2)), ((4, 4), (3, 4, 2)), ((3, 4, 4), (4, 2))])
def test_solve_of_a_batch_factors_each_matrix_once(of_a, of_b):
    lu, count = factors(matrices(4, 4))
    one = through(lu, np.ones(4))[1]
    few = len(of_a) > 2
    there, back = counted(Solve(), matrices(*of_a), np.ones(of_b))
    assert there == (3 if few else 1) * count + 6 * one
    stretched = 3 * 4 * 2 if len(of_b) == 2 else 0  # the sum that undoes broadcasting
    assert back == 6 * one + 2 * 4 * 4 * 6 + (3 if few else 1) * 16 + stretched
