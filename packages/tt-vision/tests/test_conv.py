"""Conv1d, Conv2d: values, initialisation, by hand. PyTorch's values: test_convolution_goldens.py."""

import copy
import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import ReLU, Sequential, shards
from tt_tensor import Tensor, manual_seed
from tt_tensor.errors import DTypeError, GradientError, InPlaceError, ShapeError
from tt_vision.conv import Conv1d, Conv2d, conv1d, conv2d
from tt_vision.kernels import conv_blocked
from tt_vision.padding import PADDING_MODES

F, D = np.float32, np.float64
NUMPY = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def randn(*shape, seed=0, dtype=D):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


# --- values ----------------------------------------------------------------------------------------------


def test_an_edge_by_hand():
    # Sobel's filter on a step: four times the step where it is, nothing elsewhere.
    image = np.repeat([[0.0, 0, 0, 1, 1, 1]], 5, axis=0)
    sobel = np.array([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]])
    assert conv2d(image[None], sobel).tolist() == [[[0, 4, 4, 0]] * 3]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1}, {"groups": 2, "dilation": 2, "padding": "same"}], ids=str
)
def test_the_layer_is_the_function_with_parameters(options, bias):
    for layer_of, function, shape in ((Conv2d, conv2d, (2, 4, 7, 6)), (Conv1d, conv1d, (2, 4, 9))):
        layer = layer_of(4, 6, 3, bias=bias, dtype=D, **options)
        wanted = function(randn(*shape), layer.weight, layer.bias, **options)
        assert np.array_equal(layer(randn(*shape)), wanted)


def test_settings_may_be_lists_and_numpy_numbers():
    x, w = randn(1, 2, 7, 8), randn(3, 2, 3, 2)
    wanted = conv2d(x, w, None, (2, 1), (1, 0), (1, 2))
    assert np.array_equal(conv2d(x, w, None, [2, 1], np.array([1, 0]), (np.int64(1), np.int8(2))), wanted)
    layer = Conv2d(np.int64(2), np.int32(3), np.array([3, 2]), stride=[2, 1], groups=np.int64(1))
    assert layer.kernel_size == (3, 2) and layer.stride == (2, 1) and type(layer.in_channels) is int
    assert layer(x.astype(F)).shape == (1, 3, 3, 7)


@pytest.mark.parametrize("shape", [(2, 3, 5, 6), (3, 5, 6), (1, 3, 5, 6), (0, 3, 5, 6)])
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_padding_modes_are_numpys_pad_before(mode, shape):
    layer = Conv2d(3, 2, (3, 2), padding=(2, 1), padding_mode=mode, dtype=D)
    x = randn(*shape)
    around = [(0, 0)] * (x.ndim - 2) + [(2, 2), (1, 1)]
    outer = np.pad(x, around, NUMPY[mode]) if mode in NUMPY else np.pad(x, around)
    plain = Conv2d(3, 2, (3, 2), dtype=D)
    plain.load_state_dict(layer.state_dict())
    y = layer(x)
    np.testing.assert_allclose(y, plain(outer), rtol=1e-12, atol=1e-12)
    # By hand: what a copied pixel gets goes to the pixel that it was copied from.
    g = randn(*y.shape, seed=1)
    dx, outer_dx = layer.backward(g), plain.backward(g).numpy()
    wanted = np.zeros(shape)
    places = np.pad(np.arange(x.size).reshape(shape), around, NUMPY[mode]) if mode in NUMPY else None
    if places is None:
        wanted = outer_dx[..., 2:-2, 1:-1]
    else:
        np.add.at(wanted.reshape(-1), places, outer_dx)
    np.testing.assert_allclose(dx, wanted, rtol=1e-12, atol=1e-12)
    for name, parameter in layer.named_parameters():
        np.testing.assert_allclose(parameter.grad, plain.get_parameter(name).grad, rtol=1e-12, atol=1e-12)


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 3), st.integers(0, 6), st.sampled_from(PADDING_MODES))
def test_same_padding_keeps_the_size(size, dilation, more, mode):
    length = dilation * (size - 1) // 2 + 2 + more  # enough to mirror
    layer = Conv1d(1, 1, size, padding="same", dilation=dilation, padding_mode=mode)
    assert layer(randn(2, 1, length, dtype=F)).shape == (2, 1, length)
    assert layer.backward(randn(2, 1, length, dtype=F)).shape == (2, 1, length)


