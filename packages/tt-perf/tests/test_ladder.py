"""Every rung of the ladder is the same matrix product."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_perf
import tt_tensor as tt
from tt_perf import ladder
from tt_tensor import kernels
from tt_tensor.errors import ShapeError

RUNGS = tt_perf.matmul_ladder()
SIZES = st.integers(0, 9)


def pair(n, depth, m):
    random = np.random.default_rng([n, depth, m])
    return random.standard_normal((n, depth), np.float32), random.standard_normal((depth, m), np.float32)


@pytest.mark.parametrize("name", RUNGS)
@settings(max_examples=30, deadline=None)
@given(n=SIZES, depth=SIZES, m=SIZES)
def test_a_rung_is_the_definition(name, n, depth, m):
    x, y = pair(n, depth, m)
    z = RUNGS[name](x, y)
    assert z.dtype == np.float32
    assert z.shape == (n, m)
    exact = x.astype(float) @ y.astype(float)
    bound = (depth + 1) * 2.0**-23 * (np.abs(x.astype(float)) @ np.abs(y.astype(float)))
    assert (np.abs(z - exact) <= bound).all()


@pytest.mark.parametrize("name", [name for name in RUNGS if name not in ("lists", "dots", "rows")])
@pytest.mark.parametrize("shape", [(1, 1000, 3), (131, 517, 1029), (64, 3, 513), (259, 130, 64)])
def test_blocks_and_their_rests_cover_every_number(name, shape):
    x, y = pair(*shape)
    np.testing.assert_allclose(RUNGS[name](x, y), x @ y, rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", RUNGS)
def test_other_layouts_and_dtypes_come_in_too(name):
    x, y = pair(6, 8, 5)
    np.testing.assert_allclose(
        RUNGS[name](x.T[::2].astype(float), y[:6].T[:, ::1].T), x.T[::2] @ y[:6], atol=1e-5
    )


@pytest.mark.parametrize("name", RUNGS)
def test_shapes_that_do_not_fit_are_named(name):
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(4, 5\)"):
        RUNGS[name](np.ones((2, 3)), np.ones((4, 5)))


@pytest.mark.parametrize("name", RUNGS)
def test_a_nan_reaches_the_numbers_that_depend_on_it_and_no_other(name):
    x, y = pair(5, 6, 7)
    x[2, 3] = np.nan
    z = RUNGS[name](x, y)
    assert np.isnan(z[2]).all()
    assert np.isfinite(np.delete(z, 2, 0)).all()


def test_a_model_runs_on_a_rung():
    pytest.importorskip("numba", reason="compiled rungs need the extra numba")
    x, y = pair(20, 30, 40)
    for name in ("blocked", "threads"):
        with kernels.use(name, "matmul"):
            z = tt.tensor(x) @ tt.tensor(y)
            whole = tt.tensor([[1, 2], [3, 4]]) @ tt.tensor([[1, 0], [0, 1]])
        np.testing.assert_allclose(z.array, x @ y, atol=1e-4)
        assert whole.dtype.kind == "i"


def test_without_numba_the_others_are_left():
    code = (
        "import sys, importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'numba' else found(name, *rest)\n"
        "import tt_perf; print(*tt_perf.matmul_ladder()); assert 'numba' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["lists", "dots", "rows", "blas"]


def test_every_rung_says_what_it_does():
    assert next(iter(ladder.matmul_ladder())) == "lists"
    assert list(ladder.matmul_ladder())[-1] == "blas"
    assert all(rung.__doc__ for rung in RUNGS.values())
