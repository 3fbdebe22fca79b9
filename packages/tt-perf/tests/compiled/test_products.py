"""Compiled matrix products are the sums of the definition for all shapes, layouts and numbers of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_perf.compiled import products
from tt_perf.compiled.products import matrix_product
from tt_tensor import kernels

LOOPS = kernels.kernel("matrix_product", "loops")
HERE = products._SUITS
EPS = np.finfo(np.float32).eps


def drawn(rows, depth, width, x_turned=False, y_turned=False, seed=0):
    """x (rows, depth) and y (depth, width); one that is turned lies in memory with its rows and columns exchanged."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(depth, rows) if x_turned else (rows, depth)).astype(np.float32)
    y = rng.normal(size=(width, depth) if y_turned else (depth, width)).astype(np.float32)
    return x.T if x_turned else x, y.T if y_turned else y


def assert_product(found, x, y):
    """Within what so many float32 additions may lose, of float64's product."""
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    wide = x.astype(np.float64), y.astype(np.float64)
    most = np.abs(wide[0]) @ np.abs(wide[1])
    assert found.shape == most.shape
    assert (np.abs(found - wide[0] @ wide[1]) <= 0.25 * EPS * (x.shape[1] + 4) * most).all()


@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)])
@given(
    rows=st.integers(1, 420), depth=st.integers(1, 600), width=st.integers(1, 170), threads=st.sampled_from([1, 2, 5])
)  # fmt: skip
@settings(max_examples=40)
def test_every_shape_and_layout(turned, rows, depth, width, threads):
    x, y = drawn(rows, depth, width, *turned)
    with shards.threads(threads):
        assert_product(matrix_product(x, y), x, y)


@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize(
    ("rows", "depth", "width"),
    [
        (384, 128, 512),  # as a layer of a small transformer
        (400, 300, 1100),  # more than one piece of every side
        (2000, 64, 64),  # cut by rows
        (12, 700, 544),  # one strip
        (13, 257, 541),  # one row, one number and 29 columns more than a piece
        (200, 1, 2000),
    ],
)
def test_pieces(turned, rows, depth, width):
    x, y = drawn(rows, depth, width, *turned)
    for threads in (1, 2):
        with shards.threads(threads):
            assert_product(matrix_product(x, y), x, y)


@pytest.mark.skipif(not HERE, reason="this processor has no registers of 64 bytes: BLAS multiplies")
@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)])
def test_the_loops_by_this_kernel_itself(turned, monkeypatch):
    monkeypatch.setattr(products, "fallback", None)  # would fail if it were called
    x, y = drawn(50, 90, 96, *turned)
    with shards.threads(2):
        np.testing.assert_allclose(matrix_product(x, y), LOOPS(x, y), rtol=1e-5, atol=1e-5)


def test_the_bits_do_not_depend_on_threads():
    x, y = drawn(333, 300, 96, y_turned=True)
    with shards.threads(1):
        alone = matrix_product(x, y)
    for threads in (2, 3):
        with shards.threads(threads):
            np.testing.assert_array_equal(matrix_product(x, y), alone)


def test_many_threads_at_once():
    x, y = drawn(384, 128, 128, x_turned=True)
    expected = matrix_product(x, y)
    found = [None] * 8

    def body(start, stop, part):
        for i in range(start, stop):
            found[i] = matrix_product(x, y)

    with shards.threads(2):
        shards.run(body, 8)
    for one in found:
        np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_number_stays_in_its_row_and_column(bad):
    x, y = drawn(60, 200, 70)
    x[7, 100], y[150, 69] = bad, bad
    with np.errstate(invalid="ignore"):
        found, expected = matrix_product(x, y), x @ y
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    assert np.isfinite(found).sum() == 59 * 69


def test_other_arrays_go_to_numpy():
    x, y = drawn(60, 200, 70)
    wide = matrix_product(x.astype(np.float64), y)
    assert wide.dtype == np.float64
    np.testing.assert_allclose(wide, x.astype(np.float64) @ y)
    gaps = np.repeat(x, 2, axis=1)[:, ::2]
    with kernels.use("numpy", "matrix_product"):  # whose bits hang on how many threads BLAS has
        wanted = matrix_product(gaps, y)
    np.testing.assert_array_equal(matrix_product(gaps, y), wanted)
    frozen = y.copy()
    frozen.flags.writeable = False
    np.testing.assert_allclose(matrix_product(x, frozen), x @ y, rtol=1e-4, atol=1e-4)
    assert matrix_product(x[:0], y).shape == (0, 70)
    np.testing.assert_array_equal(matrix_product(x[:, :0], y[:0]), np.zeros((60, 70), np.float32))


def test_neither_operand_is_written():
    x, y = drawn(100, 100, 100, y_turned=True)
    before = x.copy(), y.copy()
    matrix_product(x, y)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
