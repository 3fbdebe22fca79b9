"""NumPy's functions on Tensors: NumPy's values, and no gradient lost in silence."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_tensor as tt
from tt_tensor import numpy_protocol
from tt_tensor.errors import ArgumentError, AxisError, DTypeError, GradientError, IndexingError, ShapeError


def values(seed=0, shape=(3, 4)):
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape).astype(np.float32)


A, B = values(0), values(1)


def same(found, wanted):
    """`found` is a Tensor with exactly NumPy's values (or last bits of it) and dtype."""
    assert isinstance(found, tt.Tensor), type(found)
    assert found.dtype == np.asarray(wanted).dtype
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found.array, wanted, rtol=2e-6, atol=1e-7)


def inside(ufunc, x):
    """`x` moved to where the function is defined."""
    return x + 1 if ufunc is np.arccosh else x / 4 if ufunc in (np.arcsin, np.arccos, np.arctanh) else x


# --- the tables ------------------------------------------------------------------------------------------


def test_every_name_in_the_tables_is_an_operation():
    names = [*numpy_protocol.UFUNCS.values(), *numpy_protocol.REDUCE.values()]
    names += [rule.operation for rule in numpy_protocol.FUNCTIONS.values()]
    assert [name for name in names if not callable(getattr(tt, name, None))] == []


@pytest.mark.parametrize("ufunc", numpy_protocol.UFUNCS, ids=lambda ufunc: ufunc.__name__)
def test_ufunc_gives_numpys_values(ufunc):
    x, y = (values(2, (3, 3)), values(3, (3, 3))) if ufunc is np.matmul else (A, B)
    x = inside(ufunc, x)
    if ufunc.nin == 1:
        same(ufunc(tt.from_numpy(x)), ufunc(x))
    else:
        for left, right in [
            (tt.from_numpy(x), tt.from_numpy(y)),
            (x, tt.from_numpy(y)),
            (tt.from_numpy(x), y),
        ]:
            same(ufunc(left, right), ufunc(x, y))


@pytest.mark.parametrize("ufunc", numpy_protocol.UFUNCS, ids=lambda ufunc: ufunc.__name__)
def test_ufunc_is_recorded(ufunc, notes):
    x = tt.from_numpy(inside(ufunc, values(2, (3, 3)))).requires_grad_()
    out = ufunc(x) if ufunc.nin == 1 else ufunc(x, x)
    assert notes.names, "nothing was recorded"
    assert out.requires_grad


