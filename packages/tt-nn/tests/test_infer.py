"""infer(module, x) is what module(x) gives in evaluation, whatever the module and whoever changed it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn
from tt_nn import infer
from tt_tensor import Tensor, kernels
from tt_tensor.errors import DTypeError, ShapeError

LAYERS = {
    "Linear": lambda n: tt_nn.Linear(n, 3),
    "Linear without bias": lambda n: tt_nn.Linear(n, 3, bias=False),
    "LayerNorm": lambda n: tt_nn.LayerNorm(n),
    "LayerNorm without bias": lambda n: tt_nn.LayerNorm(n, bias=False),
    "LayerNorm without weight": lambda n: tt_nn.LayerNorm(n, elementwise_affine=False),
    "RMSNorm": lambda n: tt_nn.RMSNorm(n),
    "GELU": lambda n: tt_nn.GELU(),
    "GELU by tanh": lambda n: tt_nn.GELU("tanh"),
    "SiLU": lambda n: tt_nn.SiLU(),
    "ReLU": lambda n: tt_nn.ReLU(),
    "Dropout": lambda n: tt_nn.Dropout(0.5),
    "Sequential": lambda n: tt_nn.Sequential(tt_nn.Linear(n, 5), tt_nn.GELU(), tt_nn.LayerNorm(5)),
}


@pytest.mark.parametrize("name", LAYERS)
@given(
    shape=st.lists(st.integers(1, 4), max_size=2),
    n=st.integers(1, 40),
    dtype=st.sampled_from([np.float32, np.float64]),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    offset=st.sampled_from([0.0, -1.0, 1e4]),
)
def test_it_is_what_a_call_gives(name, shape, n, dtype, scale, offset):
    layer = LAYERS[name](n).to(dtype).eval()
    rng = np.random.default_rng(n)
    for parameter in layer.parameters():
        parameter.write(rng.normal(size=parameter.shape))
    x = (rng.normal(size=(*shape, n)) * scale + offset).astype(dtype)
    before = x.copy()
    y, wanted = infer(layer, x), layer(Tensor(x)).numpy()
    assert y.dtype == dtype and y.shape == wanted.shape and np.array_equal(x, before)
    size = np.abs(wanted).max(initial=1)
    if (offset == 1e4 and "Norm" in name) or name == "Sequential":
        size *= 1e3  # what is left after 10,000 was taken off has lost four digits
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=(2e-6 if dtype == np.float32 else 1e-12) * size)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e30, -1e30])
@pytest.mark.parametrize("layer", [tt_nn.GELU(), tt_nn.GELU("tanh"), tt_nn.SiLU()])
def test_far_values_are_as_in_a_call(layer, value):
    x = np.array([[value, 1.0, -2.0]], np.float32)
    np.testing.assert_array_equal(infer(layer, x), layer(Tensor(x)).numpy())


def test_a_row_of_equal_values_is_normalized_to_nothing():
    x = np.full((1, 8), 3.0, np.float32)
    np.testing.assert_allclose(infer(tt_nn.LayerNorm(8), x), 0, atol=1e-6)


def test_hooks_and_forwards_of_others_are_heeded():
    layer, x = tt_nn.Linear(4, 4), np.ones((1, 4), np.float32)
    handle = layer.register_forward_hook(lambda module, args, output: output * 0)
    assert not infer(layer, x).any()
    handle.remove()
    assert infer(layer, x).any()

    class Doubled(tt_nn.Linear):
        def forward(self, x):
            return super().forward(x) * 2

    doubled = Doubled(4, 4)
    np.testing.assert_allclose(infer(doubled, x), doubled(Tensor(x)).numpy())
    layer.forward = lambda x: x * 3
    np.testing.assert_array_equal(infer(layer, x), x * 3)


def test_kernels_in_use_are_used():
    layer, x = tt_nn.Linear(4, 4), np.ones((1, 4), np.float32)
    with kernels.use("loops"):
        np.testing.assert_allclose(infer(layer, x), layer(Tensor(x)).numpy(), rtol=1e-6)


def test_shapes_and_dtypes_that_do_not_fit_are_refused_as_in_a_call():
    layer = tt_nn.Linear(4, 4)
    for bad, error in ((np.ones((1, 5), np.float32), ShapeError), (np.ones((1, 4), np.int64), DTypeError)):
        for apply in (lambda x: layer(Tensor(x)), lambda x: infer(layer, x)):
            with pytest.raises(error):
                apply(bad)
