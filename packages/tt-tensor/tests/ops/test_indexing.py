"""Indexing reads and writes what NumPy's does; views count writes together; repeated indices add up."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor import memory
from tt_tensor.errors import (
    ArgumentError,
    AxisError,
    DTypeError,
    IndexingError,
    InPlaceError,
    ShapeError,
)
from tt_tensor.ops.indexing import GetItem, SetItem

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
FILLED = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


def numbered(shape, dtype=np.float32):
    return np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(dtype)


def same(y, wanted):
    assert isinstance(y, tt.Tensor)
    np.testing.assert_array_equal(y.numpy(), wanted, strict=True)


@st.composite
def mixtures(draw, shape):
    """An index of ints, slices, None, Ellipsis, masks and integer arrays that broadcast, for `shape`."""
    count = draw(st.integers(0, 2))
    common = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    parts, axis, masked = [], 0, False
    while axis < len(shape):
        size = shape[axis]
        kind = draw(st.sampled_from(["int", "slice", "none", "array", "list", "mask", "stop"]))
        if kind == "stop":
            break
        if kind == "none":
            if count:
                parts.append(None)
                count -= 1
            continue
        if kind == "int":
            parts.append(draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            parts.append(draw(st.slices(size)))
        elif kind == "array":
            parts.append(draw(hnp.arrays(np.int64, common, elements=st.integers(-size, size - 1))))
        elif kind == "list":
            parts.append(draw(st.lists(st.integers(-size, size - 1), min_size=1, max_size=1)))
        elif not masked:
            # As many True as the arrays are long is rare: one True broadcasts against them.
            mask = np.zeros(size, bool)
            mask[draw(st.integers(0, size - 1))] = True
            parts.append(mask)
            masked = True
        else:
            continue
        axis += 1
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))) if axis == len(shape) else len(parts), ...)
    return tuple(parts)


@st.composite
def indexed(draw):
    shape = draw(FILLED)
    return numbered(shape), draw(mixtures(shape))


def as_tensors(index):
    """The same index with Tensors for arrays."""
    return tuple(tt.tensor(part) if isinstance(part, np.ndarray) else part for part in index)


@given(indexed())
def test_any_mixture_reads_as_numpy(case):
    x, index = case
    t = tt.from_numpy(x)
    wanted = np.asarray(x[index])
    same(t[index], wanted)
    same(t[as_tensors(index)], wanted)
    if len(index) == 1:
        same(t[index[0]], wanted)


@given(indexed())
def test_any_mixture_sends_each_gradient_back_to_where_it_was_read(case):
    x, index = case
    function = GetItem(index)
    y = function(tt.from_numpy(x))
    grad = np.arange(1, 1 + y.size, dtype=np.float32).reshape(y.shape)
    (dx,) = function.gradients(grad)
    wanted = np.zeros_like(x)
    np.add.at(wanted, index, grad)
    np.testing.assert_array_equal(dx, wanted, strict=True)


@given(indexed(), st.booleans())
def test_any_mixture_writes_as_numpy(case, scalar):
    x, index = case
    t, wanted = tt.tensor(x), x.copy()
    value = (
        np.float32(-1) if scalar else -np.ones(x[index].shape, np.float32).cumsum().reshape(x[index].shape)
    )
    wanted[index] = value
    t[as_tensors(index)] = tt.tensor(value) if value.ndim else -1.0
    same(t, wanted)
    assert t.version == 1


@given(SHAPES, st.data())
def test_basic_indices_are_views_with_one_version(shape, data):
    x = numbered(shape)
    t = tt.from_numpy(x)
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    y = t[index]
    same(y, np.asarray(x[index]))
    if y.size:
        assert y.shares_memory(t)
        y[...] = -1.0
        assert t.version == y.version == 1
        assert (np.asarray(x[index]) == -1).all()


@given(FILLED, st.data())
def test_integer_arrays_and_masks_are_copies(shape, data):
    x = numbered(shape)
    t = tt.from_numpy(x)
    index = data.draw(hnp.integer_array_indices(shape))
    mask = data.draw(hnp.arrays(bool, shape))
    for key in (index, mask, (mask[0],) if mask.ndim > 1 and mask[0].shape == shape[:-1] else mask):
        y = t[key]
        same(y, np.asarray(x[key]))
        assert not y.shares_memory(t)
    t[mask] = 0.0
    assert (x[mask] == 0).all()


def test_one_element_is_a_view_too():
    x = tt.zeros(2, 3)
    one = x[1, 2]
    assert one.shape == ()
    one[...] = 4.0
    assert x.tolist() == [[0, 0, 0], [0, 0, 4]]
    assert x[tt.tensor(1)].shares_memory(x)  # a tensor of shape () is an int
    assert x[np.int64(1)].shares_memory(x)


def test_bool_is_a_mask_and_no_integer():
    x = tt.arange(3)
    same(x[True], np.arange(3)[True])
    same(x[False], np.arange(3)[False])
    same(x[[True, False, True]], np.array([0, 2]))


def test_ranges_empty_lists_and_small_integers_index():
    x = tt.arange(5)
    same(x[range(1, 4)], np.arange(1, 4))
    same(x[[]], np.arange(0))
    for dtype in ("int8", "uint8", "uint64"):
        same(x[tt.tensor([3, 0], dtype=dtype)], np.array([3, 0]))
    same(x[tt.tensor(1) : tt.tensor(3)], np.array([1, 2]))
    same(x[[tt.tensor(1), tt.tensor(4)]], np.array([1, 4]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "bool"])
def test_indexing_keeps_the_dtype(dtype):
    x = tt.ones(3, 4, dtype=dtype)
    ids = tt.tensor([[0, 1]])
    for y in (
        x[0], x[:, 1], x[[0, 0]], x[x.numpy() == 1], x.gather(ids, 0), x.take([1, 2]), x.take_along_axis(ids, 1),
        x.index_select(0, [1]), x.narrow(0, 1, 2), x.masked_fill(x.numpy() == 1, dtype == "bool"),
    ):  # fmt: skip
        assert y.dtype == dtype
    x[0] = 0
    assert x.dtype == dtype


def test_float32_stays_beside_float64_values():
    x = tt.zeros(3)
    x[0] = np.float64(1.5)
    assert x.masked_fill([True, False, False], np.float64(-1e9)).dtype == np.float32
    assert x.dtype == np.float32
    assert x[0].item() == 1.5


def test_values_are_cast_as_numpy_casts_them():
    x = tt.zeros(3, dtype="int64")
    x[0] = 1.9
    x[1:] = tt.tensor([2.5, -2.5])
    assert x.tolist() == [1, 2, -2]


def test_overlapping_writes():
    x = tt.arange(6)
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 3, 4]


def test_gradients_of_a_write(tape):
    def run(x, value):
        y = x * 2
        y[1:] = value
        return y * y

    x, value = tt.tensor([1.0, 2.0, 3.0]), tt.tensor(5.0)
    y, (dx, dvalue) = tape.gradients(run, [x, value], np.ones(3, np.float32))
    assert y.tolist() == [4, 25, 25]
    assert dx.tolist() == [8, 0, 0]  # 2 · (2x) · 2
    assert dvalue.tolist() == 20


def test_of_repeated_writes_the_last_one_gets_the_gradient():
    x, value = tt.zeros(3), tt.tensor([1.0, 2.0, 3.0, 4.0])
    function = SetItem([0, 2, 0, 2])
    function.in_place(x, value)
    assert x.tolist() == [3, 0, 4]
    dx, dvalue = function.gradients(np.array([10, 20, 30], np.float32))
    assert dx.tolist() == [0, 20, 0]
    assert dvalue.tolist() == [0, 0, 10, 30]


@pytest.mark.parametrize(
    ("read", "times"),
    [
        (lambda x: x[[0, 0, 2]], [2, 0, 1]),
        (lambda x: x[::-1], [1, 1, 1]),
        (lambda x: x.take_along_axis([1, 1], 0), [0, 2, 0]),
        (lambda x: x.sort(), [1, 1, 1]),
        (lambda x: x.topk(2).values, [1, 0, 1]),
        (lambda x: x.pad(1, "edge"), [2, 1, 2]),
        (lambda x: x.repeat([1, 0, 2]), [1, 0, 2]),
        (lambda x: tt.zeros(3).scatter_add(0, [0, 0, 0], x).tile(1) * 0 + x, [1, 1, 1]),
    ],
)
def test_second_derivatives(read, times, tape):
    def slope(x):
        def cubes(x):
            y = read(x)
            return y * y * y

        ones = tt.ones(*read(x).shape)
        return tape.gradients(cubes, [x], ones, create_graph=True)[1][0]

    x = tt.tensor([3.0, 1.0, 2.0])
    y, (dx,) = tape.gradients(slope, [x], np.ones(3, np.float32))
    np.testing.assert_allclose(y.numpy(), 3 * x.numpy() ** 2 * times, rtol=1e-6)
    np.testing.assert_allclose(dx, 6 * x.numpy() * times, rtol=1e-6)


def test_second_derivatives_through_a_write(tape):
    def slope(x, value):
        def run(x, value):
            y = x * 1
            y[[0, 2, 0]] = value * value
            return y * y

        return tape.gradients(run, [x, value], tt.ones(3), create_graph=True)[1][1]

    value = tt.tensor([2.0, 3.0, 4.0])
    y, (_, dvalue) = tape.gradients(slope, [tt.ones(3), value], np.ones(3, np.float32))
    assert y.tolist() == [0, 4 * 27, 4 * 64]  # d(v⁴) = 4v³; the first was overwritten by the last
    assert dvalue.tolist() == [0, 12 * 9, 12 * 16]


def test_a_write_is_recorded_as_in_place(tape):
    x = tt.zeros(3)
    tape.gradients(lambda x: x.__setitem__(0, 1.0) or x, [x], np.ones(3, np.float32))
    ((function, (target, value), output),) = tape.steps
    assert type(function) is SetItem
    assert target is output is x
    assert value == 1.0


def test_what_was_read_may_be_overwritten_afterwards():
    x = tt.ones(4, 3)
    ids = tt.tensor([0, 0, 2])
    function = GetItem(ids)
    function(x)
    x[...] = 7.0
    assert function.gradients(np.ones((3, 3), np.float32))[0].sum() == 9
    ids[0] = 1
    with pytest.raises(InPlaceError, match="GetItem needs its saved value `index`"):
        function.gradients(np.ones((3, 3), np.float32))


def test_a_write_that_fails_leaves_no_trace():
    x = tt.arange(6, dtype="float32").reshape(2, 3)
    before = memory.clock
    for index, value in [(0, [1, 2]), ((0, 9), 1.0), (([0, 5], 1), [1.0, 2.0]), ("a", 1.0), (0, "text")]:
        with pytest.raises((ShapeError, IndexingError, DTypeError)):
            x[index] = value
    same(x, np.arange(6, dtype=np.float32).reshape(2, 3))
    assert memory.clock == before


@given(FILLED, st.data())
def test_take_along_axis_is_numpys(shape, data):
    x = numbered(shape)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    size = x.shape[axis]
    wanted = [data.draw(st.sampled_from([1, s])) for s in shape]
    wanted[axis] = data.draw(st.integers(0, 4))
    ids = data.draw(hnp.arrays(np.int64, tuple(wanted), elements=st.integers(-size, size - 1)))
    t = tt.from_numpy(x)
    same(t.take_along_axis(tt.tensor(ids), axis), np.take_along_axis(x, ids, axis))
    same(np.take_along_axis(t, ids, axis=axis), np.take_along_axis(x, ids, axis))
    flat = ids.reshape(-1) % x.size
    same(tt.take_along_axis(t, flat, None), np.take_along_axis(x, flat, None))
    same(t.take(ids, axis), np.take(x, ids, axis))
    same(t.take(flat), np.take(x, flat))
    one = t.take(0, axis)
    same(one, np.take(x, 0, axis))
    assert not one.shares_memory(t)
    same(np.take(t, ids, axis=axis), np.take(x, ids, axis))


@given(FILLED, st.data())
def test_gather_and_scatter_add_are_their_loops(shape, data):
    x = numbered(shape)
    axis = data.draw(st.integers(0, x.ndim - 1))
    sizes = [data.draw(st.integers(0, s)) for s in shape]
    sizes[axis] = data.draw(st.integers(0, 5))
    ids = data.draw(hnp.arrays(np.int64, tuple(sizes), elements=st.integers(0, shape[axis] - 1)))
    src = numbered([size + data.draw(st.integers(0, 1)) for size in sizes])
    gathered, added = np.zeros(sizes, np.float32), x.copy()
    for at in np.ndindex(*sizes):
        place = (*at[:axis], ids[at], *at[axis + 1 :])
        gathered[at] = x[place]
        added[place] += src[at]
    t, index = tt.tensor(x), tt.tensor(ids)
    same(t.gather(axis, index), gathered)
    same(tt.gather(t, index, axis=axis - x.ndim), gathered)
    same(t.scatter_add(axis, index, tt.tensor(src)), added)
    same(tt.scatter_add(t, index, src, axis - x.ndim), added)
    same(t, x)
    assert t.scatter_add_(axis, index, tt.tensor(src)) is t
    same(t, added)


def test_masks():
    x = tt.arange(6, dtype="float32").reshape(2, 3)
    mask = x > 2.5
    same(x.masked_select(mask), np.array([3, 4, 5], np.float32))
    same(x.masked_select([[True], [False]]), np.array([0, 1, 2], np.float32))
    same(x.masked_fill(mask, -1), np.where(mask.numpy(), np.float32(-1), x.numpy()))
    assert x.masked_fill_(mask, -np.inf) is x
    assert x.tolist() == [[0, 1, 2], [-np.inf] * 3]


def test_nonzero_is_numpys_and_argwhere_the_matrix():
    x = np.array([[0, 2, 0], [1, 0, 3]])
    for found, wanted in zip(tt.nonzero(x), np.nonzero(x), strict=True):
        same(found, wanted)
    same(tt.tensor(x)[tt.tensor(x).nonzero()], np.array([2, 1, 3]))
    same(tt.argwhere(x), np.argwhere(x))


def test_rows_of_a_table_add_up_quickly_and_exactly():
    rng = np.random.default_rng(0)
    table, ids = tt.zeros(50, 8), rng.integers(-50, 50, (40, 10))
    function = GetItem(ids)
    grad = rng.normal(size=function(table).shape).astype(np.float32)
    wanted = np.zeros((50, 8))
    np.add.at(wanted, ids, grad)
    np.testing.assert_allclose(function.gradients(grad)[0], wanted, rtol=1e-4, atol=1e-5)


X = tt.zeros(2, 3)

WRONG = [
    ("int", lambda: X[2], IndexingError, "index 2 is out of bounds for axis 0 with size 2"),
    ("pair", lambda: X[0, -4], IndexingError, "-4"),
    ("list", lambda: X[[0, 2]], IndexingError, "GetItem of .2, 3. float32: index 2 is out of bounds"),
    ("too many", lambda: X[0, 0, 0], IndexingError, "too many indices"),
    ("number's element", lambda: tt.tensor(1.0)[0], IndexingError, "too many indices"),
    ("two ellipses", lambda: X[..., ...], IndexingError, "single ellipsis"),
    ("float", lambda: X[1.0], IndexingError, "1.0 of type float does not index"),
    ("float list", lambda: X[[0.0]], IndexingError, "float32 does not index"),
    ("float tensor", lambda: X[tt.zeros(2)], IndexingError, r"float32 does not index; use astype\('int64'\)"),
    ("text", lambda: X["a"], IndexingError, "'a' of type str"),
    ("list of text", lambda: X[["a"]], IndexingError, "integers or booleans"),
    ("ragged list", lambda: X[[[0], [0, 1]]], IndexingError, "ragged"),
    ("step 0", lambda: X[::0], IndexingError, "step"),
    ("float slice", lambda: X[0.5:], DTypeError, "slice indices"),
    ("mask shape", lambda: X[[True, False, True]], IndexingError, "boolean index did not match"),
    ("lists", lambda: X[[0, 1], [0, 1, 2]], IndexingError, r"shape mismatch|could not be broadcast"),
    (
        "set shape",
        lambda: X.__setitem__(0, tt.zeros(2)),
        ShapeError,
        r"\(2, 3\): a value of shape \(2,\) .* \(3,\)",
    ),
    (
        "set mask",
        lambda: X.__setitem__(X.numpy() > 0, tt.zeros(2)),
        ShapeError,
        "value of shape|cannot assign",
    ),
    ("set index", lambda: X.__setitem__(5, 1.0), IndexingError, "setitem into shape .2, 3.: index 5"),
    ("set step 0", lambda: X.__setitem__(slice(None, None, 0), 1.0), IndexingError, "step"),
    ("set text", lambda: X.__setitem__(0, "a"), DTypeError, "setitem"),
    ("set NaN", lambda: tt.zeros(2, dtype="int64").__setitem__(0, np.nan), DTypeError, "NaN"),
    ("set -1", lambda: tt.zeros(2, dtype="uint8").__setitem__(0, -1), ArgumentError, "uint8.*-1"),
    ("set inf", lambda: tt.zeros(2, dtype="int64").__setitem__(0, np.inf), ArgumentError, "int64.*infinity"),
    ("set both", lambda: tt.zeros(1).__setitem__([[0], [1]], tt.zeros(4, 0)), IndexingError, "index 1 is"),
    ("gather range", lambda: X.gather(1, [[3]]), IndexingError, "index 3 is out of bounds"),
    ("gather ranks", lambda: X.gather(1, [0]), ShapeError, r"\(1,\) does not fit into shape \(2, 3\)"),
    ("gather size", lambda: X.gather(1, [[0]] * 3), ShapeError, r"\(3, 1\) does not fit"),
    ("gather axis", lambda: X.gather(2, [[0]]), AxisError, "axis 2"),
    ("gather float", lambda: X.gather(1, tt.zeros(1, 1)), IndexingError, "gather.*float32"),
    ("gather mask", lambda: X.gather(1, [[True]]), IndexingError, "integers, not bool"),
    ("take_along_axis", lambda: X.take_along_axis([0], 1), ShapeError, r"\(1,\) have 1 axes"),
    (
        "scatter range",
        lambda: X.scatter_add(1, [[3]], [[1.0]]),
        IndexingError,
        "ScatterAdd.*index 3 is out of range",
    ),
    ("scatter low", lambda: X.scatter_add(0, [[-3]], [[1.0]]), IndexingError, "index -3"),
    ("scatter src", lambda: X.scatter_add(1, [[0, 1]], [[1.0]]), ShapeError, r"src of shape \(1, 1\)"),
    ("scatter size", lambda: X.scatter_add(1, [[0]] * 3, tt.zeros(3, 1)), ShapeError, r"\(3, 1\)"),
    ("scatter number", lambda: X.scatter_add(1, [[0]], 1.0), ShapeError, "src"),
    ("take", lambda: X.take(6), IndexingError, "6"),
    ("take axis", lambda: X.take(0, 2), AxisError, "axis 2"),
    ("index_select", lambda: X.index_select(0, [[0]]), ShapeError, "one axis, not 2"),
    ("narrow", lambda: X.narrow(1, 2, 2), IndexingError, "beyond axis 1"),
    ("narrow from text", lambda: X.narrow(1, "a", 2), ArgumentError, "start must be a whole number"),
    ("masked_fill mask", lambda: X.masked_fill(X, 0.0), DTypeError, "mask is bool, not float32"),
    ("masked_fill kind", lambda: tt.arange(2).masked_fill([True, False], -np.inf), DTypeError, "int64"),
    ("masked_fill shape", lambda: X.masked_fill([True, False], 0.0), ShapeError, "MaskedFill"),
    ("masked_fill_ shape", lambda: tt.zeros(3).masked_fill_([[True], [False]], 0.0), ShapeError, "in place"),
    ("masked_select", lambda: X.masked_select([True, False]), ShapeError, r"\(2,\) does not fit"),
    ("nonzero", lambda: tt.tensor(1.0).nonzero(), ShapeError, "no axis"),
]


@pytest.mark.parametrize(("call", "error", "match"), [p[1:] for p in WRONG], ids=[p[0] for p in WRONG])
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_scatter_writes_what_scatter_add_adds():
    x, index = tt.zeros(2, 4), tt.tensor([[3, 0], [1, 2]])
    src = tt.tensor([[1.0, 2.0, 9.0], [3.0, 4.0, 9.0]])  # what the index does not reach is not written
    assert x.scatter(1, index, src).tolist() == [[2, 0, 0, 1], [0, 3, 4, 0]]
    assert (
        x.scatter(index, 1, axis=1).tolist()
        == x.scatter(1, index, 1).tolist()
        == [[1, 0, 0, 1], [0, 1, 1, 0]]
    )
    assert x.scatter_(1, index, 5.0) is x and x.version == 1 and x.sum() == 20
    # One-hot labels, as many programs make them; and an index named twice keeps the last value.
    assert tt.zeros(2, 3).scatter_(1, tt.tensor([2, 0])[:, None], 1).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert tt.zeros(3).scatter(tt.tensor([1, 1]), tt.tensor([1.0, 2.0])).tolist() == [0, 2, 0]


def test_scatter_of_a_number_by_name():
    index = tt.tensor([[0], [2]])
    wanted = [[7.0, 0.0, 0.0], [0.0, 0.0, 7.0]]
    assert tt.zeros(2, 3).scatter(1, index, value=7).tolist() == wanted
    assert tt.zeros(2, 3).scatter_(1, index, value=7.0).tolist() == wanted
    assert tt.zeros(2, 3).scatter_(index, axis=1, value=7).tolist() == wanted
    with pytest.raises(DTypeError):
        tt.zeros(2, 3).scatter(1, index)  # not the 0 that the axis is by default


def test_windows(tape):
    x = np.arange(24.0).reshape(2, 4, 3)
    for axis, size, step in ((1, 2, 1), (1, 2, 2), (-1, 3, 1), (0, 1, 5), (1, 4, 3), (-2, 0, 2)):
        every = (*[slice(None)] * (axis % 3), slice(None, None, step))
        wanted = (
            np.lib.stride_tricks.sliding_window_view(x, size, axis)[every] if size else np.zeros((2, 3, 3, 0))
        )
        np.testing.assert_array_equal(tt.unfold(x, axis, size, step).numpy(), wanted, strict=True)
    _, (dx,) = tape.gradients(lambda x: x.unfold(0, 2, 1), [tt.zeros(4)], np.ones((3, 2), np.float32))
    assert dx.tolist() == [1, 2, 2, 1]  # as often as a window shows it
    for call in (
        lambda: tt.unfold(x, 1, 5, 1),
        lambda: tt.unfold(x, 1, 2, 0),
        lambda: tt.unfold(x, 1, 1.5, 1),
    ):
        with pytest.raises(ArgumentError, match="unfold"):
            call()


def test_positions_as_pytorchs_matrix():
    x = tt.tensor([[0, 1], [2, 3]])
    assert x.nonzero(as_tuple=False).tolist() == x.argwhere().tolist() == [[0, 1], [1, 0], [1, 1]]
    assert [part.tolist() for part in tt.nonzero(x, as_tuple=True)] == [[0, 1, 1], [1, 0, 1]]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("key", [0, (0, 1), (slice(None), 1), ([1, 0], 2)])
def test_a_single_value_fits_whatever_its_shape(shape, key, tape):
    """As out[i] = model(x[i]) with one output: an element takes a tensor of shape (1,), too."""
    x, value = tt.zeros(2, 3, dtype="float64"), tt.full(shape, 5.0, dtype="float64")
    x[key] = value
    wanted = np.zeros((2, 3))
    wanted[key] = 5
    np.testing.assert_array_equal(x.numpy(), wanted, strict=True)

    def write(x, value):
        y = x * 1
        y[key] = value
        return y

    _, (dx, dvalue) = tape.gradients(write, [x, value], np.ones((2, 3)))
    np.testing.assert_array_equal(dx, wanted != 5)
    assert dvalue.sum() == (wanted == 5).sum() and dvalue.shape in (
        shape,
        (1,) * len(shape) + np.shape(wanted[key]),
    )


def test_slices_by_number():
    x = tt.arange(12).reshape(3, 4).float()
    assert x.select(1, -1).tolist() == [3, 7, 11]
    assert np.shares_memory(x.select(0, 1).numpy(), x.numpy())
    assert x.index_fill(1, [0, 2], -1.0).tolist()[1] == [-1, 5, -1, 7]
    copied = x.index_copy(0, [2, 0], [[1.0] * 4, [2.0] * 4])
    assert copied.tolist() == [[2] * 4, [4, 5, 6, 7], [1] * 4]
    assert x.sum().item() == 66
    assert x.index_fill_(0, [1], 0.0) is x
    assert x.tolist()[1] == [0] * 4
    assert x.index_copy_(1, 0, [[7.0], [8.0], [9.0]]).select(1, 0).tolist() == [7, 8, 9]


def test_gradients_of_slices_by_number(tape):
    x, src = tt.ones(3, 2), tt.ones(2, 2)
    grad = tt.arange(6).reshape(3, 2).float()
    dx, dsrc = tape.gradients(lambda x, src: x.index_copy(0, [2, 0], src), [x, src], grad)[1]
    assert dx.tolist() == [[0, 0], [2, 3], [0, 0]]
    assert dsrc.tolist() == [[4, 5], [0, 1]]
    (dx,) = tape.gradients(lambda x: x.index_fill(1, [1], 5.0), [x], grad)[1]
    assert dx.tolist() == [[0, 0], [2, 0], [4, 0]]


def test_slices_that_are_not_there():
    x = tt.ones(3, 4)
    with pytest.raises(AxisError, match="select: axis 2"):
        x.select(2, 0)
    with pytest.raises(IndexingError):
        x.select(0, 3)
    with pytest.raises(IndexingError):
        x.index_fill(0, [3], 0.0)
    with pytest.raises(ShapeError, match=r"take src of shape \(2, 4\), not \(4,\)"):
        x.index_copy(0, [0, 1], tt.ones(4))
    with pytest.raises(ShapeError, match="one axis, not 2"):
        x.index_fill(0, [[0]], 0.0)
