"""The matrix product by BLAS equals the triple loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_tensor.errors import ShapeError
from tt_tensor.kernels import matmul

SIZE = st.integers(0, 4)
DTYPES = st.sampled_from(["float32", "float64", "float16", "int64", "int32", "uint8", "bool"])


@st.composite
def shapes(draw):
    rows, inner, columns = draw(SIZE), draw(SIZE), draw(SIZE)
    kind = draw(st.sampled_from(["vv", "vm", "mv", "mm", "mm", "mm"]))
    batch = draw(st.lists(st.integers(0, 3), max_size=2))

    def stretched():
        return tuple(1 if draw(st.booleans()) else size for size in batch[draw(st.integers(0, len(batch))) :])

    left = (inner,) if kind[0] == "v" else (*stretched(), rows, inner)
    right = (inner,) if kind[1] == "v" else (*stretched(), inner, columns)
    return left, right


def values(shape, dtype, seed):
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 200, shape).astype(dtype)  # large enough for uint8 to wrap around
    return rng.normal(size=shape).astype(dtype)


@given(shapes(), DTYPES, DTYPES, st.integers(0, 1000))
def test_numpy_equals_the_loops(shapes, left, right, seed):
    x, y = values(shapes[0], left, seed), values(shapes[1], right, seed + 1)
    wanted = matmul.loops(x, y)
    rtol = 2e-3 if wanted.dtype == np.float16 else 1e-5 if wanted.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(np.asarray(matmul.numpy(x, y)), wanted, rtol, rtol, strict=True)
    np.testing.assert_allclose(np.asarray(matmul.product(x, y)), wanted, rtol, rtol, strict=True)


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: np.swapaxes(x, -1, -2),
        lambda x: x[..., ::-1, ::-1],
        lambda x: x[:, ::2, ::2],
        np.asfortranarray,
    ],
)
def test_layouts(layout):
    x = layout(values((3, 6, 6), "float64", 1))
    y = layout(values((3, 6, 6), "float64", 2))
    np.testing.assert_allclose(matmul.numpy(x, y), matmul.loops(x, y), 1e-12)
    np.testing.assert_allclose(matmul.numpy(x, y[0]), matmul.loops(x, y[0]), 1e-12)
    broadcast = np.broadcast_to(x[0], x.shape)
    np.testing.assert_allclose(matmul.numpy(broadcast, y), matmul.loops(broadcast, y), 1e-12)


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ((2, 3), (4, 5), ["(2, 3)", "(4, 5)", "transpose"]),
        ((3,), (4,), ["(3,)", "(4,)", "only axis"]),
        ((2, 3), (2,), ["(2, 3)", "(2,)"]),
        ((2, 2, 3), (4, 3, 5), ["(2, 2, 3)", "(4, 3, 5)", "broadcast"]),
        ((), (3,), ["single number"]),
        ((2, 3), (), ["single number"]),
    ],
)
@pytest.mark.parametrize("run", [matmul.loops, matmul.product])
def test_shapes_that_do_not_fit(run, left, right, words):
    with pytest.raises(ShapeError) as caught:
        run(np.ones(left), np.ones(right))
    for word in words:
        assert word in str(caught.value)
