"""Tensors among NumPy's arrays: mixed operands, out=, what comes back, np.asarray."""

import io

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor import memory
from tt_tensor.errors import DTypeError, GradientError, InPlaceError


def values(seed=0, shape=(3, 4)):
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape).astype(np.float32)


A, B = values(0), values(1)


def same(found, wanted):
    """`found` is a Tensor with exactly NumPy's values (or last bits of it) and dtype."""
    assert isinstance(found, tt.Tensor), type(found)
    assert found.dtype == np.asarray(wanted).dtype
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found.array, wanted, rtol=2e-6, atol=1e-7)


# --- mixtures, in both orders ----------------------------------------------------------------------------


@pytest.mark.parametrize("scalar", [2, 2.0, np.float32(2), np.array(2, np.float32), True])
def test_scalars_on_either_side_keep_float32(scalar):
    t = tt.from_numpy(A)
    for found, wanted in [
        (scalar * t, scalar * A), (t * scalar, A * scalar), (scalar - t, scalar - A), (t / scalar, A / scalar),
        (scalar**t, scalar**A), (t**scalar, A**scalar), (scalar / t, scalar / A),
    ]:  # fmt: skip
        same(found, wanted)
        assert found.dtype == np.float32


def test_float64_scalar_is_not_weak():
    assert (np.float64(2) * tt.from_numpy(A)).dtype == np.float64  # NEP 50, as in NumPy


def test_array_with_tensor_gives_a_tensor():
    t = tt.from_numpy(B)
    for found, wanted in [
        (A + t, A + B),
        (t + A, B + A),
        (A @ t.T, A @ B.T),
        (t > A, B > A),
        (t == A, B == A),
    ]:
        same(found, wanted)


def test_array_in_place_writes_into_the_array():
    array = A.copy()
    kept = array
    array += tt.from_numpy(B)
    assert array is kept
    assert type(array) is np.ndarray
    np.testing.assert_array_equal(array, A + B)


def test_array_in_place_is_seen_by_the_tensors_on_it():
    array = A.copy()
    t = tt.from_numpy(array)
    before = t.version
    array += tt.from_numpy(B)
    assert t.version == before + 1


def test_array_in_place_does_not_cut_the_graph(notes):
    array = A.copy()
    t = tt.from_numpy(B).requires_grad_()
    with pytest.raises(GradientError, match=r"np\.add: writing into memory"):
        array += t
    np.testing.assert_array_equal(array, A)


def test_somebody_elses_array_has_the_say():
    class Series:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return f"{ufunc.__name__} by Series"

        def __array_function__(self, func, types, args, kwargs):
            return f"{func.__name__} by Series"

    t = tt.from_numpy(A)
    assert np.add(t, Series()) == "add by Series"
    assert np.concatenate([t, Series()]) == "concatenate by Series"


# --- out=, where=, dtype=, casting= ----------------------------------------------------------------------


def test_out_tensor_is_written_and_returned():
    x, out = tt.from_numpy(A.copy()), tt.zeros(3, 4)
    before = out.version
    assert np.add(x, x, out=out) is out
    np.testing.assert_array_equal(out.array, A + A)
    assert out.version == before + 1
    assert np.add(x, out, out=x) is x
    np.testing.assert_allclose(x.array, 3 * A, rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, out: np.sum(x, axis=0, out=out),
        lambda x, out: np.sum(x, 0, None, out),
        lambda x, out: np.add.reduce(x, 0, out=out),
        lambda x, out: np.max(x, 0, out),
        lambda x, out: np.cumsum(x[0], 0, None, out),
        lambda x, out: np.concatenate([x[0, :2], x[0, 2:]], out=out),
        lambda x, out: np.nanmedian(x, axis=0, out=out),
        lambda x, out: np.clip(x[0], 0, 1, out),
    ],
)
def test_out_of_functions(call):
    wanted = call(A, np.zeros(4, np.float32))
    out = tt.zeros(4)
    before = out.version
    assert call(tt.from_numpy(A), out) is out
    np.testing.assert_allclose(out.array, wanted, rtol=1e-6)
    assert out.version > before
    array = np.zeros(4, np.float32)
    assert call(tt.from_numpy(A), array) is array
    np.testing.assert_allclose(array, wanted, rtol=1e-6)


