"""Reductions: NumPy's values, dtypes and shapes over any axes; PyTorch's ties; typed errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, AxisError, DTypeError, ShapeError
from tt_tensor.ops.reductions import Max, Mean, Min, Sum

SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)
SAME = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "any": np.any, "all": np.all}


@st.composite
def arrays_and_axes(draw, shapes=SHAPES):
    shape = draw(shapes)
    x = np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape)
    layout = draw(st.sampled_from(["C", "transposed", "reversed"]))
    x = (
        x.T
        if layout == "transposed"
        else x[tuple(slice(None, None, -1) for _ in shape)]
        if layout == "reversed"
        else x
    )
    axis = None
    if x.ndim and draw(st.booleans()):
        axes = draw(st.lists(st.sampled_from(range(x.ndim)), unique=True))
        axis = tuple(draw(st.sampled_from([one, one - x.ndim])) for one in axes)
        axis = axis[0] if len(axis) == 1 and draw(st.booleans()) else axis
    return x, axis


@given(
    arrays_and_axes(),
    st.sampled_from(sorted(SAME)),
    st.booleans(),
    st.sampled_from(["float32", "float64", "int64", "uint8", "bool"]),
)
def test_values_shapes_and_dtypes_are_numpys(case, name, keepdims, dtype):
    x, axis = case
    x = np.asarray(np.abs(x) if dtype == "uint8" else x).astype(dtype)
    t = tt.from_numpy(x)
    try:
        wanted = np.asarray(SAME[name](x, axis=axis, keepdims=keepdims))
    except ValueError:
        with pytest.raises(ShapeError, match=f"{name.capitalize()} of"):
            getattr(tt, name)(t, axis, keepdims)
        return
    for found in (
        getattr(tt, name)(t, axis, keepdims),
        getattr(t, name)(axis=axis, keepdims=keepdims),
        SAME[name](t, axis=axis, keepdims=keepdims),
        getattr(tt, name)(x, axis, keepdims),
    ):
        assert isinstance(found, tt.Tensor)
        np.testing.assert_allclose(found.numpy(), wanted, 1e-5, strict=True)


@given(arrays_and_axes(st.lists(st.integers(1, 3), max_size=4).map(tuple)), st.booleans())
def test_mean(case, keepdims):
    x, axis = case
    for dtype in ("float64", "float32", "float16", "int64", "bool"):
        wanted = np.asarray(np.mean(x.astype(dtype), axis=axis, keepdims=keepdims))
        found = tt.mean(x.astype(dtype), axis, keepdims)
        np.testing.assert_allclose(
            found.numpy(), wanted, 1e-2 if dtype == "float16" else 1e-5, 1e-6, strict=True
        )


@given(arrays_and_axes(st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)))
def test_the_gradient_of_a_sum_is_one_everywhere(case):
    x, axis = case
    for function, each in ((Sum(axis), 1.0), (Mean(axis), None)):
        y = function(tt.from_numpy(x))
        (dx,) = function.gradients(np.ones(y.shape))
        np.testing.assert_allclose(dx, np.full(x.shape, each or y.size / x.size), strict=True)


@pytest.mark.parametrize("size", [1000, 100_000])
def test_a_gradient_is_not_the_memory_it_was_made_from(size):
    function = Sum(0)
    function(tt.zeros(size // 10, 10))
    grad = np.arange(10, dtype=np.float32)
    (dx,) = function.gradients(grad)
    np.testing.assert_array_equal(dx, np.broadcast_to(grad, (size // 10, 10)))
    assert not (dx.flags.writeable and np.shares_memory(dx, grad))


def test_dtype_says_what_to_sum_in():
    x = tt.full((4,), 0.1)
    assert x.sum(dtype=tt.float64).dtype == np.float64
    assert x.mean(dtype="float64").dtype == np.float64
    assert x.prod(dtype=np.float64).dtype == np.float64
    assert np.sum(x, dtype=np.float64).dtype == np.float64
    half = tt.from_numpy(np.full(4096, 1.0, np.float16))
    assert half.mean().item() == 1.0
    assert half.mean().dtype == np.float16
    assert tt.from_numpy(np.full(4096, 100.0, np.float16)).mean().item() == 100.0  # the sum would be infinite
    assert tt.Tensor([True, True]).sum().dtype == np.int64
    assert tt.Tensor([1, 2], dtype="uint8").sum().dtype == np.uint64
    assert tt.Tensor([1, 2]).mean().dtype == np.float64
    with pytest.raises(DTypeError, match="floating"):
        tt.ones(3).mean(dtype=int)
    with pytest.raises(DTypeError, match="complex"):
        tt.ones(3).sum(dtype=complex)


def test_the_gradient_of_a_wider_sum_comes_back_narrow():
    function = Sum(dtype="float64")
    y = function(tt.ones(3))
    (dx,) = function.gradients(np.ones((), y.dtype))
    assert dx.dtype == np.float32


def test_nothing():
    empty = tt.zeros(0, 3)
    assert empty.sum().item() == 0
    assert empty.prod(0).tolist() == [1, 1, 1]
    assert np.isnan(empty.mean(0).numpy()).all()
    assert empty.mean().dtype == np.float32
    assert empty.mean(1).shape == (0,)
    assert empty.max(1).shape == (0,)
    assert not empty.any().item()
    assert empty.all().item()
    for name in ("max", "min"):
        with pytest.raises(ShapeError, match=r"\(0, 3\)"):
            getattr(empty, name)(0)
    for name in ("argmax", "argmin"):
        assert getattr(empty, name)(1).shape == (0,)
        for axis in (0, None):
            with pytest.raises(ShapeError, match="no elements"):
                getattr(empty, name)(axis)


TIES = np.array([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]])


@pytest.mark.parametrize(
    ("make", "dx"),
    [
        (lambda: Max(1), [[1, 0, 0], [1, 0, 0]]),
        (lambda: Max(-1, True), [[1, 0, 0], [1, 0, 0]]),
        (lambda: Min(1), [[0, 1, 0], [1, 0, 0]]),
        (lambda: Max((1,)), [[0.5, 0, 0.5], [1 / 3] * 3]),
        (lambda: Min((0, 1)), [[0, 1, 0], [0, 0, 0]]),
        (lambda: Max(), [[0.5, 0, 0.5], [0, 0, 0]]),
        (lambda: Max(()), [[1, 1, 1], [1, 1, 1]]),
    ],
)
def test_ties(make, dx):
    function = make()
    y = function(tt.from_numpy(TIES))
    np.testing.assert_allclose(function.gradients(np.ones(y.shape))[0], np.array(dx, float), strict=True)


def test_the_winner_is_the_one_that_argmax_names():
    x = np.random.default_rng(0).integers(0, 3, (5, 6, 4)).astype(np.float64)
    for axis in range(3):
        for function, index in ((Max(axis), tt.argmax(x, axis)), (Min(axis), tt.argmin(x, axis))):
            y = function(tt.from_numpy(x))
            (dx,) = function.gradients(np.ones(y.shape))
            np.testing.assert_array_equal(np.argmax(dx, axis), index.numpy())
            np.testing.assert_array_equal(dx.sum(axis), np.ones(y.shape))


def test_nan_is_the_largest_and_the_smallest_and_takes_the_gradient():
    x = tt.Tensor([[1.0, np.nan, 3.0]])
    for make in (Max, Min):
        for axis in (None, 1):
            function = make(axis)
            y = function(x)
            assert np.isnan(y.numpy()).all()
            np.testing.assert_array_equal(function.gradients(np.ones(y.shape, np.float32))[0], [[0, 1, 0]])
    assert x.argmax().item() == x.argmin().item() == 1


@given(arrays_and_axes(st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)), st.booleans())
def test_argmax_and_argmin(case, keepdims):
    x, axis = case
    axis = axis if isinstance(axis, int) else None
    for name in ("argmax", "argmin"):
        wanted = np.asarray(getattr(np, name)(x, axis, keepdims=keepdims))
        np.testing.assert_array_equal(getattr(tt, name)(x, axis, keepdims).numpy(), wanted, strict=True)
        np.testing.assert_array_equal(
            getattr(np, name)(tt.from_numpy(x), axis=axis).shape, np.argmax(x, axis).shape
        )


@given(arrays_and_axes())
def test_count_nonzero(case):
    x, axis = np.round(case[0]), case[1]
    np.testing.assert_array_equal(tt.count_nonzero(x, axis).numpy(), np.count_nonzero(x, axis))
    assert tt.count_nonzero(x, axis).dtype == np.int64


def test_second_derivatives_of_a_product_with_zeros(tape):
    for values in ([2.0, 0.0, 3.0, 4.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 5.0], [1.0, 2.0, 3.0, 4.0, 5.0]):
        x = tt.from_numpy(np.array(values))
        wanted = [
            [
                0.0 if i == j else np.prod([v for k, v in enumerate(values) if k not in (i, j)])
                for j in range(x.size)
            ]
            for i in range(x.size)
        ]

        def first(x):
            return tape.gradients(lambda x: x.prod(), [x], tt.ones((), dtype="float64"), create_graph=True)[
                1
            ][0]

        hessian = [tape.gradients(first, [x], row)[1][0] for row in np.eye(x.size)]
        np.testing.assert_allclose(hessian, wanted)


def test_second_derivatives_of_a_mean_of_squares(tape):
    x = tt.from_numpy(np.array([1.0, 2.0, 4.0]))

    def first(x):
        run = lambda x: (x * x).mean()  # noqa: E731
        return tape.gradients(run, [x], tt.ones((), dtype="float64"), create_graph=True)[1][0]

    _, (dx,) = tape.gradients(first, [x], np.array([1.0, 10.0, 100.0]))
    np.testing.assert_allclose(dx, np.array([1.0, 10.0, 100.0]) * 2 / 3)


@pytest.mark.parametrize(
    "name", ["sum", "mean", "prod", "max", "min", "any", "all", "count_nonzero", "argmax", "argmin"]
)
@pytest.mark.parametrize(
    ("axis", "error", "words"),
    [
        (2, AxisError, "axis 2 is out of range for 2 axes"),
        (-3, AxisError, "axis -3 is out of range"),
        (1.0, DTypeError, "an axis is an integer, not 1.0"),
        ("rows", DTypeError, "'rows'"),
        (True, DTypeError, "True"),
    ],
)
def test_wrong_axes(name, axis, error, words):
    with pytest.raises(error, match=words) as caught:
        getattr(tt.ones(2, 3), name)(axis)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "any", "all"])
def test_more_wrong_arguments(name):
    x = tt.ones(2, 3)
    with pytest.raises(AxisError, match="twice"):
        getattr(x, name)((0, -2))
    with pytest.raises(AxisError, match="single number"):
        getattr(x[0, 0], name)(0)
    if name not in ("any", "all"):
        with pytest.raises(ArgumentError, match="keepdims"):
            getattr(x, name)(0, np.float32)  # NumPy has dtype in this place
    with pytest.raises(DTypeError):
        getattr(tt, name)("text")
    for wrong in (lambda: x.argmax((0, 1)), lambda: x.argmin([0])):
        with pytest.raises(DTypeError, match="one axis"):
            wrong()


@pytest.mark.parametrize("name", ["sum", "mean", "max", "any", "all", "count_nonzero", "argmax", "argmin"])
@pytest.mark.parametrize("keepdims", [None, "yes", (0, 1)])
def test_keepdims_is_true_or_false(name, keepdims):
    with pytest.raises(ArgumentError, match=f"{name}: keepdims is True or False"):
        getattr(tt.ones(2, 3), name)(0, keepdims=keepdims)
