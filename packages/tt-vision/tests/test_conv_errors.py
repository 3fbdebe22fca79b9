"""Conv1d, Conv2d: every wrong setting and call is a typed error with the numbers in it."""

import numpy as np
import pytest

from tt_tensor.errors import ArgumentError, DTypeError, ShapeError, TTError
from tt_vision.conv import Conv1d, Conv2d, conv2d

F = np.float32


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"in_channels": -1}, "in_channels must be a whole number from 0 up, not -1"),
        ({"in_channels": 2.0}, "in_channels must be a whole number from 0 up, not 2.0"),
        ({"out_channels": "4"}, "out_channels must be a whole number from 0 up, not '4'"),
        ({"out_channels": True}, "out_channels must be a whole number from 0 up, not True"),
        ({"kernel_size": 0}, "kernel_size must be a whole number.* from 1 up, not 0"),
        ({"kernel_size": (3, 0)}, r"kernel_size must be .*not \(3, 0\)"),
        ({"kernel_size": (1, 2, 3)}, r"kernel_size must be .*not \(1, 2, 3\)"),
        ({"kernel_size": 2.5}, "kernel_size must be .*not 2.5"),
        ({"kernel_size": None}, "kernel_size must be .*not None"),
        ({"stride": 0}, "stride must be .* from 1 up, not 0"),
        ({"stride": (1, -2)}, r"stride must be .*not \(1, -2\)"),
        ({"stride": "2"}, "stride must be .*not '2'"),
        ({"padding": -1}, "padding must be .* from 0 up, not -1"),
        ({"padding": (0, 1, 2)}, r"padding must be .*not \(0, 1, 2\)"),
        ({"padding": 0.5}, "padding must be .*not 0.5"),
        ({"padding": "full"}, "padding is numbers, 'same' or 'valid', not 'full'"),
        ({"padding": "same", "stride": 2}, "padding 'same' keeps the size of the image, which stride 2 does not"),
        ({"dilation": 0}, "dilation must be .* from 1 up, not 0"),
        ({"dilation": [1, 2, 3]}, r"dilation must be .*not \[1, 2, 3\]"),
        ({"groups": 0}, "groups must be a whole number from 1 up, not 0"),
        ({"groups": 1.0}, "groups must be a whole number from 1 up, not 1.0"),
        ({"groups": True}, "groups must be a whole number from 1 up, not True"),
        ({"groups": 3}, "in_channels = 4 cannot be shared out to groups = 3"),
        ({"groups": 4, "out_channels": 6}, "out_channels = 6 cannot be shared out to groups = 4"),
        ({"padding_mode": "wrap"}, "padding_mode 'wrap' is not one of zeros, reflect, replicate, circular"),
        ({"padding_mode": None}, "padding_mode None is not one of"),
        ({"padding_mode": ["zeros"]}, r"padding_mode \['zeros'\] is not one of"),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("layer", [Conv1d, Conv2d])
def test_wrong_settings(layer, arguments, says):
    with pytest.raises(ArgumentError, match=f"^{layer.__name__}: .*{says}") as raised:
        layer(**{"in_channels": 4, "out_channels": 4, "kernel_size": 3, **arguments})
    assert isinstance(raised.value, ValueError)


def test_a_kernel_of_two_axes_is_none_of_one():
    with pytest.raises(
        ArgumentError, match=r"Conv1d: kernel_size must be a whole number from 1 up, not \(2, 3\)"
    ):
        Conv1d(4, 4, (2, 3))


@pytest.mark.parametrize("dtype", [np.int64, bool, "float99", complex])
def test_wrong_dtypes(dtype):
    with pytest.raises(TTError):
        Conv2d(3, 4, 3, dtype=dtype)


@pytest.mark.parametrize(
    ("x", "error", "says"),
    [
        (np.ones((1, 2, 5, 5), F), ShapeError, r"input of shape \(1, 2, 5, 5\) has 2 channels.*takes 3"),
        (
            np.ones((5, 5), F),
            ShapeError,
            r"input has shape \(5, 5\); it must be \(N, C, H, W\) or \(C, H, W\)",
        ),
        (np.ones((1, 1, 3, 5, 5), F), ShapeError, r"input has shape \(1, 1, 3, 5, 5\)"),
        (np.float32(1.0), ShapeError, r"input has shape \(\)"),
        (
            np.ones((1, 3, 3, 5), F),
            ShapeError,
            r"spans \(4, 4\) pixels, but the image \(3, 5\).* only 3 along height",
        ),
        (np.ones((1, 3, 5, 0), F), ShapeError, r"the image \(5, 0\).* only 0 along width"),
        (np.ones((1, 3, 5, 5), np.uint8), DTypeError, r"the input is uint8; use x.astype\('float32'\) first"),
        (np.ones((1, 3, 5, 5), bool), DTypeError, "the input is bool"),
        (np.ones((1, 3, 5, 5), complex), DTypeError, "complex128"),
        ("an image", DTypeError, "dtype"),
        (None, DTypeError, "NoneType"),
        ([[1.0], [2.0, 3.0]], ShapeError, "ragged"),
    ],
)
def test_wrong_inputs(x, error, says):
    with pytest.raises(error, match=says):
        Conv2d(3, 4, 4)(x)


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("reflect", "pad: 5 pixels before and 5 after do not fit an image of height 5 with mode 'reflect'"),
        ("circular", "pad: 6 pixels before and 6 after do not fit an image of height 5 with mode 'circular'"),
    ],
)
def test_too_few_pixels_to_go_around(mode, says):
    with pytest.raises(ShapeError, match=says):
        Conv2d(1, 1, 3, padding=int(says.split()[1]), padding_mode=mode)(np.ones((1, 1, 5, 9), F))


@pytest.mark.parametrize(
    ("weight", "bias", "options", "error", "says"),
    [
        (
            (4, 3, 3),
            None,
            {},
            ShapeError,
            r"weight has shape \(4, 3, 3\); it must be \(O, C / groups, kh, kw\)",
        ),
        ((4, 3, 0, 3), None, {}, ArgumentError, r"kernel_size must be .* from 1 up, not \(0, 3\)"),
        (
            (4, 2, 3, 3),
            None,
            {},
            ShapeError,
            r"has 4 channels, but the weight \(4, 2, 3, 3\) in 1 groups takes 2",
        ),
        ((3, 2, 3, 3), None, {"groups": 2}, ShapeError, r"3 filters of the weight \(3, 2, 3, 3\).*2 groups"),
        ((4, 4, 3, 3), 1.0, {}, ShapeError, r"bias has shape \(\); \(4,\) is needed"),
        ((4, 4, 3, 3), [1.0, 2.0], {}, ShapeError, r"bias has shape \(2,\); \(4,\) is needed"),
        ((4, 4, 3, 3), [1, 2, 3, 4], {}, DTypeError, "bias is int64"),
        ((4, 4, 3, 3), "no", {}, DTypeError, "dtype"),
        ((4, 4, 3, 3), None, {"groups": 0}, ArgumentError, "conv2d: groups must be .*not 0"),
        (
            (4, 4, 3, 3),
            None,
            {"padding": "full"},
            ArgumentError,
            "conv2d: padding is numbers, 'same' or 'valid'",
        ),
    ],
)
def test_wrong_calls_of_the_function(weight, bias, options, error, says):
    with pytest.raises(error, match=says):
        conv2d(np.ones((1, 4, 5, 5), F), np.ones(weight, F), bias, **options)
    with pytest.raises(DTypeError, match="weight is int64"):
        conv2d(np.ones((1, 4, 5, 5), F), np.ones((4, 4, 3, 3), np.int64))
