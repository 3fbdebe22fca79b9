"""What a pool cannot be, and what it cannot pool, is refused with the reason."""

import numpy as np
import pytest

from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.adaptive_pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    adaptive_avg_pool2d,
)
from tt_vision.avg_pooling import AvgPool1d, AvgPool2d, GlobalAvgPool2d, avg_pool2d
from tt_vision.max_pooling import MaxPool1d, MaxPool2d, max_pool2d

IMAGE = np.zeros((1, 2, 4, 4), np.float32)

ARGUMENTS = [
    (lambda: MaxPool2d(0), "kernel_size must be"),
    (lambda: MaxPool2d(-1), "kernel_size must be"),
    (lambda: MaxPool2d(2.0), "kernel_size must be"),
    (lambda: MaxPool2d(True), "kernel_size must be"),
    (lambda: MaxPool2d((2, 2, 2)), "kernel_size must be"),
    (lambda: MaxPool2d("2"), "kernel_size must be"),
    (lambda: MaxPool1d((2, 2)), "kernel_size must be"),
    (lambda: MaxPool2d(2, 0), "stride must be"),
    (lambda: MaxPool2d(2, (1, -1)), "stride must be"),
    (lambda: MaxPool2d(2, padding=-1), "padding must be"),
    (lambda: MaxPool2d(2, dilation=0), "dilation must be"),
    (lambda: MaxPool2d(2, padding=2), "more than half"),
    (lambda: MaxPool2d((3, 2), padding=(0, 2)), "more than half"),
    (lambda: MaxPool2d(2, padding=2, dilation=2), "more than half"),
    (lambda: AvgPool2d(3, padding=2), "more than half"),
    (lambda: AvgPool1d(3, padding=2), "more than half"),
    (lambda: MaxPool2d(2, 2, 0, 1, 1), "return_indices is True or False"),
    (lambda: MaxPool2d(2, ceil_mode="no"), "ceil_mode is True or False"),
    (lambda: AvgPool2d(2, 2, 0, 1), "ceil_mode is True or False"),
    (lambda: AvgPool2d(2, count_include_pad=None), "count_include_pad is True or False"),
    (lambda: AvgPool2d(2, divisor_override=0), "other than 0"),
    (lambda: AvgPool2d(2, divisor_override=1.5), "other than 0"),
    (lambda: avg_pool2d(IMAGE, 2, divisor_override=True), "other than 0"),
    (lambda: AdaptiveAvgPool2d(0), "output_size must be"),
    (lambda: AdaptiveMaxPool2d((2, -1)), "output_size must be"),
    (lambda: AdaptiveAvgPool2d((1, 2, 3)), "output_size is a size"),
    (lambda: AdaptiveAvgPool1d((1, 2)), "output_size is a size"),
    (lambda: AdaptiveMaxPool2d(2, 3), "return_indices is True or False"),
]


@pytest.mark.parametrize(("call", "message"), ARGUMENTS)
def test_arguments(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


SHAPES = [
    (MaxPool2d(5), (1, 2, 4, 4), "spans .5, 5."),
    (AvgPool2d(5), (1, 2, 4, 4), "spans .5, 5."),
    (MaxPool2d(3, dilation=2), (1, 2, 4, 9), "along height"),
    (MaxPool2d(2, padding=1), (1, 2, 0, 4), "nothing to pool"),
    (AvgPool2d(1), (1, 2, 4, 0), "nothing to pool"),
    (AdaptiveAvgPool2d(2), (1, 2, 0, 4), "nothing to pool"),
    (AdaptiveMaxPool2d(2), (1, 2, 4, 0), "nothing to pool"),
    (GlobalAvgPool2d(), (1, 2, 0, 4), "nothing to pool"),
    (MaxPool2d(2), (4, 4), r"\(N, C, H, W\) or \(C, H, W\)"),
    (AvgPool2d(2), (1, 1, 2, 4, 4), r"\(N, C, H, W\) or \(C, H, W\)"),
    (MaxPool1d(2), (1, 2, 4, 4), r"\(N, C, L\) or \(C, L\)"),
    (GlobalAvgPool2d(), (4,), r"\(N, C, H, W\)"),
]


@pytest.mark.parametrize(("layer", "shape", "message"), SHAPES)
def test_shapes(layer, shape, message):
    with pytest.raises(ShapeError, match=message):
        layer(np.zeros(shape, np.float32))


def test_a_gradient_of_another_shape():
    layer = MaxPool2d(2)
    layer(IMAGE)
    with pytest.raises(ShapeError, match="shape of the output"):
        layer.backward(np.zeros((1, 2, 4, 4), np.float32))


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_a_mean_of_integers(dtype):
    for call in (lambda x: avg_pool2d(x, 2), lambda x: adaptive_avg_pool2d(x, 2), GlobalAvgPool2d()):
        with pytest.raises(DTypeError, match="astype"):
            call(IMAGE.astype(dtype))
    if dtype is bool:
        with pytest.raises(DTypeError, match="astype"):
            max_pool2d(IMAGE.astype(dtype), 2)


@pytest.mark.parametrize("stride", [None, 2, (2, 2), [2, 2], np.int64(2)])
def test_numbers_may_come_in_any_form(stride):
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 4))
    np.testing.assert_array_equal(MaxPool2d(2, stride)(x), MaxPool2d((2, 2))(x))
    np.testing.assert_array_equal(AvgPool2d((2,), stride)(x), AvgPool2d(2)(x))
