"""softmax, log_softmax, logsumexp: never a warning, never NaN from a mask, at any size of the logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import AxisError, DTypeError
from tt_tensor.ops.softmax import LogSoftmax, LogSumExp, Softmax
from tt_tensor.testing import check_rule

INF = np.inf
FUNCTIONS = [Softmax, LogSoftmax, lambda: LogSumExp(-1)]
DTYPES = ["float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_masked_row(dtype):
    x = tt.from_numpy(np.array([[-INF, -INF], [0.0, -INF]], dtype))
    for make, wanted in zip(FUNCTIONS, ([[0, 0], [1, 0]], [[-INF, -INF], [0, -INF]], [-INF, 0]), strict=True):
        function = make()
        y = function(x)
        np.testing.assert_array_equal(y.numpy(), np.array(wanted, dtype), strict=True)
        (dx,) = function.gradients(np.arange(1, y.size + 1, dtype=dtype).reshape(y.shape))
        assert np.isfinite(dx).all()
        np.testing.assert_array_equal(dx[0], [0, 0])
        assert dx.dtype == dtype


def test_a_masked_row_over_two_axes():
    x = np.full((2, 3, 2), -INF)
    x[1, 2, 0] = 5.0
    function = LogSumExp((1, 2), keepdims=True)
    y = function(x := tt.from_numpy(x))
    np.testing.assert_array_equal(y.numpy(), [[[-INF]], [[5.0]]])
    (dx,) = function.gradients(np.ones((2, 1, 1)))
    np.testing.assert_array_equal(dx, (x.numpy() == 5.0).astype(float))


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_logits(dtype):
    x = tt.from_numpy(np.array([[1e4, -1e4, 1e4], [-1e4, -1e4, -1e4]], dtype))
    rtol = 1e-3 if dtype == "float16" else 1e-6
    np.testing.assert_allclose(tt.softmax(x).numpy(), [[0.5, 0, 0.5], [1 / 3] * 3], rtol)
    np.testing.assert_allclose(
        tt.log_softmax(x).numpy(), [[-np.log(2), -2e4 - np.log(2), -np.log(2)], [-np.log(3)] * 3], rtol
    )
    np.testing.assert_allclose(tt.logsumexp(x, 1).numpy(), [1e4 + np.log(2), -1e4 + np.log(3)], rtol)
    function = LogSumExp(1)
    function(x)
    np.testing.assert_allclose(function.gradients(np.ones(2, dtype))[0], [[0.5, 0, 0.5], [1 / 3] * 3], rtol)


def test_infinite_logits():
    x = tt.Tensor([[INF, 1.0, INF], [0.0, 0.0, -INF], [np.nan, 0.0, 0.0]])
    function = LogSumExp(1)
    np.testing.assert_array_equal(function(x).numpy(), np.array([INF, np.log(2), np.nan], np.float32))
    (dx,) = function.gradients(np.ones(3, np.float32))
    np.testing.assert_array_equal(dx, [[0.5, 0, 0.5], [0.5, 0.5, 0], [np.nan] * 3])
    for y in (x.softmax().numpy(), x.log_softmax().numpy()):
        assert np.isnan(y[[0, 2]]).all()
        assert not np.isnan(y[1]).any()


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), st.data())
def test_laws(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).normal(0, 3, shape)
    y = tt.softmax(x, axis).numpy()
    np.testing.assert_allclose(y, np.exp(x) / np.exp(x).sum(axis, keepdims=True), 1e-10)
    np.testing.assert_allclose(tt.softmax(x + 123.0, axis).numpy(), y, 1e-10)  # shift invariance
    np.testing.assert_allclose(tt.log_softmax(x, axis).numpy(), np.log(y), 1e-9, 1e-12)
    np.testing.assert_allclose(tt.logsumexp(x, axis).numpy(), np.log(np.exp(x).sum(axis)), 1e-9, 1e-12)
    function = Softmax(axis)
    function(tt.from_numpy(x))
    (dx,) = function.gradients(np.random.default_rng(0).normal(size=shape))
    np.testing.assert_allclose(dx.sum(axis), 0, atol=1e-12)  # probabilities sum to 1 wherever x goes


@given(st.lists(st.integers(0, 3), max_size=4).map(tuple), st.booleans(), st.data())
def test_logsumexp_over_any_axes(shape, keepdims, data):
    axis = (
        data.draw(st.none() | st.lists(st.sampled_from(range(len(shape))), unique=True).map(tuple))
        if shape
        else None
    )
    x = np.random.default_rng(3).normal(size=shape)
    with np.errstate(divide="ignore"):
        wanted = np.asarray(np.log(np.exp(x).sum(axis, keepdims=keepdims)))
    found = tt.logsumexp(tt.from_numpy(x), axis, keepdims)
    np.testing.assert_allclose(found.numpy(), wanted, 1e-10, 1e-12, strict=True)


def test_nothing():
    assert tt.logsumexp(tt.zeros(0)).item() == -INF
    assert tt.softmax(tt.zeros(2, 0)).shape == (2, 0)
    assert tt.log_softmax(tt.zeros(0, 2), 0).shape == (0, 2)


def test_dtypes():
    for make in FUNCTIONS:
        for dtype in DTYPES:
            assert make()(tt.from_numpy(np.ones((2, 3), dtype))).dtype == dtype
        for dtype in ("int8", "int64", "bool"):
            assert make()(tt.from_numpy(np.ones((2, 3), dtype))).dtype == np.float64
    assert tt.softmax(tt.Tensor([1, 0])).tolist() == pytest.approx([0.7310586, 0.2689414])


def test_rules_beside_a_masked_row():
    """Central differences where no logit is -inf, with a mask around."""
    mask = np.array([[0.0, -INF, 0.0], [-INF, -INF, -INF], [0.0, 0.0, 0.0]])
    x = np.array([[0.5, 1.0, -1.0], [1.0, 2.0, 3.0], [0.1, 0.2, -0.7]])

    class Masked(tt.Function):
        def forward(self, x):
            self.inner = Softmax(1)
            return self.inner(tt.from_numpy(x + mask)).numpy()

        def backward(self, grad):
            return self.inner.gradients(grad)[0]

    check_rule(Masked, x)


def test_second_derivatives_of_logsumexp(tape):
    x = tt.from_numpy(np.array([0.3, -1.0, 2.0, 1e3]) - [0, 0, 0, 998.0])

    def first(x):
        return tape.gradients(lambda x: x.logsumexp(), [x], tt.ones((), dtype="float64"), create_graph=True)[
            1
        ][0]

    hessian = np.array([tape.gradients(first, [x], row)[1][0] for row in np.eye(4)])
    p = tt.softmax(x).numpy()
    np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), 1e-9, 1e-12)


@pytest.mark.parametrize("make", [Softmax, LogSoftmax])
def test_second_derivatives_of_softmax(make, tape):
    """The derivative of the rule, against central differences of the rule."""
    x = np.array([0.3, -1.0, 2.0])
    grad, other = np.array([1.0, -2.0, 0.5]), np.array([0.2, 0.7, -0.4])

    def rule(values):
        function = make()
        function(tt.from_numpy(values))
        return function.gradients(grad)[0]

    def first(x):
        return tape.gradients(make(), [x], tt.from_numpy(grad), create_graph=True)[1][0]

    _, (found,) = tape.gradients(first, [tt.from_numpy(x)], other)
    step = 1e-6 * np.eye(3)
    wanted = [(rule(x + h) - rule(x - h)) @ other / 2e-6 for h in step]
    np.testing.assert_allclose(found, wanted, 1e-6, 1e-9)


def test_wrong_arguments():
    x = tt.ones(2, 3)
    for name in ("softmax", "log_softmax"):
        call = getattr(tt, name)
        with pytest.raises(AxisError, match=f"{name}: axis 2"):
            call(x, 2)
        with pytest.raises(AxisError, match="single number"):
            call(tt.ones(()), -1)
        for axis in ((0, 1), None):
            with pytest.raises(DTypeError, match="one axis"):
                call(x, axis)
        with pytest.raises(DTypeError):
            call(x, 0.5)
    with pytest.raises(AxisError, match="logsumexp: axis 2"):
        tt.logsumexp(x, 2)


def test_logaddexp_at_infinity(tape):
    """NumPy's values, no warning, and a gradient that is a number: half to each of two equal infinities."""
    inf = np.inf
    x = np.array([-inf, inf, -inf, 0.0, 1e4])
    y = np.array([-inf, inf, 0.0, inf, 1e4])
    z, (dx, dy) = tape.gradients(tt.logaddexp, [tt.from_numpy(x), tt.from_numpy(y)], np.ones(5))
    np.testing.assert_array_equal(z.numpy(), np.logaddexp(x, y), strict=True)
    np.testing.assert_array_equal(dx, [0.5, 0.5, 0.0, 0.0, 0.5])
    np.testing.assert_array_equal(dy, [0.5, 0.5, 1.0, 1.0, 0.5])
