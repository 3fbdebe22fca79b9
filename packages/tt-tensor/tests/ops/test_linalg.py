"""Matrix products, norms and diagonals: NumPy's values, the operators, typed errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, AxisError, DTypeError, ShapeError
from tt_tensor.ops.linalg import MatMul


def of(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).normal(0, 3, shape).astype(dtype)


@pytest.mark.parametrize(
    ("left", "right"),
    [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 1, 2, 3), (4, 3, 2)),
     ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (5, 3, 0))],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_matmul(left, right, dtype):
    x, y = of(*left, dtype=dtype), of(*right, dtype=dtype, seed=1)
    s, t = tt.from_numpy(x), tt.from_numpy(y)
    wanted = np.asarray(x @ y)
    for found in (s @ t, s @ y, x @ t, tt.matmul(x, y), s.matmul(t), np.matmul(s, t), np.matmul(x, t)):
        assert isinstance(found, tt.Tensor)
        np.testing.assert_allclose(found.numpy(), wanted, 1e-5, 1e-5, strict=True)


def test_dtypes_promote():
    assert (tt.ones(2, 2) @ tt.ones(2, 2, dtype="float64")).dtype == np.float64
    assert (tt.ones(2, 2) @ tt.Tensor([[1, 2], [3, 4]], dtype="int16")).dtype == np.float32
    assert (tt.ones(2, 2, dtype="float16") @ tt.ones(2, 2, dtype="float16")).dtype == np.float16
    function = MatMul()
    function(tt.ones(2, 2), tt.ones(2, 2, dtype="float64"))
    assert [g.dtype for g in function.gradients(np.ones((2, 2)))] == [np.float32, np.float64]


def test_in_place():
    x = tt.Tensor([[1.0, 2.0], [3.0, 4.0]])
    before, memory = x, x.numpy()
    x @= tt.Tensor([[0.0, 1.0], [1.0, 0.0]])
    assert x is before
    assert x.numpy() is memory
    assert x.tolist() == [[2, 1], [4, 3]]
    assert x.version == 1
    with pytest.raises(ShapeError, match=r"\(2, 3\).*does not fit"):
        x @= tt.ones(2, 3)
    y = tt.Tensor([[1, 2], [3, 4]])
    with pytest.raises(DTypeError, match="lose"):
        y @= tt.ones(2, 2)
    assert x.tolist() == [[2, 1], [4, 3]]


def test_only_wanted_gradients_are_computed():
    function = MatMul()
    function(tt.ones(2, 3), tt.ones(3, 4))
    function.needs = (False, True)
    dx, dy = function.gradients(np.ones((2, 4), np.float32))
    assert dx is None
    assert dy.shape == (3, 4)


def test_the_weight_of_a_batch_gets_one_product():
    """(batch, rows, in) @ (in, out): no gradient of shape (batch, in, out) on the way."""
    x, w, grad = of(64, 8, 32), of(32, 32, seed=1), of(64, 8, 32, seed=2)
    function = MatMul()
    function(tt.from_numpy(x), tt.from_numpy(w))
    raw = function.backward(grad)
    assert raw[1].shape == (32, 32)
    np.testing.assert_allclose(raw[1], np.einsum("bri,bro->io", x, grad), 1e-9)


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ((2, 3), (2, 3), [r"\(2, 3\)", "transpose"]),
        ((2, 3), (4,), [r"\(4,\)"]),
        ((2, 2, 3), (5, 3, 1), ["broadcast"]),
        ((2, 3), (), ["single number"]),
    ],
)
def test_shapes_that_do_not_fit(left, right, words):
    for word in words:
        with pytest.raises(ShapeError, match=word):
            tt.ones(left) @ tt.ones(right)


def test_what_is_no_matrix():
    for wrong in (lambda: tt.ones(2, 2) @ 3.0, lambda: 3 @ tt.ones(2, 2)):
        with pytest.raises(ShapeError, match="single number"):
            wrong()
    with pytest.raises(DTypeError, match="<U2"):
        tt.ones(2, 2) @ "ab"
    with pytest.raises(DTypeError):
        tt.ones(2, 2) @ None


@pytest.mark.parametrize(
    ("left", "right"), [((), (2, 3)), ((2, 3), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)),
                        ((2, 2, 3), (3,)), ((2, 2, 3), (3, 4)), ((3,), (2, 3, 2))],
)  # fmt: skip
def test_dot(left, right):
    x, y = of(*left), of(*right, seed=1)
    for found in (
        tt.dot(tt.from_numpy(x), tt.from_numpy(y)),
        np.dot(tt.from_numpy(x), y),
        tt.from_numpy(x).dot(y),
    ):
        np.testing.assert_allclose(found.numpy(), np.dot(x, y))


def test_dot_beyond_matrices():
    with pytest.raises(ShapeError, match="tensordot"):
        tt.dot(tt.ones(2, 3), tt.ones(2, 3, 4))
    with pytest.raises(ShapeError, match=r"\(3,\).*\(4,\)"):
        tt.dot(tt.ones(3), tt.ones(4))


def test_outer(tape):
    x, y = tt.Tensor([1.0, 2.0]), tt.Tensor([3.0, 4.0, 5.0])
    z, (dx, dy) = tape.gradients(tt.outer, [x, y], np.ones((2, 3), np.float32))
    assert z.tolist() == [[3, 4, 5], [6, 8, 10]]
    assert dx.tolist() == [12, 12]
    assert dy.tolist() == [3, 3, 3]
    assert tt.outer(tt.ones(2, 2), [1, 2]).shape == (4, 2)


@given(
    st.lists(st.integers(1, 4), max_size=3).map(tuple),
    st.sampled_from([1, 2, 3, 0.5, np.inf]),
    st.booleans(),
    st.data(),
)
def test_norm(shape, p, keepdims, data):
    x = of(*shape, seed=len(shape))
    axis = data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1)) if shape else None
    found = tt.norm(tt.from_numpy(x), p, axis, keepdims)
    size = np.abs(x)
    wanted = (
        np.max(size, axis, keepdims=keepdims)
        if p == np.inf
        else np.sum(size**p, axis, keepdims=keepdims) ** (1 / p)
    )
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), 1e-9, strict=True)


def test_norm_of_half_precision_integers_and_nothing():
    x = tt.Tensor([300.0, 400.0], dtype="float16")
    assert x.norm().item() == 500.0
    assert x.norm().dtype == np.float16
    assert tt.Tensor([3, 4]).norm().dtype == np.float64
    assert tt.zeros(0).norm().item() == 0.0


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, np.inf])
def test_the_gradient_of_a_norm_at_the_origin_is_zero(p, tape):
    x = tt.Tensor([[0.0, 0.0], [3.0, 0.0]])
    _, (dx,) = tape.gradients(lambda x: tt.norm(x, p, 1), [x], np.ones(2, np.float32))
    np.testing.assert_allclose(dx, [[0, 0], [1, 0]], 1e-6)


def test_second_derivatives_of_norm(tape):
    x = tt.from_numpy(np.array([3.0, 0.0, -4.0]))

    def first(x):
        return tape.gradients(lambda x: x.norm(), [x], tt.ones((), dtype="float64"), create_graph=True)[1][0]

    hessian = np.array([tape.gradients(first, [x], row)[1][0] for row in np.eye(3)])
    np.testing.assert_allclose(hessian, np.eye(3) / 5 - np.outer(x.numpy(), x.numpy()) / 125, 1e-9, 1e-12)


def test_wrong_norms():
    for ord in (0, -1, "fro", True, np.nan, None):
        with pytest.raises(ArgumentError, match="ord is a number above 0"):
            tt.ones(3).norm(ord)
    with pytest.raises(AxisError, match="norm: axis 1"):
        tt.ones(3).norm(2, 1)
    with pytest.raises(ShapeError, match="Max of"):
        tt.zeros(0).norm(np.inf)


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=4).map(tuple),
    st.integers(-4, 4),
    st.data(),
)
def test_diagonal_and_trace(shape, offset, data):
    axes = data.draw(st.permutations(range(len(shape))))[:2]
    x = of(*shape)
    t = tt.from_numpy(x)
    np.testing.assert_array_equal(
        tt.diagonal(t, offset, *axes).numpy(), np.diagonal(x, offset, *axes), strict=True
    )
    np.testing.assert_allclose(
        tt.trace(t, offset, *axes).numpy(), np.asarray(np.trace(x, offset, *axes)), atol=1e-12, strict=True
    )


def test_wrong_diagonals():
    with pytest.raises(ShapeError, match="no two axes"):
        tt.ones(3).diagonal()
    with pytest.raises(AxisError, match="twice"):
        tt.ones(3, 3).diagonal(0, 1, -1)
    with pytest.raises(AxisError, match="axis 2"):
        tt.ones(3, 3).trace(0, 0, 2)
    with pytest.raises(DTypeError, match="offset"):
        tt.ones(3, 3).diagonal(0.5)


def test_mm_and_bmm_are_matmul_of_two_ranks_alone():
    x, y = tt.randn(2, 3, 4), tt.randn(2, 4, 5)
    np.testing.assert_array_equal(tt.bmm(x, y).numpy(), (x @ y).numpy())
    np.testing.assert_array_equal(x[0].mm(y[0]).numpy(), (x[0] @ y[0]).numpy())


@pytest.mark.parametrize("k", [-2, -1, 0, 1, 3])
def test_diag(k):
    for shape in ((3,), (0,), (3, 3), (2, 4), (4, 2)):
        x = np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
        np.testing.assert_array_equal(tt.diag(x, k).numpy(), np.diag(x, k), strict=True)
    assert tt.tensor([1, 2]).diag().tolist() == [[1, 0], [0, 2]]
    with pytest.raises(ShapeError, match="vector or a matrix"):
        tt.diag(np.zeros((2, 2, 2)))
    with pytest.raises(DTypeError, match="k is an integer"):
        tt.diag(np.zeros(2), 0.5)


def test_mv_and_addmm():
    a, b, v = (
        tt.from_numpy(np.random.default_rng(i).normal(size=s)) for i, s in enumerate([(2, 3), (3, 4), 3])
    )
    np.testing.assert_array_equal(tt.mv(a, v).numpy(), (a @ v).numpy())
    found = tt.addmm(np.ones(4), a, b, beta=0.5, alpha=2)
    np.testing.assert_allclose(found.numpy(), 0.5 + 2 * (a.numpy() @ b.numpy()))
    for call in (lambda: a.mv(b), lambda: v.mv(v), lambda: tt.addmm(0, a, v)):
        with pytest.raises(ShapeError):
            call()


@pytest.mark.parametrize("p", [1, 2, 3, np.inf])
def test_cdist(p, tape):
    x, y = np.random.default_rng(0).normal(size=(5, 1, 2, 3)), np.random.default_rng(1).normal(size=(4, 3))
    found = tt.cdist(x, y, p).numpy()
    assert found.shape == (5, 1, 2, 4)
    for place in np.ndindex(found.shape):
        np.testing.assert_allclose(found[place], np.linalg.norm(x[place[:-1]] - y[place[-1]], p))
    _, (dx,) = tape.gradients(lambda x: tt.cdist(x, x), [tt.ones(2, 3)], np.ones((2, 2), np.float32))
    assert not dx.any()
    with pytest.raises(ShapeError, match="rows of one length"):
        tt.cdist(x, y.T)
