"""Linear: values, initialisation, wrong calls; its rule stands in rules/linear.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_nn import Identity, Linear
from tt_nn.functional import linear
from tt_nn.linear import LinearFunction
from tt_tensor import Tensor, kernels, manual_seed, randn
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


@given(
    st.lists(st.integers(0, 3), max_size=3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
    st.integers(0, 99),
)
def test_values(lead, n_in, n_out, bias, seed):
    rng = np.random.default_rng(seed)
    x, w, b = rng.normal(size=(*lead, n_in)), rng.normal(size=(n_out, n_in)), rng.normal(size=n_out)
    found = linear(Tensor(x), Tensor(w), Tensor(b) if bias else None)
    np.testing.assert_allclose(found.numpy(), x @ w.T + (b if bias else 0), rtol=1e-12, atol=1e-14)


def test_loops_give_the_same():
    layer, x = Linear(3, 2), Tensor(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    with kernels.use("loops"):
        slow = layer(x)
    np.testing.assert_allclose(slow.numpy(), layer(x).numpy(), rtol=1e-5, atol=1e-6)


def test_initialised_uniformly_within_one_over_root_fan_in():
    manual_seed(0)
    layer = Linear(400, 300)
    for values in (layer.weight.numpy().ravel(), layer.bias.numpy()):
        assert values.dtype == np.float32 and np.abs(values).max() <= 0.05
        # Uniform on ±0.05: mean 0, variance 0.05²/3, five standard errors.
        n = values.size
        assert abs(values.mean()) < 5 * 0.05 / np.sqrt(3 * n)
        assert abs(values.var() / (0.05**2 / 3) - 1) < 5 * np.sqrt(0.8 / n)
    manual_seed(0)
    assert Linear(400, 300).weight.array.tobytes() == layer.weight.array.tobytes()


def test_no_inputs_and_no_outputs():
    assert Linear(0, 3)(Tensor(np.zeros((2, 0), np.float32))).shape == (2, 3)
    assert Linear(3, 0)(Tensor(np.zeros((2, 3), np.float32))).shape == (2, 0)


@pytest.mark.parametrize("rows", [(1 << 12) + 1, 1 << 20, (1 << 20) + 77])
def test_the_bias_of_many_rows_gets_all_digits_of_its_gradient(rows):
    layer = Linear(1, 2)
    layer(Tensor(np.zeros((rows, 1), np.float32)))
    grad = np.full((rows, 2), 0.1, np.float32)
    grad[:, 1] = np.random.default_rng(0).uniform(size=rows)
    layer.backward(Tensor(grad))
    np.testing.assert_allclose(layer.bias.grad.numpy(), grad.sum(axis=0, dtype=np.float64), rtol=1e-5)


def test_dtype():
    assert Linear(2, 2, dtype=np.float64).weight.dtype == np.float64
    assert Linear(2, 2)(Tensor(np.ones((1, 2), np.float32))).dtype == np.float32


@pytest.mark.parametrize("size", [-1, 2.5, "3", None, True])
def test_bad_sizes(size):
    with pytest.raises(ArgumentError, match="in_features"):
        Linear(size, 2)
    with pytest.raises(ArgumentError, match="out_features"):
        Linear(2, size)


def test_bad_inputs():
    layer = Linear(3, 2)
    with pytest.raises(ShapeError, match=r"\(4, 5\) against a weight of shape \(2, 3\)"):
        layer(Tensor(np.zeros((4, 5), np.float32)))
    with pytest.raises(ShapeError, match="against a weight"):
        layer(Tensor(1.0))
    with pytest.raises(DTypeError, match="int64"):
        layer(Tensor([[1, 2, 3]]))


def test_identity():
    x = Tensor([1.0])
    assert Identity(54, unused=True)(x) is x and Identity().backward(x) is x


def test_identity_gives_tensors_as_every_layer_does():
    x = np.ones((2, 3), np.float32)
    layer = Identity()
    assert isinstance(layer(x), Tensor) and isinstance(layer.backward(x), Tensor)
    assert layer("anything") == "anything"


@pytest.mark.parametrize("needs", [(True, False, False), (False, True, False), (False, False, True)])
def test_only_what_is_wanted_is_worked_out(needs):
    x, weight, bias = (randn(*shape) for shape in ((3, 4), (2, 4), (2,)))
    grad = np.ones((3, 2), np.float32)
    function = LinearFunction()
    function(x, weight, bias)
    whole = function.gradients(grad)
    function.needs = needs
    for found, wanted, need in zip(function.gradients(grad), whole, needs, strict=True):
        assert (found is not None) == need
        if need:
            np.testing.assert_array_equal(found, wanted)
