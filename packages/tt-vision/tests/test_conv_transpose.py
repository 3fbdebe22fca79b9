"""ConvTranspose1d, ConvTranspose2d: the way back of a convolution. PyTorch's values: test_convolution_goldens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_tensor import manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.channels import channels_last
from tt_vision.conv import Conv2d, conv1d, conv2d
from tt_vision.conv_transpose import ConvTranspose1d, ConvTranspose2d, conv_transpose1d, conv_transpose2d

F, D = np.float32, np.float64


def randn(*shape, seed=0, dtype=D):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def test_each_pixel_paints_its_filter():
    x, brush = np.array([[[[1.0, 0.0], [0.0, 2.0]]]]), np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    y = conv_transpose2d(x, brush, stride=2)
    assert y.tolist() == [[[[1, 2, 0, 0], [3, 4, 0, 0], [0, 0, 2, 4], [0, 0, 6, 8]]]]
    y = conv_transpose2d(x, brush)
    assert y.tolist() == [[[[1, 2, 0], [3, 4 + 2, 4], [0, 6, 8]]]]


few = st.integers(1, 3)


@settings(max_examples=60)
@given(st.data())
def test_it_is_the_adjoint_of_the_convolution(data):
    """⟨conv(x), g⟩ = ⟨x, conv_transpose(g)⟩, for an image of any of the sizes that output_padding names."""
    draw = data.draw
    size, stride, dilation = (draw(st.tuples(few, few)) for _ in range(3))
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    padding = tuple(draw(st.integers(0, 2)) for _ in reach)
    more = tuple(draw(st.integers(0, s - 1)) for s in stride)
    # As many places as leave a pixel.
    places = [
        draw(st.integers(max(1, -(-(2 * p - r + 1 - m) // s) + 1), 5))
        for p, r, s, m in zip(padding, reach, stride, more, strict=True)
    ]
    groups = draw(few)
    w, g = randn(2 * groups, 2, *size), randn(2, 2 * groups, *places, seed=1)
    y = conv_transpose2d(g, w, None, stride, padding, more, groups, dilation)
    image = [
        (n - 1) * s - 2 * p + r + m
        for n, s, p, r, m in zip(places, stride, padding, reach, more, strict=True)
    ]
    assert y.shape == (2, 2 * groups, *image)
    x = randn(*y.shape, seed=2)
    back = conv2d(x, w, None, stride, padding, dilation, groups)
    assert back.shape == g.shape
    np.testing.assert_allclose(np.vdot(back.numpy(), g), np.vdot(x, y.numpy()), atol=1e-10)


def test_what_the_image_has_more_than_the_filters_reach_is_the_bias():
    # Dilation 3 allows 2 pixels more at stride 1, where a convolution of such an image would have more places.
    x, w, b = randn(2, 3, 4, 5), randn(3, 2, 2, 2, seed=1), np.array([5.0, -7.0])
    y = conv_transpose2d(x, w, b, output_padding=(2, 1), dilation=3)
    plain = conv_transpose2d(x, w, b, dilation=3)
    assert y.shape == (2, 2, 7 + 2, 8 + 1)
    np.testing.assert_array_equal(y[:, :, :7, :8], plain)
    assert (y[:, :, 7:].numpy() == b[:, None, None]).all() and (y[..., 8:].numpy() == b[:, None, None]).all()
    layer = ConvTranspose2d(3, 2, 2, output_padding=(2, 1), dilation=3, dtype=D)
    layer.load_state_dict({"weight": w, "bias": b})
    np.testing.assert_array_equal(layer(x), y)
    g = randn(*y.shape, seed=2)
    dx = layer.backward(g)
    np.testing.assert_allclose(dx, conv2d(g[:, :, :7, :8], w, dilation=3), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.bias.grad, g.sum(axis=(0, 2, 3)))
    # The next forward without them leaves nothing of that behind.
    assert layer(x, output_size=(7, 8)).shape == (2, 2, 7, 8)
    assert layer.backward(randn(2, 2, 7, 8)).shape == x.shape


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (2, 4, 3, 4)),
        ({"stride": 2, "padding": 1, "output_padding": 1}, (4, 3, 4)),
        ({"groups": 2, "dilation": (1, 2), "stride": 3}, (2, 4, 1, 2)),
    ],
    ids=str,
)
def test_the_layer_is_the_function_with_parameters(options, shape):
    for bias in (False, True):
        layer = ConvTranspose2d(4, 6, 3, bias=bias, dtype=D, **options)
        assert np.array_equal(
            layer(randn(*shape)), conv_transpose2d(randn(*shape), layer.weight, layer.bias, **options)
        )


def test_one_axis_is_two_of_which_one_is_of_height_one():
    x, w, b = randn(2, 4, 5), randn(4, 3, 3, seed=1), randn(6, seed=2)
    y = conv_transpose1d(x, w, b, 2, 1, 1, 2, 2)
    wanted = conv_transpose2d(x[:, :, None], w[:, :, None], b, (1, 2), (0, 1), (0, 1), 2, (1, 2))
    assert np.array_equal(y, wanted[:, :, 0])
    layer = ConvTranspose1d(4, 6, 3, 2, 1, 1, 2, dilation=2, dtype=D)
    layer.load_state_dict({"weight": w, "bias": b})
    assert np.array_equal(layer(x), y)
    assert layer.backward(randn(*y.shape)).shape == x.shape
    np.testing.assert_allclose(layer(x[0]), y[0], rtol=1e-12, atol=1e-12)
    back = conv1d(y, w, None, 2, 1, 2, 2)
    assert back.shape == x.shape


@pytest.mark.parametrize("size", [(7, 8), (8, 9), [7, 9], (2, 2, 8, 8)])
def test_output_size_is_the_output_padding_that_gives_it(size):
    layer = ConvTranspose2d(3, 2, 3, stride=2, padding=1, dtype=D)
    x = randn(2, 3, 4, 4)
    with pytest.raises(ShapeError, match=r"output_size 9 must lie between \(7, 7\) and \(8, 8\)"):
        layer(x, output_size=9)
    wanted = tuple(size)[-2:]
    if max(wanted) > 8:
        with pytest.raises(
            ShapeError, match=r"must lie between \(7, 7\) and \(8, 8\) .*shape \(2, 3, 4, 4\)"
        ):
            layer(x, output_size=size)
        return
    y = layer(x, output_size=size)
    more = tuple(n - 7 for n in wanted)
    assert y.shape == (2, 2, *wanted)
    assert np.array_equal(y, conv_transpose2d(x, layer.weight, layer.bias, 2, 1, more))
    assert layer.backward(randn(*y.shape)).shape == x.shape
    np.testing.assert_allclose(layer(x[0], output_size=(2, *wanted)), y[0], rtol=1e-12, atol=1e-12)


def test_output_size_of_samples():
    layer = ConvTranspose1d(3, 2, 3, stride=3)
    assert layer(randn(2, 3, 4, dtype=F), output_size=14).shape == (2, 2, 14)
    assert layer(randn(2, 3, 4, dtype=F), output_size=(2, 2, 13)).shape == (2, 2, 13)
    with pytest.raises(ShapeError, match=r"output_size \(15,\) must lie between \(12,\) and \(14,\)"):
        layer(randn(2, 3, 4, dtype=F), output_size=(15,))


@pytest.mark.parametrize("size", [7.5, "7", (7,), (1, 7, 7, 7, 7), (7, None), None], ids=repr)
def test_no_output_size(size):
    layer = ConvTranspose2d(3, 2, 3, stride=2, padding=1)
    x = randn(2, 3, 4, 4, dtype=F)
    if size is None or size == (7,):  # one number for both axes
        assert layer(x, output_size=size).shape == (2, 2, 7, 7)
        return
    with pytest.raises(ArgumentError, match="ConvTranspose2d: output_size must be a whole number"):
        layer(x, output_size=size)


def test_by_hand_is_the_slope():
    layer = ConvTranspose2d(4, 2, (3, 2), (2, 3), (1, 0), (1, 2), 2, dilation=(1, 2), dtype=D)
    x = randn(2, 4, 3, 2)
    g, direction = randn(*layer(x).shape, seed=1), randn(*x.shape, seed=2)
    dx, step = layer.backward(g).numpy(), 1e-6
    slope = np.vdot(layer(x + step * direction).numpy() - layer(x - step * direction).numpy(), g) / (2 * step)
    np.testing.assert_allclose(np.vdot(dx, direction), slope, rtol=1e-7, atol=1e-8)
    w, turn = layer.weight.numpy().copy(), randn(*layer.weight.shape, seed=3)
    values = []
    for sign in (1, -1):
        layer.weight.write(w + sign * step * turn)
        values.append(np.vdot(layer(x).numpy(), g))
    slope = (values[0] - values[1]) / (2 * step)
    np.testing.assert_allclose(np.vdot(layer.weight.grad.numpy(), turn), slope, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(layer.bias.grad, g.sum(axis=(0, 2, 3)))


def test_enlarging_and_reducing_give_the_size_back():
    down, up = Conv2d(3, 8, 4, stride=2, padding=1), ConvTranspose2d(8, 3, 4, stride=2, padding=1)
    x = randn(5, 3, 12, 10, dtype=F)
    y = up(down(x))
    assert y.shape == x.shape and y.dtype == F
    assert np.shares_memory(channels_last(y.array), y.array)


@pytest.mark.parametrize("dtype", [np.float16, F, D])
def test_dtypes(dtype):
    layer = ConvTranspose2d(2, 3, 3, stride=2, dtype=dtype)
    y = layer(randn(2, 2, 3, 3, dtype=dtype))
    dx = layer.backward(randn(*y.shape, dtype=dtype))
    assert {part.dtype for part in (layer.weight, y, dx, layer.weight.grad, layer.bias.grad)} == {
        np.dtype(dtype)
    }


@pytest.mark.parametrize("shape", [(0, 2, 3, 3), (0, 2, 1, 1)])
def test_no_images(shape):
    layer = ConvTranspose2d(2, 3, 3, stride=2)
    y = layer(np.zeros(shape, F))
    assert y.shape == (0, 3, 2 * shape[2] + 1, 2 * shape[3] + 1)
    assert layer.backward(np.zeros(y.shape, F)).shape == shape and not layer.weight.grad.numpy().any()


def test_parameters_have_pytorchs_names_and_bounds():
    manual_seed(0)
    layer = ConvTranspose2d(40, 60, 5, groups=4)
    assert {name: t.shape for name, t in layer.state_dict().items()} == {
        "weight": (40, 15, 5, 5),
        "bias": (60,),
    }
    assert [name for name, _ in ConvTranspose1d(4, 6, 3, bias=False).named_parameters()] == ["weight"]
    bound = (15 * 25) ** -0.5  # PyTorch takes the second axis for what comes in
    for values in (layer.weight.numpy(), layer.bias.numpy()):
        assert np.abs(values).max() <= bound
        assert abs(values.mean()) < 5 * bound / np.sqrt(3 * values.size)
        assert abs(values.var() / (bound**2 / 3) - 1) < 5 * np.sqrt(0.8 / values.size)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (ConvTranspose2d(3, 4, 3), "ConvTranspose2d(3, 4, kernel_size=(3, 3), stride=(1, 1))"),
        (
            ConvTranspose2d(4, 4, 3, 2, 1, 1, 2, False, 2),
            "ConvTranspose2d(4, 4, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1), "
            "dilation=(2, 2), groups=2, bias=False)",
        ),
        (ConvTranspose1d(3, 4, 3, 2), "ConvTranspose1d(3, 4, kernel_size=(3,), stride=(2,))"),
    ],
)
def test_repr(layer, says):
    assert repr(layer) == says


# --- wrong calls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"in_channels": 1.5}, "in_channels must be a whole number from 0 up, not 1.5"),
        ({"kernel_size": 0}, "kernel_size must be .* from 1 up, not 0"),
        ({"stride": -1}, "stride must be .* from 1 up, not -1"),
        ({"padding": -1}, "padding must be .* from 0 up, not -1"),
        ({"padding": "same"}, "padding is numbers here, not 'same'"),
        ({"dilation": 0}, "dilation must be .* from 1 up, not 0"),
        ({"groups": 3}, "in_channels = 4 cannot be shared out to groups = 3"),
        ({"groups": None}, "groups must be a whole number from 1 up, not None"),
        ({"padding_mode": "reflect"}, "padding_mode can only be 'zeros', not 'reflect'"),
        ({"output_padding": 1}, "output_padding 1 must be less than stride 1 or dilation 1"),
        ({"output_padding": 3, "stride": 2, "dilation": 3}, "output_padding 3 must be less than .* 2 or .* 3"),
        ({"output_padding": -1}, "output_padding must be .* from 0 up, not -1"),
        ({"output_padding": "1"}, "output_padding must be .* not '1'"),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("layer", [ConvTranspose1d, ConvTranspose2d])
def test_wrong_settings(layer, arguments, says):
    with pytest.raises(ArgumentError, match=f"^{layer.__name__}: .*{says}"):
        layer(**{"in_channels": 4, "out_channels": 4, "kernel_size": 3, **arguments})


@pytest.mark.parametrize(
    ("x", "error", "says"),
    [
        (
            np.ones((1, 2, 5, 5), F),
            ShapeError,
            r"\(1, 2, 5, 5\) has 2 channels, but the weight \(3, 4, 2, 2\) takes 3",
        ),
        (
            np.ones((5, 5), F),
            ShapeError,
            r"input has shape \(5, 5\); it must be \(N, C, H, W\) or \(C, H, W\)",
        ),
        (np.ones((1, 1, 3, 5, 5), F), ShapeError, r"input has shape \(1, 1, 3, 5, 5\)"),
        (
            np.ones((1, 3, 2, 5), F),
            ShapeError,
            r"input of shape \(1, 3, 2, 5\) with padding .* leaves no pixel",
        ),
        (np.ones((1, 3, 5, 5), np.int64), DTypeError, "the input is int64"),
    ],
)
def test_wrong_inputs(x, error, says):
    with pytest.raises(error, match=f"^(ConvTranspose2d|conv_transpose): .*{says}"):
        ConvTranspose2d(3, 4, 2, padding=2)(x)


@pytest.mark.parametrize(
    ("weight", "bias", "options", "error", "says"),
    [
        ((4, 3, 3), None, {}, ShapeError, r"weight has shape \(4, 3, 3\); it must have 4 axes"),
        ((3, 3, 3, 3), None, {}, ShapeError, "has 4 channels.*takes 3"),
        ((4, 3, 3, 3), None, {"groups": 3}, ShapeError, "4 filters.*3 groups"),
        ((4, 3, 3, 3), [1.0], {}, ShapeError, r"bias has shape \(1,\); \(3,\) is needed"),
        ((4, 3, 3, 3), [1, 2, 3], {}, DTypeError, "bias is int64"),
        (
            (4, 3, 3, 3),
            None,
            {"output_padding": 2, "stride": 2},
            ArgumentError,
            "output_padding 2 must be less than",
        ),
    ],
)
def test_wrong_calls_of_the_function(weight, bias, options, error, says):
    with pytest.raises(error, match=says):
        conv_transpose2d(np.ones((1, 4, 5, 5), F), np.ones(weight, F), bias, **options)
