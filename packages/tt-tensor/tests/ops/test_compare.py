"""Comparisons and choices: NumPy's values, PyTorch's gradients, no NaN from what was not chosen."""

import itertools
import operator
from unittest.mock import ANY

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tt_tensor as tt
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.ops import compare

COMPARISONS = {
    "equal": (np.equal, operator.eq, "eq"),
    "not_equal": (np.not_equal, operator.ne, "ne"),
    "less": (np.less, operator.lt, "lt"),
    "less_equal": (np.less_equal, operator.le, "le"),
    "greater": (np.greater, operator.gt, "gt"),
    "greater_equal": (np.greater_equal, operator.ge, "ge"),
}
DTYPES = ["float16", "float32", "float64", "int8", "int64", "uint8", "bool"]
VALUES = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 2.0]
SHAPES = [shape for rank in range(5) for shape in itertools.product((0, 1, 3), repeat=rank)]


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_numpys(name):
    ufunc, op, short = COMPARISONS[name]
    x, y = np.array(VALUES, np.float32), np.array(VALUES, np.float64)[:, None]
    wanted = ufunc(x, y)
    calls = [
        op(Tensor(x), Tensor(y)), op(Tensor(x), y), op(x, Tensor(y)), getattr(tt, name)(x, y), getattr(tt, short)(x, y),
        getattr(Tensor(x), short)(y), ufunc(Tensor(x), y),
    ]  # fmt: skip
    calls += [getattr(Tensor(x), name)(y)] if name != "equal" else []  # PyTorch's method gives one bool
    for found in calls:
        assert type(found) is Tensor
        np.testing.assert_array_equal(found.numpy(), wanted, strict=True)


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_scalars_on_either_side(name, dtype):
    ufunc, op, _ = COMPARISONS[name]
    x = np.array([0, 1, 3]).astype(dtype)
    for scalar in (1, 1.0, True, 0.5, -1, 300, np.float64(1), np.int64(3), np.float32(0)):
        np.testing.assert_array_equal(op(Tensor(x), scalar).numpy(), op(x, scalar), strict=True)
        np.testing.assert_array_equal(op(scalar, Tensor(x)).numpy(), op(scalar, x), strict=True)
    assert op(Tensor(2.0), 2).shape == ()
    assert getattr(tt, name)(1, 2).tolist() == bool(ufunc(1, 2))


@pytest.mark.parametrize("name", ["equal", "greater"])
def test_every_pair_of_shapes(name):
    ufunc, op, _ = COMPARISONS[name]
    rng = np.random.default_rng(0)
    pool = {shape: rng.integers(0, 2, shape) for shape in SHAPES}
    for a, b in itertools.product(SHAPES, repeat=2):
        try:
            wanted = ufunc(pool[a], pool[b])
        except ValueError:
            with pytest.raises(ShapeError):
                op(Tensor(pool[a]), Tensor(pool[b]))
            continue
        np.testing.assert_array_equal(op(Tensor(pool[a]), Tensor(pool[b])).numpy(), wanted, strict=True)


def test_what_is_no_array_is_never_equal():
    x = Tensor([1.0])
    for other in (None, "a", {}, object(), 1j, Ellipsis):
        assert (x == other) is False
        assert (other == x) is False
        assert (x != other) is True
    assert x == ANY
    assert x in [x]
    assert {x: 1}[x] == 1
    assert hash(x) != hash(Tensor([1.0]))


@pytest.mark.parametrize("op", [operator.lt, operator.le, operator.gt, operator.ge])
def test_what_is_no_array_has_no_order(op):
    for other in (None, "a", {}, 1j):
        with pytest.raises(DTypeError):
            op(Tensor([1.0]), other)
    with pytest.raises(ShapeError, match=r"\(2,\) float32, \(3,\) int64"):
        op(Tensor([1.0, 2.0]), Tensor([1, 2, 3]))


def test_comparisons_have_no_gradient():
    x = Tensor([1.0]).requires_grad_()
    assert not any(op(x, 0).requires_grad for _, op, _ in COMPARISONS.values())


