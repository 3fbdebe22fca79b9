"""Kernels ask for the widest registers; other functions of the process do not."""

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from tt_perf.compiled.jit import jit  # noqa: E402

ROW = "void(float32[::1], float32[::1])"


def doubled(x, y):
    for i in range(x.size):
        y[i] = x[i] + x[i]


def test_a_kernel_says_so_in_its_code():
    code = next(iter(jit(ROW, cache=False)(doubled).inspect_llvm().values()))
    assert '"prefer-vector-width"="512"' in code


def test_others_are_left_alone():
    code = next(iter(numba.njit(ROW)(doubled).inspect_llvm().values()))
    assert "prefer-vector-width" not in code


def test_the_result_is_the_same():
    x, y = np.arange(100, dtype=np.float32), np.zeros(100, np.float32)
    jit(ROW, cache=False)(doubled)(x, y)
    np.testing.assert_array_equal(y, 2 * x)