@pytest.mark.parametrize("kind", ["reversed", "strided", "fortran", "repeated", "read-only", "overlapping"])
def test_any_layout_of_the_input(kind):
    x = randn(3, 4, 6, 7)
    given = {
        "reversed": x[:, ::-1, ::-1, ::-1],
        "strided": np.repeat(x, 2, axis=2)[:, :, ::2],
        "fortran": np.asfortranarray(x),
        "repeated": np.broadcast_to(x[:1, :, :1], x.shape),
        "read-only": np.broadcast_to(x, x.shape),
        "overlapping": np.lib.stride_tricks.sliding_window_view(randn(3, 4, 12), 7, axis=2),
    }[kind]
    layer = Conv2d(4, 4, 3, padding=1, groups=2, dtype=D)
    y = layer(given)
    dx, dw = layer.backward(randn(*y.shape, seed=1)).numpy(), layer.weight.grad.numpy().copy()
    layer.zero_grad()
    wanted = layer(given.copy())
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dx, layer.backward(randn(*y.shape, seed=1)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dw, layer.weight.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 2, 5, 5), (3, 2, 0, 5), (3, 2, 0, 0)])
def test_of_nothing_comes_the_bias(shape):
    layer = Conv2d(2, 3, 3, padding=2)
    x = np.zeros(shape, F)
    y = layer(x)
    assert y.shape == (shape[0], 3, shape[2] + 2, shape[3] + 2)
    assert (y.numpy() == layer.bias.numpy()[:, None, None]).all()
    dx = layer.backward(np.ones(y.shape, F))
    assert dx.shape == shape and not layer.weight.grad.numpy().any()
    np.testing.assert_allclose(layer.bias.grad, y.size / 3)


@pytest.mark.parametrize(("inputs", "outputs"), [(0, 3), (2, 0), (0, 0)])
def test_no_channels(inputs, outputs):
    layer = Conv2d(inputs, outputs, 2)
    y = layer(np.ones((2, inputs, 4, 4), F))
    assert y.shape == (2, outputs, 3, 3)
    assert layer.backward(np.ones(y.shape, F)).shape == (2, inputs, 4, 4)
    assert layer.weight.grad.shape == layer.weight.shape


@pytest.mark.parametrize("dtype", [np.float16, F, D])
def test_dtypes(dtype):
    layer = Conv2d(2, 3, 3, padding=1, padding_mode="circular", dtype=dtype)
    y = layer(randn(2, 2, 5, 5, dtype=dtype))
    dx = layer.backward(randn(2, 3, 5, 5, dtype=dtype))
    parts = [layer.weight, layer.bias, y, dx, layer.weight.grad, layer.bias.grad]
    assert [part.dtype for part in parts] == [dtype] * 6
    assert Conv2d(2, 3, 3).to(dtype)(randn(1, 2, 5, 5, dtype=dtype)).dtype == dtype


def test_the_number_of_threads_changes_rounding_only(monkeypatch):
    monkeypatch.setattr(conv_blocked, "WORTH", 1 << 18)
    layer, x, g = Conv2d(8, 16, 3, padding=1), randn(33, 8, 16, 16, dtype=F), randn(33, 16, 16, 16, dtype=F)

    def step():
        layer.zero_grad()
        return layer(x).numpy(), layer.backward(g).numpy(), layer.weight.grad.numpy(), layer.bias.grad.numpy()

    found = []
    for number in (1, 2, 5):
        with shards.threads(number):
            found.append(step())
            assert all(np.array_equal(*both) for both in zip(found[-1], step(), strict=True))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-3)


