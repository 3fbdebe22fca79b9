"""Shapes and axes: NumPy's results, PyTorch's words, and views that move no byte."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, AxisError, DTypeError, GradientError, InPlaceError, ShapeError

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)


@st.composite
def arrays(draw, shapes=SHAPES):
    """float32 arrays in any memory order: row-major, column-major, reversed, with gaps."""
    shape = draw(shapes)
    x = np.arange(2 * int(np.prod(shape)), dtype=np.float32)[: int(np.prod(shape))].reshape(shape)
    kind = draw(st.sampled_from(["C", "F", "reversed", "gaps"]))
    if kind == "F":
        return np.asfortranarray(x)
    if kind == "reversed":
        return x[(*[slice(None, None, -1)] * x.ndim, ...)]
    if kind == "gaps" and x.ndim:
        return np.repeat(x, 2, axis=-1)[..., ::2]
    return x


def same(y, wanted):
    """Equal in value, shape and dtype."""
    assert isinstance(y, tt.Tensor)
    np.testing.assert_array_equal(y.numpy(), wanted, strict=True)


def is_view(y, x):
    return y.size == 0 or y.shares_memory(x)


@given(arrays(), st.data())
def test_transposes_are_numpys_and_views(x, data):
    t, ndim = tt.from_numpy(x), x.ndim
    order = data.draw(st.permutations(range(ndim)))
    order = [axis - ndim if data.draw(st.booleans()) else axis for axis in order]
    for y, wanted in [
        (t.T, x.T),
        (t.transpose(), x.T),
        (t.transpose(order), np.transpose(x, order)),
        (tt.transpose(t, axes=tuple(order)), np.transpose(x, order)),
        (t.permute(order), np.transpose(x, order)),
        (t.permute(*order), np.transpose(x, order)),
    ]:
        same(y, wanted)
        assert is_view(y, t)
    if ndim:
        a, b = data.draw(st.integers(-ndim, ndim - 1)), data.draw(st.integers(-ndim, ndim - 1))
        same(t.swapaxes(a, b), x.swapaxes(a, b))
        same(t.transpose(a, b), x.swapaxes(a, b))
        same(t.moveaxis(a, b), np.moveaxis(x, a, b))
        several = [axis % ndim for axis in order[: data.draw(st.integers(0, ndim))]]
        places = data.draw(st.permutations(range(ndim)))[: len(several)]
        same(tt.moveaxis(t, several, places), np.moveaxis(x, several, places))
    if ndim >= 2:
        same(t.mT, np.swapaxes(x, -1, -2))
        assert is_view(t.mT, t)


def test_two_separate_ints_swap_and_a_tuple_permutes():
    m, b = tt.arange(6).reshape(2, 3), tt.arange(24).reshape(2, 3, 4)
    assert m.transpose(0, 1).shape == (3, 2)  # PyTorch's; NumPy would leave it
    assert m.transpose((0, 1)).shape == (2, 3)
    assert m.transpose(1, 0).shape == (3, 2)
    assert m.t().shape == (3, 2)
    assert b.transpose(-2, -1).shape == (2, 4, 3)
    assert b.transpose(1, 2, 0).shape == (3, 4, 2)
    assert np.transpose(b, (1, 2, 0)).shape == (3, 4, 2)


@given(arrays(), st.data())
def test_squeeze_and_expand_dims_are_numpys_and_views(x, data):
    t = tt.from_numpy(x)
    same(t.squeeze(), x.squeeze())
    assert is_view(t.squeeze(), t)
    places = data.draw(st.lists(st.integers(0, x.ndim), min_size=1, max_size=2, unique=True))
    wanted = np.expand_dims(x, tuple(places))
    y = tt.expand_dims(t, tuple(places))
    same(y, wanted)
    assert is_view(y, t)
    same(y.squeeze(tuple(places)), x)
    place = data.draw(st.integers(-x.ndim - 1, x.ndim))
    same(t.unsqueeze(place), np.expand_dims(x, place))
    same(t.unsqueeze(place).squeeze(place), x)


@given(arrays(), st.data())
def test_flatten_joins_a_run_of_axes(x, data):
    t = tt.from_numpy(x)
    same(t.ravel(), x.reshape(-1))
    same(t.flatten(), x.reshape(-1))
    if x.ndim:
        start = data.draw(st.integers(0, x.ndim - 1))
        end = data.draw(st.integers(start, x.ndim - 1))
        sizes = x.shape[start : end + 1]
        wanted = x.reshape(*x.shape[:start], int(np.prod(sizes)), *x.shape[end + 1 :])
        same(t.flatten(start, end), wanted)
        same(t.flatten(start - x.ndim, end - x.ndim), wanted)
        same(t.flatten(start, end).unflatten(start, sizes), x)


@given(arrays(), st.data())
def test_view_is_reshape_without_a_copy_or_an_error(x, data):
    t = tt.from_numpy(x)
    sizes = [x.size] if data.draw(st.booleans()) else [*reversed(x.shape), 1]
    wanted = x.reshape(sizes)
    same(t.reshape(sizes), wanted)
    same(t.reshape(*sizes), wanted)
    if x.size == 0 or np.shares_memory(x, wanted):
        same(t.view(*sizes), wanted)
        assert is_view(t.view(sizes), t)
    else:
        with pytest.raises(ShapeError, match=r"reshape\(\).*contiguous\(\)"):
            t.view(*sizes)
    same(t.contiguous().view(*sizes), wanted)


def test_view_of_a_view_of_foreign_memory():
    x = tt.from_numpy(np.frombuffer(bytearray(24), np.float32))
    assert x[1:5].view(2, 2).shares_memory(x)
    assert x[1:5].reshape(2, 2).T.T.view(4).shares_memory(x)


def test_writes_into_a_view_show_and_count_in_both():
    x = tt.zeros(2, 3)
    y = x.reshape(3, 2)
    y[0, 1] = 7
    assert x.tolist() == [[0, 7, 0], [0, 0, 0]]
    assert x.version == y.version == x.T.version == 1
    copied = x.T.reshape(-1)
    assert not copied.shares_memory(x)
    assert copied.version == 0


def test_row_major_and_column_major():
    x = tt.zeros(2, 3)
    assert x.strides == (12, 4)
    assert x.T.strides == (4, 12)
    assert x.is_contiguous()
    assert not x.T.is_contiguous()
    assert x.T.is_contiguous("F")
    assert x.contiguous() is x
    assert x.T.contiguous().strides == (8, 4)
    assert x.T.clone().is_contiguous()


@given(hnp.mutually_broadcastable_shapes(num_shapes=1, max_dims=4, min_side=0, max_side=3))
def test_broadcast_to_is_numpys(found):
    (shape,), wanted = found.input_shapes, found.result_shape
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    y = tt.from_numpy(x).broadcast_to(wanted)
    same(y, np.broadcast_to(x, wanted))
    assert is_view(y, tt.from_numpy(x))
    keep = [-1 if axis >= len(wanted) - len(shape) else size for axis, size in enumerate(wanted)]
    same(tt.from_numpy(x).expand(*keep), np.broadcast_to(x, (*wanted[: len(wanted) - len(shape)], *shape)))


def test_a_broadcast_view_is_read_only():
    y = tt.ones(1, 3).expand(4, -1)
    assert y.nbytes == 48
    with pytest.raises(InPlaceError, match="clone"):
        y[0] = 2.0
    with pytest.raises(InPlaceError, match="clone"):
        y += 1.0


@pytest.mark.parametrize(
    ("method", "dtype"),
    [
        ("float", "float32"),
        ("double", "float64"),
        ("half", "float16"),
        ("long", "int64"),
        ("int", "int32"),
        ("bool", "bool"),
    ],
)
@pytest.mark.parametrize("source", ["float32", "float64", "int64", "bool"])
def test_casts(method, dtype, source):
    x = tt.tensor([0.0, 1.0, 1.75, -2.5]).astype(source)
    y = getattr(x, method)()
    same(y, x.numpy().astype(dtype))
    assert (y is x) == (source == dtype)
    same(x.to(dtype), x.numpy().astype(dtype))
    same(x.to(y), x.numpy().astype(dtype))
    copied = x.astype(dtype)
    same(copied, x.numpy().astype(dtype))
    assert not copied.shares_memory(x)


def test_gradients_of_casts(tape):
    x = tt.tensor([1.5, 2.0])
    _, (dx,) = tape.gradients(lambda x: x.double() * 2, [x], np.ones(2))
    np.testing.assert_array_equal(dx, np.full(2, 2, np.float32), strict=True)
    _, (dx,) = tape.gradients(lambda x: x.long().float() * 2, [x], np.ones(2, np.float32))
    np.testing.assert_array_equal(dx, np.zeros(2, np.float32), strict=True)
    with pytest.raises(GradientError, match="int64"):
        x.long().requires_grad = True


def test_clone_is_memory_of_its_own():
    x = tt.arange(6, dtype="float32").reshape(2, 3)
    for y in (x.clone(), x.copy(), tt.clone(x), np.copy(x)):
        same(y, x.numpy())
        assert not y.shares_memory(x)


@given(arrays())
def test_array_likes_are_taken_too(x):
    same(tt.swapaxes(x, 0, -1) if x.ndim else tt.transpose(x), x.swapaxes(0, -1) if x.ndim else x)
    same(tt.unsqueeze(x, 0), x[None])
    same(tt.flatten(x), x.reshape(-1))


def test_lists_and_numbers_are_taken_too():
    assert tt.transpose([[1, 2], [3, 4]]).tolist() == [[1, 3], [2, 4]]
    assert tt.unsqueeze(3.0, 0).shape == (1,)
    assert tt.squeeze([[1.5]]).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint8", "bool"])
def test_shapes_keep_the_dtype(dtype):
    x = tt.ones(2, 3, dtype=dtype)
    for y in (
        x.T,
        x.reshape(6),
        x.unsqueeze(0),
        x.expand(2, 2, 3),
        x.flatten(),
        x.clone(),
        x.mT,
        x.view(3, 2),
    ):
        assert y.dtype == dtype


X = tt.zeros(2, 3, 4)

WRONG = [
    ("reshape", lambda: X.reshape(5, 5), ShapeError, r"\(2, 3, 4\).*\(5,\s?5\)"),
    ("reshape two unknown", lambda: X.reshape(-1, -1), ShapeError, "unknown"),
    ("reshape float", lambda: X.reshape(2.5), DTypeError, "Reshape"),
    ("view", lambda: X.view(7), ShapeError, "24"),
    ("view of a transpose", lambda: X.T.view(-1), ShapeError, r"strides.*reshape\(\)"),
    ("transpose out of range", lambda: X.transpose(0, 3), AxisError, "axis 3 is out of range for 3 axes"),
    ("transpose twice", lambda: X.transpose(0, 1, 1), AxisError, "twice"),
    ("transpose too few", lambda: X.transpose((0, 1)), AxisError, r"\(2, 3, 4\).*swapaxes"),
    ("transpose float", lambda: X.transpose(0.0, 1), DTypeError, "axis is an integer"),
    (
        "permute too few",
        lambda: X.permute(0, 1),
        AxisError,
        r"\(0, 1\) does not name each of the 3 axes of shape \(2, 3, 4\)",
    ),
    ("swapaxes", lambda: X.swapaxes(0, -4), AxisError, "-4"),
    ("moveaxis", lambda: X.moveaxis((0, 1), (2,)), AxisError, "2 source axes"),
    ("mT of a vector", lambda: tt.zeros(3).mT, ShapeError, "no matrix"),
    ("t of a batch", lambda: X.t(), ShapeError, "use mT"),
    ("squeeze size", lambda: X.squeeze(1), ShapeError, "axis 1 .* has size 3"),
    ("squeeze range", lambda: X.squeeze(5), AxisError, "axis 5"),
    ("unsqueeze range", lambda: X.unsqueeze(5), AxisError, "axis 5 is out of range for 4"),
    ("expand_dims twice", lambda: X.expand_dims((0, 0)), AxisError, "twice"),
    ("flatten range", lambda: X.flatten(3), AxisError, "axis 3"),
    ("flatten order", lambda: X.flatten(2, 1), AxisError, "comes before"),
    ("flatten of a number", lambda: tt.tensor(1.0).flatten(1), AxisError, "axis 1"),
    ("unflatten", lambda: X.unflatten(2, (3, -1)), ShapeError, "do not make up axis 2"),
    ("broadcast_to", lambda: X.broadcast_to((2, 3, 5)), ShapeError, r"\(2,\s?3,\s?4\).*\(2,\s?3,\s?5\)"),
    ("expand new -1", lambda: X.expand(-1, 2, 3, 4), ShapeError, "keeps the size"),
    ("expand", lambda: X.expand(2, 3, 8), ShapeError, "BroadcastTo"),
    ("astype text", lambda: X.astype("text"), DTypeError, "astype: 'text' is not a dtype"),
    ("astype complex", lambda: X.astype("complex64"), DTypeError, "complex64 is not supported"),
    ("to a device", lambda: X.to("cpu"), DTypeError, "'cpu' is not a dtype"),
]


@pytest.mark.parametrize(("call", "error", "match"), [p[1:] for p in WRONG], ids=[p[0] for p in WRONG])
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("indexing", ["ij", "xy"])
@pytest.mark.parametrize("sizes", [(), (2,), (2, 3), (2, 0, 4)])
def test_meshgrid_is_numpys(indexing, sizes):
    vectors = [np.arange(size, dtype=np.float32) for size in sizes]
    grids = tt.meshgrid(*vectors, indexing=indexing)
    expected = np.meshgrid(*vectors, indexing=indexing)
    assert [grid.shape for grid in grids] == [wanted.shape for wanted in expected]
    for grid, wanted in zip(grids, expected, strict=True):
        np.testing.assert_array_equal(grid.numpy(), wanted)


def test_as_another_tensor():
    x, like = tt.arange(6), tt.zeros(4, 2, 3)
    assert x.view_as(like[0]).shape == (2, 3) and x.view_as(like[0]).shares_memory(x)
    assert x.view(2, 3).expand_as(like).shape == (4, 2, 3) and x.type_as(like).dtype == np.float32


def test_another_tensor_may_be_a_list():
    assert (
        tt.zeros(4).view_as([[0, 0], [0, 0]]).shape == tt.zeros(4).reshape_as(tt.zeros(2, 2)).shape == (2, 2)
    )
    assert tt.zeros(1).expand_as([0, 0]).shape == (2,)
    for call in (tt.zeros(4).view_as, tt.zeros(4).expand_as, tt.zeros(4).reshape_as):
        with pytest.raises(DTypeError):
            call(None)
    with pytest.raises(ArgumentError, match="sizes is a tuple"):
        tt.zeros(4).unflatten(0, 2)


def test_broadcast_tensors():
    x, y, z = tt.broadcast_tensors(tt.ones(2, 1), [1, 2, 3], 5.0)
    assert x.shape == y.shape == z.shape == (2, 3) and y.tolist() == [[1, 2, 3]] * 2
    with pytest.raises(ShapeError, match="broadcast_tensors"):
        tt.broadcast_tensors(tt.ones(2), tt.ones(3))


def test_axes_of_size_one_in_place():
    x = tt.ones(2, 3)
    memory = x.numpy()
    assert x.unsqueeze_(0) is x
    assert x.shape == (1, 2, 3)
    assert np.shares_memory(x.numpy(), memory)
    assert x.squeeze_().shape == (2, 3)
    assert x.unsqueeze_(-1).squeeze_(-1).shape == (2, 3)
    with pytest.raises(ShapeError, match="only size 1 can go"):
        x.squeeze_(0)
    with pytest.raises(InPlaceError, match=r"write y = x\.unsqueeze"):
        tt.ones(2, requires_grad=True).unsqueeze_(0)