def test_out_is_refused_where_it_would_lose_a_gradient(notes):
    x = tt.from_numpy(A.copy()).requires_grad_()
    out = tt.zeros(3, 4)
    with pytest.raises(GradientError, match="without out="):
        np.exp(x, out=out)
    with pytest.raises(GradientError, match="without out="):
        np.exp(out, out=x)
    with pytest.raises(GradientError, match="without out="):
        np.copyto(out, x)
    with pytest.raises(GradientError, match="without out="):
        np.add.at(out, [0], x[0])
    np.testing.assert_array_equal(out.array, 0)
    notes.paused = True
    np.exp(x, out=out)
    np.testing.assert_allclose(out.array, np.exp(A), rtol=1e-6)


def test_out_that_is_read_only():
    frozen = tt.zeros(4).broadcast_to((3, 4))
    with pytest.raises(InPlaceError, match="read-only"):
        np.exp(tt.from_numpy(A), out=frozen)


def test_ufunc_arguments_are_honoured():
    x = tt.from_numpy(A)
    out = tt.zeros(3, 4)
    mask = A > 1
    np.negative(x, out=out, where=mask)
    np.testing.assert_array_equal(out.array, np.where(mask, -A, 0))
    np.negative(x, out=out, where=tt.from_numpy(~mask))
    np.testing.assert_array_equal(out.array, -A)
    whole = np.divmod(x, 0.5)
    assert isinstance(whole, tuple)
    same(whole[0], np.divmod(A, 0.5)[0])
    quotient, rest = tt.zeros(3, 4), tt.zeros(3, 4)
    np.divmod(x, 0.5, out=(quotient, rest))
    np.testing.assert_array_equal(rest.array, np.divmod(A, 0.5)[1])
    with pytest.raises(DTypeError, match=r"np\.add.*same_kind|Cannot cast"):
        np.add(x, x, out=tt.zeros(3, 4, dtype="int64"), casting="same_kind")


@pytest.mark.parametrize(
    ("write", "wanted"),
    [
        (lambda t: np.add.at(t, [0, 0], 1.0), [2, 0, 0]),
        (lambda t: np.copyto(t, [1.0, 2.0, 3.0]), [1, 2, 3]),
        (lambda t: np.put(t, [1], 5.0), [0, 5, 0]),
        (lambda t: np.place(t, np.array([True, False, True]), [7.0]), [7, 0, 7]),
        (lambda t: np.putmask(t, np.array([False, True, False]), 3.0), [0, 3, 0]),
        (lambda t: np.put_along_axis(t, np.array([2]), 4.0, axis=0), [0, 0, 4]),
    ],
)
def test_writers_write_and_are_counted(write, wanted):
    t = tt.zeros(3)
    before = t.version
    write(t)
    np.testing.assert_array_equal(t.array, np.array(wanted, np.float32))
    assert t.version == before + 1


# --- what comes back -------------------------------------------------------------------------------------


def test_numbers_and_bools_as_numpy_gives_them():
    t, u = tt.from_numpy(A), tt.from_numpy(A.copy())
    assert np.shape(t) == (3, 4)
    assert np.ndim(t) == 2
    assert np.size(t) == 12
    assert np.size(t, 0) == 3
    assert np.allclose(t, u) is True
    assert np.array_equal(t, B) is False
    assert np.array_equiv(t, u) is True
    assert np.may_share_memory(t, u) is False
    assert np.shares_memory(t, A) is True
    assert np.result_type(t, 2.0) == np.float32
    assert type(np.nanmedian(t)) is np.float32
    assert type(np.percentile(t, 50)) is np.float32
    assert np.nanmedian(t) == np.nanmedian(A)
    assert "0." in np.array2string(t)
    assert np.iscomplexobj(t) is False


