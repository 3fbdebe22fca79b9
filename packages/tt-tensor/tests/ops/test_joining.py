"""Joining, splitting, padding and rearranging equal NumPy's."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, AxisError, DTypeError, ShapeError

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)
MODES = ["constant", "edge", "reflect", "symmetric", "wrap"]


def numbered(shape, dtype=np.float32):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def same(y, wanted):
    assert isinstance(y, tt.Tensor)
    np.testing.assert_array_equal(y.numpy(), wanted, strict=True)


def axis_of(data, x):
    return data.draw(st.integers(-x.ndim, x.ndim - 1))


@given(SHAPES, st.lists(st.integers(0, 3), min_size=1, max_size=3), st.data())
def test_concatenate_and_stack(shape, sizes, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    several = []
    for size in sizes:
        wanted = list(shape)
        wanted[axis] = size
        several.append(numbered(wanted))
    tensors = [tt.from_numpy(x) for x in several]
    for join in (tt.concatenate, tt.cat, tt.concat, np.concatenate):
        same(join(tensors, axis), np.concatenate(several, axis))
    same(tt.concatenate(tensors, None), np.concatenate(several, None))
    same(tt.concatenate([tensors[0], *several[1:]], axis), np.concatenate(several, axis))
    place = data.draw(st.integers(-len(shape) - 1, len(shape)))
    same(tt.stack([tensors[0]] * 3, place), np.stack([several[0]] * 3, place))
    same(np.stack([tensors[0]] * 2, axis=place), np.stack([several[0]] * 2, axis=place))


@given(SHAPES, st.data())
def test_splits_are_views_and_go_together_again(shape, data):
    x = numbered(shape)
    t, axis = tt.from_numpy(x), axis_of(data, x)
    size = x.shape[axis]
    cuts = sorted(data.draw(st.lists(st.integers(-1, size + 1), max_size=3)))
    parts = data.draw(st.integers(1, 5))
    pairs = [
        (t.split(cuts, axis), np.split(x, cuts, axis)),
        (tt.array_split(t, parts, axis), np.array_split(x, parts, axis)),
    ]
    if size % parts == 0:
        pairs.append((tt.split(t, parts, axis), np.split(x, parts, axis)))
    for found, wanted in pairs:
        assert len(found) == len(wanted)
        for y, w in zip(found, wanted, strict=True):
            same(y, w)
            assert y.size == 0 or y.shares_memory(t)
    chunks = t.chunk(parts, axis)
    same(tt.concatenate(chunks, axis), x)
    assert len({y.shape for y in chunks[:-1]}) <= 1
    assert len(chunks) <= parts
    rows = t.unbind(axis)
    assert len(rows) == size
    if rows:
        same(tt.stack(rows, axis), x)


def test_chunk_counts_as_pytorch():
    assert [y.shape[0] for y in tt.arange(5).chunk(4)] == [2, 2, 1]
    assert [y.shape[0] for y in tt.arange(6).chunk(4)] == [2, 2, 2]
    assert [y.shape[0] for y in tt.arange(7).chunk(3)] == [3, 3, 1]
    assert [y.shape[0] for y in tt.zeros(0).chunk(3)] == [0, 0, 0]


@given(SHAPES, st.sampled_from(MODES), st.data())
def test_pad(shape, mode, data):
    if mode != "constant":
        shape = tuple(max(size, 1) for size in shape)
    x = numbered(shape)
    widths = data.draw(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=x.ndim, max_size=x.ndim)
    )
    t = tt.from_numpy(x)
    same(t.pad(widths, mode), np.pad(x, widths, mode))
    same(np.pad(t, widths, mode=mode), np.pad(x, widths, mode))
    for width in (2, (1, 2), ((1, 0),), [[1]] * x.ndim):
        same(tt.pad(t, width, mode), np.pad(x, width, mode))
    if mode == "constant":
        same(t.pad(widths, constant_values=-1.5), np.pad(x, widths, constant_values=-1.5))
        same(t.pad(1, constant_values=(1, 2)), np.pad(x, 1, constant_values=(1, 2)))


@pytest.mark.parametrize("mode", MODES)
def test_pad_gradient_counts_every_copy(mode, tape):
    x = tt.ones(3)
    _, (dx,) = tape.gradients(lambda x: x.pad((2, 4), mode), [x], np.ones(9, np.float32))
    counts = np.bincount(np.pad(np.arange(1, 4), (2, 4), mode), minlength=4)[1:]
    np.testing.assert_array_equal(dx, counts.astype(np.float32), strict=True)


@given(SHAPES, st.data())
def test_flip_and_roll(shape, data):
    x = numbered(shape)
    t, axis = tt.from_numpy(x), axis_of(data, x)
    same(t.flip(), np.flip(x))
    same(t.flip(axis), np.flip(x, axis))
    same(np.flip(t, axis=axis), np.flip(x, axis))
    same(t.flip(tuple(range(x.ndim))), np.flip(x))
    assert x.size == 0 or t.flip(axis).shares_memory(t)
    shift = data.draw(st.integers(-6, 6))
    same(t.roll(shift), np.roll(x, shift))
    same(t.roll(shift, axis), np.roll(x, shift, axis))
    same(np.roll(t, shift, axis=axis), np.roll(x, shift, axis))
    same(t.roll((shift, 1), (axis, 0)), np.roll(x, (shift, 1), (axis, 0)))


@given(SHAPES, st.data())
def test_repeat_and_tile(shape, data):
    x = numbered(shape)
    t, axis = tt.from_numpy(x), axis_of(data, x)
    times = data.draw(st.integers(0, 3))
    same(t.repeat(times), np.repeat(x, times))
    same(t.repeat(times, axis), np.repeat(x, times, axis))
    counts = data.draw(st.lists(st.integers(0, 3), min_size=x.shape[axis], max_size=x.shape[axis]))
    same(t.repeat_interleave(counts, axis), np.repeat(x, np.array(counts, int), axis))
    same(np.repeat(t, np.array(counts, int), axis=axis), np.repeat(x, np.array(counts, int), axis))
    reps = data.draw(st.lists(st.integers(0, 3), max_size=4))
    same(t.tile(reps), np.tile(x, reps))
    same(tt.tile(t, *reps), np.tile(x, reps))


@pytest.mark.parametrize(
    ("shape", "reps"), [((2, 3), (1, 1)), ((2, 3), ()), ((), (2, 1)), ((1, 3), (4, 1)), ((3,), (2, 1))]
)
def test_tile_is_a_copy(shape, reps):
    x = tt.ones(shape)
    y = x.tile(reps)
    y[...] = 5.0
    assert (x.numpy() == 1).all()


@given(hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=4), st.integers(-5, 5))
def test_triangles(shape, k):
    x = numbered(shape) + 1
    t = tt.from_numpy(x)
    same(t.tril(k), np.tril(x, k))
    same(t.triu(k), np.triu(x, k))
    same(np.triu(t, k), np.triu(x, k))
    same(t.tril(k) + t.triu(k + 1), x)


def test_triangles_of_infinity_hold_no_nan():
    assert tt.full((2, 2), -np.inf).triu(1).tolist() == [[0, -np.inf], [0, 0]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "bool"])
def test_dtypes_are_kept_and_promoted(dtype):
    x = tt.ones(2, 2, dtype=dtype)
    for y in (
        tt.concatenate([x, x]), tt.stack([x, x]), x.pad(1), x.pad(1, "edge"), x.flip(), x.roll(1), x.repeat(2),
        x.tile(2), x.tril(), x.triu(), x.split(2)[0], x.chunk(2)[1], x.unbind()[0],
    ):  # fmt: skip
        assert y.dtype == dtype
    assert tt.concatenate([x, tt.ones(2, 2, dtype="float32")]).dtype == np.result_type(dtype, "float32")


def test_promoted_gradients_come_back_in_their_dtype(tape):
    x, y = tt.ones(2), tt.ones(2, dtype="float64")
    _, grads = tape.gradients(lambda x, y: tt.concatenate([x, y]), [x, y], np.arange(4.0))
    assert [g.dtype.name for g in grads] == ["float32", "float64"]
    _, (dx,) = tape.gradients(lambda x: tt.stack([x, x, x * 2]), [x], np.ones((3, 2), np.float32))
    assert dx.tolist() == [4, 4]


X = tt.zeros(2, 3)

WRONG = [
    ("concatenate shapes", lambda: tt.concatenate([X, tt.zeros(2, 4)]), ShapeError, r"\(2, 3\).*\(2, 4\)"),
    ("concatenate ranks", lambda: tt.concatenate([X, tt.zeros(3)]), ShapeError, r"\(2, 3\).*\(3,\)"),
    ("concatenate nothing", lambda: tt.concatenate([]), ShapeError, "nothing"),
    ("concatenate numbers", lambda: tt.concatenate([1.0, 2.0]), ShapeError, "out of range|zero-dimensional"),
    ("concatenate axis", lambda: tt.concatenate([X, X], 2), AxisError, "axis 2 is out of range"),
    ("concatenate no list", lambda: tt.concatenate(3.0), DTypeError, "list of tensors"),
    ("concatenate text", lambda: tt.concatenate(["a", "b"]), DTypeError, "no array of numbers|not supported"),
    ("stack shapes", lambda: tt.stack([X, tt.zeros(3, 2)]), ShapeError, r"\(2, 3\).*\(3, 2\)"),
    ("stack axis", lambda: tt.stack([X, X], 3), AxisError, "axis 3"),
    ("stack nothing", lambda: tt.stack(()), ShapeError, "nothing"),
    ("split uneven", lambda: X.split(2, 1), ShapeError, r"axis 1 of shape \(2, 3\) .* array_split"),
    ("split none", lambda: X.split(0), ArgumentError, "at least 1"),
    ("split float", lambda: X.split(1.5), DTypeError, "number of parts"),
    ("split axis", lambda: X.split(1, 2), AxisError, "axis 2"),
    ("chunk none", lambda: X.chunk(0), ArgumentError, "at least 1"),
    ("unbind axis", lambda: X.unbind(-3), AxisError, "-3"),
    ("pad negative", lambda: X.pad(-1), ArgumentError, "at least 0"),
    ("pad float", lambda: X.pad(0.5), ArgumentError, "integers"),
    ("pad mode", lambda: X.pad(1, "replicate"), ArgumentError, "'replicate' is not one of constant, edge"),
    ("pad widths", lambda: X.pad(((1, 1),) * 3), ShapeError, r"\(2, 3\)"),
    ("pad empty", lambda: tt.zeros(0, 3).pad(1, "wrap"), ShapeError, "Pad"),
    ("flip axis", lambda: X.flip(2), AxisError, "axis 2"),
    ("flip twice", lambda: X.flip((0, 0)), AxisError, "twice"),
    ("roll axis", lambda: X.roll(1, 4), AxisError, "axis 4"),
    ("roll shifts", lambda: X.roll((1, 2, 3), (0, 1)), ShapeError, "Roll"),
    ("repeat counts", lambda: X.repeat([1, 2], 1), ShapeError, r"2 counts for axis 1 of shape \(2, 3\)"),
    ("repeat negative", lambda: X.repeat(-1), ArgumentError, "at least 0"),
    ("repeat float", lambda: X.repeat(1.5), DTypeError, "integers"),
    ("repeat axis", lambda: X.repeat(2, 3), AxisError, "axis 3"),
    ("tile negative", lambda: X.tile(-2), ArgumentError, "at least 0"),
    ("tril", lambda: tt.zeros(3).tril(), ShapeError, "no matrix"),
    ("triu", lambda: tt.zeros(3).triu(), ShapeError, "no matrix"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), [p[1:] for p in WRONG], ids=[p[0] for p in WRONG])
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_stacks_of_rows_and_columns():
    for shapes in ([(), ()], [(3,), (2,)], [(2, 3), (2, 1)], [(2, 3, 1), (2, 1, 1)]):
        arrays = [numbered(shape) for shape in shapes]
        same(tt.hstack([tt.from_numpy(np.asarray(x)) for x in arrays]), np.hstack(arrays))
    for shapes in ([(), ()], [(3,), (2, 3)], [(2, 3), (1, 3)]):
        arrays = [numbered(shape) for shape in shapes]
        same(tt.vstack([tt.from_numpy(np.asarray(x)) for x in arrays]), np.vstack(arrays))
    with pytest.raises(ShapeError):
        tt.vstack([])


def test_pytorchs_ways_to_say_it():
    x = tt.from_numpy(numbered((3, 4)))
    same(x.flip(0, 1), numbered((3, 4))[::-1, ::-1])
    same(x.flip((0,)), numbered((3, 4))[::-1])
    same(tt.flip(x), numbered((3, 4))[::-1, ::-1])
    same(x.triu(diagonal=1), np.triu(numbered((3, 4)), 1))
    same(tt.tril(x, diagonal=-1), np.tril(numbered((3, 4)), -1))


@pytest.mark.parametrize("places", [[1.5], "float64", [None], [True]])
def test_places_to_cut_at_are_integers(places):
    with pytest.raises(ArgumentError, match="each index must be a whole number"):
        tt.split(tt.zeros(4), places)