@pytest.mark.parametrize(("name", "ufunc"), [("maximum", np.maximum), ("minimum", np.minimum)])
class TestExtremes:
    def test_values(self, name, ufunc):
        x, y = np.array(VALUES, np.float32), np.array(VALUES, np.float32)[:, None]
        for found in (getattr(tt, name)(Tensor(x), y), getattr(Tensor(x), name)(y), ufunc(x, Tensor(y))):
            assert type(found) is Tensor
            np.testing.assert_array_equal(found.numpy(), ufunc(x, y), strict=True)
        assert getattr(tt, name)(Tensor(x), 0).dtype == np.float32
        assert getattr(tt, name)(0.5, Tensor(x)).dtype == np.float32
        assert getattr(tt, name)(Tensor([1, 2]), 2).dtype == np.int64

    def test_every_pair_of_shapes(self, name, ufunc):
        rng = np.random.default_rng(0)
        pool = {shape: rng.integers(0, 3, shape).astype(np.float32) for shape in SHAPES}  # with ties
        for a, b in itertools.product(SHAPES, repeat=2):
            function = getattr(compare, name.capitalize())()
            try:
                shape = np.broadcast_shapes(a, b)
            except ValueError:
                with pytest.raises(ShapeError):
                    function(Tensor(pool[a]), Tensor(pool[b]))
                continue
            z = function(Tensor(pool[a]), Tensor(pool[b]))
            np.testing.assert_array_equal(z.numpy(), ufunc(pool[a], pool[b]), strict=True)
            dx, dy = function.gradients(np.ones(shape, np.float32))
            assert (dx.shape, dy.shape) == (a, b)
            assert dx.dtype == dy.dtype == np.float32
            assert dx.sum() + dy.sum() == np.prod(shape)  # whoever wins, nothing is lost

    def test_ties_are_shared_and_nan_takes_all(self, name, ufunc):
        function = getattr(compare, name.capitalize())()
        function(Tensor([2.0, 0.0, np.nan, 1.0]), Tensor([2.0, -0.0, 1.0, np.nan]))
        dx, dy = function.gradients(np.array([4, 4, 4, np.inf], np.float32))
        np.testing.assert_array_equal(dx, [2, 2, 4, np.inf])
        np.testing.assert_array_equal(dy, [2, 2, 4, np.inf])


class TestWhere:
    @given(
        arrays.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, min_side=0, max_side=3),
        st.integers(0, 99),
    )
    def test_values_and_gradients(self, shapes, seed):
        rng = np.random.default_rng(seed)
        c, a, b = shapes.input_shapes
        mask, x, y = (
            rng.random(c) < 0.5,
            rng.normal(size=a).astype(np.float32),
            rng.normal(size=b).astype(np.float32),
        )
        function = compare.Where()
        z = function(Tensor(mask), Tensor(x), Tensor(y))
        np.testing.assert_array_equal(z.numpy(), np.where(mask, x, y), strict=True)
        grad = np.ones(z.shape, np.float32)
        nothing, dx, dy = function.gradients(grad)
        assert nothing is None
        assert (dx.shape, dy.shape) == (a, b)
        stretched = np.broadcast_to(mask, z.shape)
        assert dx.sum() == stretched.sum()
        assert dy.sum() == (~stretched).sum()

    def test_dtypes(self):
        c = Tensor([True, False])
        for x, y, dtype in [
            (Tensor([1.0, 2.0]), 0, "float32"), (Tensor([1.0, 2.0]), -np.inf, "float32"), (1.5, 0.0, "float32"),
            (1.5, 0, "float32"), (1, 0, "int64"), (True, False, "bool"), (Tensor([1, 2]), 0, "int64"),
            (Tensor([1, 2]), 0.5, "float64"), (Tensor([1.0, 2.0]), np.float64(0), "float64"),
        ]:  # fmt: skip
            assert tt.where(c, x, y).dtype == dtype
            assert tt.where(c, y, x).dtype == dtype
            large = tt.where(np.resize([True, False], 5000), x if np.ndim(x) == 0 else x[0], y)
            assert large.dtype == dtype

    def test_no_nan_leaks_from_what_was_not_chosen(self):
        function = compare.Where()
        function(np.array([True, False]), Tensor([0.0, 4.0]), Tensor([np.nan, np.inf]))
        np.testing.assert_array_equal(
            function.gradients(np.array([np.inf, np.nan], np.float32))[1], [np.inf, 0]
        )

    def test_conditions(self):
        x = Tensor([1.0, 2.0, 3.0])
        for condition in ([True, False, True], [1, 0, 2], np.array([0.5, 0, np.nan]), Tensor([1, 0, 1])):
            np.testing.assert_array_equal(tt.where(condition, x, 0).numpy(), [1, 0, 3])
        np.testing.assert_array_equal(np.where(x > 1, x, 0.0).numpy(), [0, 2, 3])
        np.testing.assert_array_equal(x.where(x > 1, -x).numpy(), [-1, 2, 3])
        np.testing.assert_array_equal(tt.where(True, x, 0).numpy(), x.numpy())

    def test_indices(self):
        x = Tensor([[0.0, 2.0], [3.0, 0.0]])
        for rows, columns in (tt.where(x), np.where(x), tt.where(x > 0)):
            assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])
            assert rows.dtype == np.int64
        assert x[tt.where(x > 2)].tolist() == [3]

    def test_errors(self):
        x = Tensor([1.0, 2.0])
        with pytest.raises(ArgumentError, match="both"):
            tt.where(x > 0, x)
        with pytest.raises(ShapeError, match="Where"):
            tt.where([True, False, True], x, 0)
        with pytest.raises(DTypeError):
            tt.where(["a", "b"], x, 0)
        with pytest.raises(DTypeError):
            tt.where(x > 0, x, "a")

    def test_masked_fill(self):
        x = Tensor([[1.0, 2.0], [3.0, 4.0]])
        y = x.masked_fill([True, False], -np.inf)
        assert y.tolist() == [[-np.inf, 2], [-np.inf, 4]]
        assert y.dtype == np.float32


