"""Order: NumPy's, NaN last, equal elements in their order; values carry gradients, positions do not."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, AxisError, DTypeError

ELEMENTS = st.sampled_from([0.0, -0.0, 1.0, 1.0, 2.5, -3.0, np.inf, -np.inf, np.nan])
ARRAYS = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5), elements=ELEMENTS
)


def same(y, wanted):
    assert isinstance(y, tt.Tensor)
    np.testing.assert_array_equal(y.numpy(), wanted, strict=True)


def best_first(row, largest):
    """The positions in order by definition: NaN is the largest, equal ones as they stand."""
    sign = -1 if largest else 1

    def key(i):
        is_nan = row[i] != row[i]
        return sign * is_nan, 0 if is_nan else sign * row[i]

    return sorted(range(len(row)), key=key)


@given(ARRAYS, st.data())
def test_sort_and_argsort_are_numpys(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    t = tt.from_numpy(x)
    same(t.sort(axis), np.sort(x, axis))
    same(tt.sort(t, None), np.sort(x, None))
    order = t.argsort(axis)
    same(order, np.argsort(x, axis, kind="stable"))
    same(t.argsort(None), np.argsort(x, None, kind="stable"))
    same(t.take_along_axis(order, axis), np.sort(x, axis))
    same(t.sort(axis, stable=False), np.sort(x, axis))
    assert order.dtype == np.int64
    assert not t.sort(axis).shares_memory(t)


@given(ARRAYS, st.data())
def test_descending_is_stable_with_nan_first(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    t = tt.from_numpy(x)
    wanted = np.apply_along_axis(best_first, axis, x, True) if x.size else np.zeros(x.shape, np.int64)
    same(t.argsort(axis, descending=True), wanted.astype(np.int64))
    same(t.sort(axis, descending=True), np.take_along_axis(x, wanted.astype(np.int64), axis))
    same(t.sort(axis, descending=True, stable=False), np.flip(np.sort(x, axis), axis))


@given(ARRAYS, st.booleans(), st.integers(1, 40), st.data())
def test_topk_is_the_front_of_the_order(x, largest, times, data):
    # Repeated, so that both ways of choosing are taken: a full sort of few, a partition of many.
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    x = np.concatenate([x] * times, axis)
    k = data.draw(st.integers(0, x.shape[axis]))
    t = tt.from_numpy(x)
    order = t.argsort(axis, descending=largest).numpy().take(range(k), axis)
    values, indices = t.topk(k, axis, largest)
    same(indices, order)
    same(values, np.take_along_axis(x, order, axis))
    found = tt.topk(t, k, axis, largest, sorted=False)
    same(found.indices.sort(axis), np.sort(order, axis))
    same(found.values, np.take_along_axis(x, found.indices.numpy(), axis))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64", "bool"])
def test_dtypes(dtype):
    x = tt.tensor([1, 0, 1, 0] * 40, dtype=dtype)
    for largest in (True, False):
        values, indices = x.topk(3, largest=largest)
        assert values.dtype == x.sort(descending=largest).dtype == dtype
        assert values.tolist() == [largest] * 3
        assert indices.tolist() == ([0, 2, 4] if largest else [1, 3, 5])
        assert indices.dtype == np.int64


def test_gradients_go_where_the_values_came_from(tape):
    x = tt.tensor([[3.0, 1.0, 2.0], [1.0, 1.0, 0.0]])
    grad = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    _, (dx,) = tape.gradients(lambda x: x.sort(), [x], grad)
    assert dx.tolist() == [[3, 1, 2], [5, 6, 4]]
    _, (dx,) = tape.gradients(lambda x: x.topk(1).values, [x], grad[:, :1])
    assert dx.tolist() == [[1, 0, 0], [4, 0, 0]]


@given(
    hnp.arrays(
        np.int64, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=5), elements=st.integers(0, 3)
    )
)
def test_unique_is_numpys(x):
    same(tt.unique(x), np.unique(x))
    found = tt.tensor(x).unique(return_index=True, return_inverse=True, return_counts=True)
    for y, wanted in zip(found, np.unique(x, True, True, True), strict=True):
        same(y, wanted)
    if x.ndim == 2 and x.shape[1]:
        same(tt.unique(x, axis=-2), np.unique(x, axis=0))


X = tt.zeros(2, 3)

WRONG = [
    ("sort axis", lambda: X.sort(2), AxisError, "sort: axis 2 is out of range"),
    ("sort of a number", lambda: tt.tensor(1.0).sort(), AxisError, "no axis"),
    ("sort float axis", lambda: X.sort(0.5), DTypeError, "axis is an integer"),
    ("argsort axis", lambda: X.argsort(-3), AxisError, "argsort: axis -3"),
    ("argsort of a number", lambda: tt.argsort(1.0), AxisError, "no axis"),
    (
        "topk k",
        lambda: X.topk(4),
        ArgumentError,
        r"k is an integer from 0 to 3, .* axis 1 of shape \(2, 3\), not 4",
    ),
    ("topk negative", lambda: X.topk(-1), ArgumentError, "not -1"),
    ("topk float", lambda: X.topk(1.5), ArgumentError, "not 1.5"),
    ("topk axis", lambda: X.topk(1, 2), AxisError, "topk: axis 2"),
    ("topk of a number", lambda: tt.tensor(1.0).topk(1), AxisError, "no axis"),
    ("unique axis", lambda: X.unique(axis=2), AxisError, "unique: axis 2"),
]


@pytest.mark.parametrize(("call", "error", "match"), [p[1:] for p in WRONG], ids=[p[0] for p in WRONG])
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()
