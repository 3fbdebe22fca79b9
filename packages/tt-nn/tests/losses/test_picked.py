"""The kernels of cross entropy against the loops that define them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_nn.losses import picked

LOGITS = st.sampled_from([-math.inf, -1e4, -50.0, -3.0, 0.0, 0.5, 2.0, 1e4])


@st.composite
def problems(draw):
    shape = (draw(st.integers(0, 3)), draw(st.integers(1, 4)), *draw(st.lists(st.integers(0, 3), max_size=1)))
    size = math.prod(shape)
    x = np.array(draw(st.lists(LOGITS, min_size=size, max_size=size)), np.float64).reshape(shape)
    rows = shape[:1] + shape[2:]
    index = np.array(
        draw(st.lists(st.integers(0, shape[1] - 1), min_size=math.prod(rows), max_size=math.prod(rows))),
        np.int64,
    ).reshape(rows)
    where = np.arange(size).reshape(shape)
    return x, np.take_along_axis(where, np.expand_dims(index, 1), 1).squeeze(1)


@given(problems())
def test_numpy_is_as_the_loops(problem):
    x, at = problem
    found, wanted = picked.numpy(x, at), picked.loops(x, at)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found[2] == 0, wanted[2] == 0)
    # exp(x - m) and its sum depend on m, the probabilities do not.
    for one, other in zip(probabilities(*found[1:]), probabilities(*wanted[1:]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    for scale in (np.float64(0.5), np.cos(np.arange(at.size, dtype=np.float64)).reshape(at.shape)):
        np.testing.assert_allclose(
            picked.numpy_backward(*found[1:], at, scale),
            picked.loops_backward(*wanted[1:], at, scale),
            rtol=1e-12,
            atol=1e-12,
        )


def probabilities(e, inverse):
    return np.moveaxis(e, 1, -1) * inverse[..., None]


@pytest.mark.parametrize("run", [picked.loops, picked.numpy])
def test_a_mistake_upstream_shows_in_its_row_only(run):
    x = np.array([[math.nan, 1.0], [math.inf, 1.0], [-math.inf, -math.inf], [0.0, 0.0]])
    with np.errstate(all="ignore"):
        losses, e, inverse = run(x, np.array([0, 3, 4, 6]))
    np.testing.assert_allclose(losses, [math.nan, math.nan, math.inf, math.log(2)])
    assert inverse[2] == 0 and not e[2].any()