class TestClip:
    @given(
        arrays.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, min_side=0, max_side=3),
        st.integers(0, 99),
    )
    def test_values_and_gradients(self, shapes, seed):
        rng = np.random.default_rng(seed)
        x, low, high = (rng.integers(-2, 3, shape).astype(np.float32) for shape in shapes.input_shapes)
        function = compare.Clip()
        z = function(Tensor(x), Tensor(low), Tensor(high))
        np.testing.assert_array_equal(z.numpy(), np.minimum(np.maximum(x, low), high), strict=True)
        grads = function.gradients(np.ones(z.shape, np.float32))
        assert [g.shape for g in grads] == [x.shape, low.shape, high.shape]

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_dtypes_and_names(self, dtype):
        x = np.array([0, 1, 3, 5]).astype(dtype)
        low, high = (False, True) if dtype == "bool" else (1, 3)
        wanted = np.clip(x, low, high)
        t = Tensor(x)
        for found in (
            tt.clip(t, low, high), tt.clamp(t, low, high), t.clip(low, high), t.clamp(min=low, max=high),
            tt.clip(t, a_min=low, a_max=high), np.clip(t, low, high), np.clip(t, a_min=low, a_max=high),
        ):  # fmt: skip
            np.testing.assert_array_equal(found.numpy(), wanted, strict=True)
        np.testing.assert_array_equal(t.clip(low).numpy(), np.maximum(x, wanted.dtype.type(low)), strict=True)
        np.testing.assert_array_equal(
            t.clip(max=high).numpy(), np.minimum(x, wanted.dtype.type(high)), strict=True
        )

    def test_gradient_at_the_bounds_and_of_nan(self):
        function = compare.Clip()
        function(Tensor([-1.0, -2.0, 1.0, 2.0, np.nan, 0.0]), -1.0, 1.0)
        dx, low, high = function.gradients(np.full(6, 3, np.float32))
        np.testing.assert_array_equal(dx, [3, 0, 3, 0, 0, 3])
        assert low is None
        assert high is None

    def test_errors(self):
        x = Tensor([1.0, 2.0])
        for call, error in [
            (lambda: x.clip(), ArgumentError),
            (lambda: tt.clip(x, None, None), ArgumentError),
            (lambda: tt.clip(x, 1, a_min=1), ArgumentError),
            (lambda: tt.clip(x, None, 1, a_max=1), ArgumentError),
            (lambda: x.clip([0, 0, 0]), ShapeError),
            (lambda: x.clip("a"), DTypeError),
            (lambda: tt.clip("a", 0, 1), DTypeError),
        ]:
            with pytest.raises(error):
                call()


def test_isclose_and_allclose():
    x = Tensor([1.0, np.nan, np.inf, 0.0])
    y = np.array([1.0 + 1e-6, np.nan, np.inf, 1e-7])
    for found in (tt.isclose(x, y), x.isclose(y)):
        assert found.tolist() == [True, False, True, False]
    assert tt.isclose(x, y, equal_nan=True, atol=1e-6).tolist() == [True, True, True, True]
    assert tt.allclose(x, y) is False
    assert x.allclose(y, atol=1e-6, equal_nan=True) is True
    assert tt.allclose([], []) is True
    assert tt.isclose(100.0, Tensor([101.0]), rtol=0.02).tolist() == [True]
    with pytest.raises(ShapeError, match="isclose"):
        tt.isclose(x, [1.0, 2.0])
    with pytest.raises(DTypeError):
        tt.allclose(x, "a")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_relu(dtype):
    x = tt.tensor(np.array([-2, 0, 3], dtype))
    assert x.relu().dtype == dtype and x.relu().tolist() == tt.relu(x).tolist() == [0, 0, 3]
    assert np.isnan(tt.relu(tt.tensor([np.nan])).item())


def test_one_bound():
    x = Tensor([-2.0, 0.5, 3.0])
    assert tt.clamp_min(x, 0).tolist() == x.clamp_min(0).tolist() == [0.0, 0.5, 3.0]
    assert tt.clamp_max(x, 0).tolist() == x.clamp_max(0).tolist() == [-2.0, 0.0, 0.0]


def test_relu_of_a_list():
    assert tt.relu([-1.0, 2.0]).tolist() == [0.0, 2.0]
    with pytest.raises(DTypeError):
        tt.relu(None)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_nan_to_num_is_numpys(dtype, tape):
    x = np.array([1, 2], dtype) if dtype == "int32" else np.array([np.nan, np.inf, -np.inf, 1.5], dtype)
    np.testing.assert_array_equal(tt.nan_to_num(x).numpy(), np.nan_to_num(x), strict=True)
    np.testing.assert_array_equal(
        tt.from_numpy(x).nan_to_num(1, 2, 3).numpy(), np.nan_to_num(x, True, 1, 2, 3)
    )
    if dtype != "int32":
        _, (dx,) = tape.gradients(tt.nan_to_num, [tt.from_numpy(x)], np.ones(4, dtype))
        assert dx.tolist() == [0, 0, 0, 1]