CALLS = {
    "sum": lambda x: np.sum(x),
    "sum axis": lambda x: np.sum(x, axis=0),
    "sum by position": lambda x: np.sum(x, 1),
    "sum keepdims": lambda x: np.sum(x, axis=1, keepdims=True),
    "sum a=": lambda x: np.sum(a=x, axis=-1),
    "sum dtype": lambda x: np.sum(x, dtype=np.float64),
    "sum dtype by position": lambda x: np.sum(x, 0, np.float64),
    "mean": lambda x: np.mean(x, axis=(0, 1)),
    "prod": lambda x: np.prod(x, axis=0),
    "max": lambda x: np.max(x, axis=1),
    "amax": lambda x: np.amax(x),
    "min": lambda x: np.min(x, 0, keepdims=True),
    "var": lambda x: np.var(x, axis=0, ddof=1),
    "var correction": lambda x: np.var(x, correction=1),
    "std": lambda x: np.std(x, axis=-1),
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "cumsum flat": lambda x: np.cumsum(x),
    "where": lambda x: np.where(x > 1, x, 0),
    "clip": lambda x: np.clip(x, 0.7, 1.2),
    "clip a_max": lambda x: np.clip(x, a_min=None, a_max=1.2),
    "clip a_min": lambda x: np.clip(x, 0.7, None),
    "dot": lambda x: np.dot(x, x.T),
    "outer": lambda x: np.outer(x, x),
    "tensordot": lambda x: np.tensordot(x, x, axes=((0, 1), (0, 1))),
    "linalg.matmul": lambda x: np.linalg.matmul(x, x.T),
    "linalg.norm": lambda x: np.linalg.norm(x),
    "linalg.norm axis": lambda x: np.linalg.norm(x, axis=1),
    "diagonal": lambda x: np.diagonal(x, 1),
    "trace": lambda x: np.trace(x),
    "round": lambda x: np.round(x, 1),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, x),
    "einsum optimize": lambda x: np.einsum("ij->j", x, optimize=True),
    "reshape": lambda x: np.reshape(x, (2, 6)),
    "reshape order C": lambda x: np.reshape(x, (2, -1), order="C"),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "transpose axes": lambda x: np.transpose(x, (0, 1)),
    "matrix_transpose": lambda x: np.matrix_transpose(x),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "squeeze": lambda x: np.squeeze(x[:1]),
    "squeeze axis": lambda x: np.squeeze(x[:1], axis=0),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "expand_dims axis=": lambda x: np.expand_dims(x, axis=(0, -1)),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)),
    "concatenate": lambda x: np.concatenate([x, x]),
    "concatenate axis": lambda x: np.concatenate((x, x), axis=1),
    "concatenate flat": lambda x: np.concatenate((x, x), None),
    "stack": lambda x: np.stack([x, x], axis=-1),
    "pad": lambda x: np.pad(x, 1),
    "pad value": lambda x: np.pad(x, ((0, 1), (2, 0)), "constant", constant_values=3),
    "flip": lambda x: np.flip(x),
    "flip axis": lambda x: np.flip(x, 0),
    "roll": lambda x: np.roll(x, 1),
    "roll axis": lambda x: np.roll(x, (1, 2), axis=(0, 1)),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "tile": lambda x: np.tile(x, (2, 1)),
    "tril": lambda x: np.tril(x),
    "triu": lambda x: np.triu(x, 1),
    "take": lambda x: np.take(x, [0, 2, 0], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[0], [1], [0]]), axis=1),
    "sort": lambda x: np.sort(x),
    "sort axis": lambda x: np.sort(x, axis=0, stable=True),
    "copy": lambda x: np.copy(x),
    "arctan2": lambda x: np.arctan2(x, x),
    "vstack": lambda x: np.vstack([x, x]),
    "hstack": lambda x: np.hstack([x, x]),
    "diag": lambda x: np.diag(x, 1),
    "diag of a vector": lambda x: np.diag(x[0], k=-1),
    "sinh": lambda x: np.sinh(x),
    "diff": lambda x: np.diff(x),
    "diff twice": lambda x: np.diff(x, 2, axis=0),
    "add.reduce": lambda x: np.add.reduce(x),
    "add.reduce axis": lambda x: np.add.reduce(x, 1),
    "add.reduce all": lambda x: np.add.reduce(x, None),
    "add.reduce by position": lambda x: np.add.reduce(x, 1, None, None, True),
    "multiply.reduce": lambda x: np.multiply.reduce(x, axis=(0, 1)),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1, keepdims=True),
    "minimum.reduce": lambda x: np.minimum.reduce(x),
    "add.accumulate": lambda x: np.add.accumulate(x, 1),
    "multiply.outer": lambda x: np.multiply.outer(x, x),
    "subtract.outer": lambda x: np.subtract.outer(np.arange(2, dtype=np.float32), x),
}
WITHOUT_GRADIENT = {
    "argmax": lambda x: np.argmax(x, axis=1),
    "argmin": lambda x: np.argmin(x),
    "any": lambda x: np.any(x > 1, axis=0),
    "all": lambda x: np.all(x > 0),
    "count_nonzero": lambda x: np.count_nonzero(x > 1, axis=0),
    "argsort": lambda x: np.argsort(x, axis=0),
    "zeros_like": lambda x: np.zeros_like(x),
    "ones_like": lambda x: np.ones_like(x, dtype=np.float64),
    "full_like": lambda x: np.full_like(x, 7),
    "full_like shape": lambda x: np.full_like(x, 7, shape=(2, 2)),
    "equal": lambda x: np.equal(x, x),
    "greater": lambda x: x.__class__ and np.greater(x, 1),
    "isnan": lambda x: np.isnan(x),
    "isfinite": lambda x: np.isfinite(x),
    "signbit": lambda x: np.signbit(x),
    "logical_and.reduce": lambda x: np.logical_and.reduce(x > 0, axis=1),
    "logical_or.reduce": lambda x: np.logical_or.reduce(x > 1),
    "isclose": lambda x: np.isclose(x, 1.0),
    "rint of integers": lambda x: np.rint(x.astype(np.int64)),
    "searchsorted": lambda x: np.searchsorted(np.arange(3.0), x),
}
NO_RULE = {
    "hypot casting": lambda x: np.hypot(x, x, casting="unsafe"),
    "cbrt": lambda x: np.cbrt(x),
    "add dtype": lambda x: np.add(x, x, dtype=np.float64),
    "exp dtype": lambda x: np.exp(x, dtype=np.float64),
    "sum initial": lambda x: np.sum(x, initial=5.0),
    "sum where": lambda x: np.sum(x, where=np.eye(3, 4, dtype=bool)),
    "max initial": lambda x: np.max(x, axis=0, initial=1.5),
    "reshape order": lambda x: np.reshape(x, (2, 6), order="F"),
    "concatenate dtype": lambda x: np.concatenate([x, x], dtype=np.float64),
    "norm ord": lambda x: np.linalg.norm(x, 1, axis=0),
    "percentile": lambda x: np.percentile(x, [10, 50], axis=1),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x, axis=0),
    "diff prepend": lambda x: np.diff(x, prepend=0.0),
    "vstack dtype": lambda x: np.vstack([x, x], dtype=np.float64),
    "select": lambda x: np.select([x > 1], [x], 0),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, axis=1),
    "add.reduceat": lambda x: np.add.reduceat(x, [0, 2], axis=1),
    "add.reduce initial": lambda x: np.add.reduce(x, initial=5.0),
    "pad mean": lambda x: np.pad(x, 1, "mean"),
    "pad ramp": lambda x: np.pad(x, ((1, 0), (0, 2)), mode="linear_ramp", end_values=3.0),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x),
}