# --- parameters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "weight"),
    [
        (Conv2d(4, 6, (3, 2), groups=2), (6, 2, 3, 2)),
        (Conv2d(4, 8, 1, groups=4), (8, 1, 1, 1)),
        (Conv1d(4, 6, 5), (6, 4, 5)),
        (Conv1d(4, 6, 5, groups=2, padding=2, padding_mode="reflect"), (6, 2, 5)),
    ],
)
def test_parameters_have_pytorchs_names(layer, weight):
    shapes = {name: tensor.shape for name, tensor in layer.state_dict().items()}
    assert shapes == {"weight": weight, "bias": (weight[0],)}
    assert list(layer.buffers()) == list(layer.children()) == []
    bare = copy.deepcopy(layer)
    bare.bias = None
    assert list(bare.state_dict()) == ["weight"]


def test_a_state_dict_brings_the_values():
    one, other = Conv2d(3, 4, 3), Conv2d(3, 4, 3)
    x = randn(1, 3, 5, 5, dtype=F)
    assert not np.array_equal(one(x), other(x))
    other.load_state_dict(one.state_dict())
    assert np.array_equal(one(x), other(x)) and np.array_equal(copy.deepcopy(one)(x), one(x))


@pytest.mark.parametrize(
    ("layer", "fan_in"), [(lambda: Conv2d(32, 48, 5, groups=4), 8 * 25), (lambda: Conv1d(60, 300, 5), 300)]
)
def test_initialised_uniformly_within_one_over_root_fan_in(layer, fan_in):
    manual_seed(0)
    made, bound = layer(), fan_in**-0.5
    for values in (made.weight.numpy(), made.bias.numpy()):
        assert values.dtype == F and np.abs(values).max() <= bound
        # Uniform: mean 0, variance bound² / 3; five standard errors of both.
        assert abs(values.mean()) < 5 * bound / np.sqrt(3 * values.size)
        assert abs(values.var() / (bound**2 / 3) - 1) < 5 * np.sqrt(0.8 / values.size)
    manual_seed(0)
    again = layer()
    assert again.weight.array.tobytes() == made.weight.array.tobytes()
    again.reset_parameters()
    assert again.weight.array.tobytes() != made.weight.array.tobytes()


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Conv2d(3, 4, 3), "Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1))"),
        (Conv2d(3, 4, (1, 5), 2, (0, 2)), "Conv2d(3, 4, kernel_size=(1, 5), stride=(2, 2), padding=(0, 2))"),
        (
            Conv2d(4, 4, 3, padding="same", dilation=2, groups=4, bias=False, padding_mode="reflect"),
            "Conv2d(4, 4, kernel_size=(3, 3), stride=(1, 1), padding='same', dilation=(2, 2), groups=4, bias=False, "
            "padding_mode='reflect')",
        ),
        (Conv1d(3, 4, 3, padding=1), "Conv1d(3, 4, kernel_size=(3,), stride=(1,), padding=(1,))"),
    ],
)
def test_repr(layer, says):
    assert repr(layer) == says


# --- by hand ---------------------------------------------------------------------------------------------