def test_what_no_tensor_holds_stays_an_array():
    found = np.fft.fft(tt.from_numpy(A))
    assert type(found) is np.ndarray
    assert found.dtype.kind == "c"


def test_named_tuples_survive():
    square = tt.from_numpy((A @ A.T).astype(np.float64))
    values, vectors = np.linalg.eigh(square)
    same(values, np.linalg.eigh(square.array).eigenvalues)
    found = np.linalg.eigh(square)
    assert type(found) is type(np.linalg.eigh(square.array))
    assert isinstance(found.eigenvectors, tt.Tensor)
    np.testing.assert_allclose((vectors * values @ vectors.T).array, square.array)


def test_reductions_of_ufuncs_give_tensors_of_shape_nothing():
    out = np.add.reduce(tt.arange(3), axis=0)
    assert isinstance(out, tt.Tensor)
    assert out.shape == ()


def test_like_makes_tensors():
    found = np.zeros((2, 2), like=tt.zeros(1))
    assert isinstance(found, tt.Tensor)
    assert found.shape == (2, 2)


def test_where_with_one_argument_and_nonzero():
    t = tt.tensor([[0.0, 1.0], [2.0, 0.0]])
    for found in (np.where(t), np.nonzero(t)):
        assert isinstance(found, tuple)
        assert [part.tolist() for part in found] == [[0, 1], [1, 0]]


def test_save_and_load(tmp_path, notes):
    t = tt.from_numpy(A.copy()).requires_grad_()  # to save is not to compute
    np.save(tmp_path / "t.npy", t)
    np.savez(tmp_path / "t.npz", t=t)
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy", allow_pickle=False), A)
    with np.load(tmp_path / "t.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["t"], A)
    text = io.StringIO()
    np.savetxt(text, t)
    assert len(text.getvalue().splitlines()) == 3


def test_numpy_testing():
    t, u = tt.from_numpy(A), tt.from_numpy(A + np.float32(1e-7))
    np.testing.assert_allclose(t, u, rtol=1e-5)
    np.testing.assert_array_equal(t, A)
    with pytest.raises(AssertionError, match="Mismatched"):
        np.testing.assert_allclose(t, u + 1)


# --- __array__ -------------------------------------------------------------------------------------------


def test_asarray_shares_and_array_copies():
    t = tt.from_numpy(A.copy())
    assert np.asarray(t) is t.array
    assert np.asanyarray(t) is t.array
    copied = np.array(t)
    assert not np.shares_memory(copied, t.array)
    np.testing.assert_array_equal(copied, A)
    converted = np.asarray(t, np.float64)
    assert converted.dtype == np.float64
    assert np.asarray(t, copy=False) is t.array
    assert np.shares_memory(np.asarray(t, np.float32), t.array)
    with pytest.raises(ValueError, match="copy"):
        np.array(t, np.float64, copy=False)


def test_lists_of_tensors_become_arrays():
    found = np.array([tt.tensor([1.0, 2.0]), tt.tensor([3.0, 4.0])])
    np.testing.assert_array_equal(found, [[1, 2], [3, 4]])
    assert np.array([tt.tensor(1.0), tt.tensor(2.0)]).shape == (2,)


def test_arrays_take_tensors_as_values_and_indices():
    array = A.copy()
    array[0] = tt.zeros(4)
    np.testing.assert_array_equal(array[0], 0)
    np.testing.assert_array_equal(A[tt.tensor([2, 0])], A[[2, 0]])
    np.testing.assert_array_equal(A[tt.tensor(1)], A[1])
    assert list(range(tt.tensor(3))) == [0, 1, 2]


def test_memoryview_of_the_array():
    t = tt.arange(6).reshape(2, 3)
    view = memoryview(np.asarray(t))
    assert view.shape == (2, 3)
    view[0, 0] = 9
    assert t[0, 0].item() == 9


def test_no_memory_is_kept_by_computing():
    before = len(memory._writes)
    for _ in range(100):
        np.add(tt.zeros(3), 1, out=tt.zeros(3))
    assert len(memory._writes) <= before + 1