@pytest.mark.parametrize("name", CALLS | WITHOUT_GRADIENT | NO_RULE)
def test_call_gives_numpys_values(name):
    call = (CALLS | WITHOUT_GRADIENT | NO_RULE)[name]
    same(call(tt.from_numpy(A.copy())), call(A))


@pytest.mark.parametrize("name", CALLS)
def test_call_keeps_the_gradient(name, notes):
    out = CALLS[name](tt.from_numpy(A.copy()).requires_grad_())
    assert out.requires_grad
    assert notes.names


@pytest.mark.parametrize("name", WITHOUT_GRADIENT)
def test_call_without_gradient_works_while_recording(name, notes):
    out = WITHOUT_GRADIENT[name](tt.from_numpy(A.copy()).requires_grad_())
    assert not out.requires_grad


@pytest.mark.parametrize("name", NO_RULE)
def test_call_without_a_rule_never_cuts_the_graph(name, notes):
    x = tt.from_numpy(A.copy())
    same(NO_RULE[name](x), NO_RULE[name](A))  # no gradient wanted: computed
    x.requires_grad = True
    with pytest.raises(GradientError, match=r"np\..*rule for a gradient"):
        NO_RULE[name](x)
    notes.paused = True  # no_grad
    same(NO_RULE[name](x), NO_RULE[name](A))


def test_split_gives_a_list_of_tensors(notes):
    x = tt.from_numpy(A.copy()).requires_grad_()
    for parts, wanted in [
        (np.split(x, 2, axis=1), np.split(A, 2, axis=1)),
        (np.array_split(x, 2), np.array_split(A, 2)),
    ]:
        assert isinstance(parts, list)
        for part, piece in zip(parts, wanted, strict=True):
            same(part, piece)
            assert part.requires_grad


# --- errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda t: np.hypot(t, np.ones(5)), ShapeError, r"np\.hypot.*\(3,4\) \(5,\)"),
        (lambda t: np.add(t, np.ones(5), dtype=np.float64), ShapeError, r"np\.add"),
        (lambda t: np.percentile(t, 101), ArgumentError, r"np\.percentile"),
        (lambda t: np.nanmedian(t, axis=7), AxisError, r"np\.nanmedian: axis 7"),
        (lambda t: np.sum(t, axis=7), AxisError, "axis 7"),
        (lambda t: np.compress([True] * 9, t, axis=0), IndexingError, r"np\.compress"),
        (lambda t: np.linalg.cholesky(t), np.linalg.LinAlgError, "square"),
        (lambda t: np.bitwise_count(t), DTypeError, "bitwise_count"),
        (lambda t: np.average(t, weights=np.zeros((3, 4))), ArgumentError, r"np\.average"),
        (lambda t: np.gcd(t.astype("uint8"), 300), ArgumentError, r"np\.gcd: .*300"),
        (lambda t: np.dstack([t, np.ones((2, 5))]), ArgumentError, r"np\.dstack"),
    ],
)
def test_errors_name_the_function(call, error, words):
    with pytest.raises(error, match=words):
        call(tt.from_numpy(A))


# --- laws ------------------------------------------------------------------------------------------------

ARRAYS = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    elements=st.floats(-10, 10, allow_subnormal=False),
)


@given(ARRAYS, st.data())
def test_reductions_equal_numpys(x, data):
    axis = data.draw(st.sampled_from([None, *range(-x.ndim, x.ndim)]))
    keepdims = data.draw(st.booleans())
    for function in (np.sum, np.mean, np.any, np.prod, np.var):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the mean of nothing
            wanted = function(x, axis=axis, keepdims=keepdims)
            found = function(tt.from_numpy(x), axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(found.array, wanted, rtol=1e-9, atol=1e-9)


@given(ARRAYS, ARRAYS)
def test_both_orders_equal_numpys(x, y):
    try:
        wanted = np.subtract(x, y)
    except ValueError:
        with pytest.raises(ShapeError):
            np.subtract(tt.from_numpy(x), y)
        with pytest.raises(ShapeError):
            np.subtract(x, tt.from_numpy(y))
        return
    np.testing.assert_array_equal(np.subtract(tt.from_numpy(x), y).array, wanted)
    np.testing.assert_array_equal(np.subtract(x, tt.from_numpy(y)).array, wanted)