def test_gradients_add_up_until_they_are_forgotten():
    layer, x, g = Conv2d(2, 3, 3), randn(2, 2, 5, 5, dtype=F), randn(2, 3, 3, 3, dtype=F)
    for times in (1, 2, 3):
        layer(x)
        layer.backward(g)
        if times == 1:
            first = layer.weight.grad.numpy().copy(), layer.bias.grad.numpy().copy()
        np.testing.assert_allclose(layer.weight.grad, times * first[0], rtol=1e-6)
        np.testing.assert_allclose(layer.bias.grad, times * first[1], rtol=1e-6)
    layer.zero_grad()
    assert layer.weight.grad is None and layer.bias.grad is None


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_by_hand_is_the_slope(mode):
    layer = Conv2d(2, 2, (2, 3), stride=(2, 1), padding=1, padding_mode=mode, dtype=D)
    x = randn(2, 2, 4, 3)
    g, direction = randn(*layer(x).shape, seed=1), randn(*x.shape, seed=2)
    dx = layer.backward(g).numpy()
    step = 1e-6
    slope = np.vdot(layer(x + step * direction).numpy() - layer(x - step * direction).numpy(), g) / (2 * step)
    np.testing.assert_allclose(np.vdot(dx, direction), slope, rtol=1e-7, atol=1e-8)


def test_frozen_parameters_collect_nothing():
    layer = Conv2d(2, 3, 3).requires_grad_(False)
    y = layer(randn(1, 2, 4, 4, dtype=F))
    assert layer.backward(np.ones(y.shape, F)).shape == (1, 2, 4, 4)
    assert layer.weight.grad is None and layer.bias.grad is None


def test_gradients_belong_to_nobody_else():
    # 1 x 1 and one image: where views of what came in would be nearest.
    for size in (1, 3):
        layer = Conv2d(2, 2, size, padding=size // 2)
        x, g = Tensor(randn(1, 2, 4, 4, dtype=F)), Tensor(randn(1, 2, 4, 4, seed=1, dtype=F))
        layer(x)
        dx = layer.backward(g)
        parts = [x, g, dx, layer.weight, layer.bias, layer.weight.grad, layer.bias.grad]
        for at, one in enumerate(parts):
            assert not any(np.shares_memory(one.array, other.array) for other in parts[:at])
        kept = [part.numpy().copy() for part in parts]
        layer(randn(5, 2, 4, 4, seed=2, dtype=F))  # other work on the same scratch memory
        assert all(np.array_equal(part, before) for part, before in zip(parts, kept, strict=True))


# With two threads, the second may come to its first part, and to scratch memory of its own, at any step.
@pytest.mark.parametrize(("number", "most"), [(1, 20_000), (2, 1_500_000)])
def test_a_network_steps_and_nothing_grows(number, most, monkeypatch):
    monkeypatch.setattr(conv_blocked, "WORTH", 1 << 18)
    net = Sequential(
        Conv2d(3, 8, 3, padding=1), ReLU(), Conv2d(8, 8, 3, 2, 1, padding_mode="reflect"), ReLU()
    )
    x, g = randn(16, 3, 16, 16, dtype=F), randn(16, 8, 8, 8, dtype=F)

    def steps(count):
        for _ in range(count):
            net(x)
            net.backward(g)
        shards._workers().submit(int).result()  # what never began is out of the queue
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    with shards.threads(number):
        steps(5)
        tracemalloc.start()
        try:
            before = steps(1)
            assert steps(40) - before < most  # 40 inputs of the first layer are 2 MB
        finally:
            tracemalloc.stop()


def test_backward_before_forward_and_after_a_write():
    layer = Conv2d(2, 3, 3)
    with pytest.raises(GradientError, match=r"Conv2d\.backward: nothing to send back yet"):
        layer.backward(np.ones((1, 3, 3, 3), F))
    layer(randn(1, 2, 5, 5, dtype=F))
    with pytest.raises(ShapeError, match=r"\(1, 3, 3, 3\), but this one has \(1, 3, 3, 4\)"):
        layer.backward(np.ones((1, 3, 3, 4), F))
    with pytest.raises(DTypeError, match="gradient is int64"):
        layer.backward(np.ones((1, 3, 3, 3), np.int64))
    layer.weight.write(1.0)
    with pytest.raises(InPlaceError, match="weight"):
        layer.backward(np.ones((1, 3, 3, 3), F))
    assert layer.weight.grad is None and layer.bias.grad is None
