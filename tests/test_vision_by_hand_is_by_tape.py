"""By hand and by tape, the same rules in the same order: equal bits, for every module and network of tt_vision."""

import numpy as np
import pytest
from both_ways import layer_by_hand, layer_by_tape, parameters_of, same_bits

import tt_nn as nn
import tt_vision as vision
from tt_nn import shards
from tt_tensor import Tensor, kernels

IMAGES = [(1, 4, 7, 5), (3, 4, 8, 8), (4, 6, 6)]
BATCHES = [(2, 4, 7, 5), (5, 4, 8, 8), (40, 4, 33, 31)]
ROWS = [(1, 4, 9), (3, 4, 8)]
HALVES = [(2, 8, 4, 6), (8, 3, 3)]

# module → ways to make it, shapes of inputs
LAYERS = {
    vision.Conv1d: (
        [lambda c: vision.Conv1d(c, 6, 3, 2, 1), lambda c: vision.Conv1d(c, 4, 2, groups=2, bias=False)],
        ROWS,
    ),
    vision.Conv2d: (
        [
            lambda c: vision.Conv2d(c, 6, 3, padding=1),
            lambda c: vision.Conv2d(c, 4, (3, 2), (2, 1), dilation=2, bias=False),
            lambda c: vision.Conv2d(c, 2 * c, 3, groups=c, padding="same", padding_mode="reflect"),
            lambda c: vision.Conv2d(c, 8, 1),
        ],
        [*IMAGES, (130, 4, 17, 16)],
    ),
    vision.ConvTranspose1d: ([lambda c: vision.ConvTranspose1d(c, 6, 3, 2, 1, 1)], ROWS),
    vision.ConvTranspose2d: (
        [
            lambda c: vision.ConvTranspose2d(c, 6, 3, 2, 1, 1),
            lambda c: vision.ConvTranspose2d(c, 4, 2, groups=2),
        ],
        IMAGES,
    ),
    vision.MaxPool1d: ([lambda c: vision.MaxPool1d(3, 2, 1)], ROWS),
    vision.MaxPool2d: (
        [
            lambda c: vision.MaxPool2d(2),
            lambda c: vision.MaxPool2d(3, 2, 1),
            lambda c: vision.MaxPool2d(2, 1),
        ],
        [*IMAGES, (40, 4, 64, 64)],
    ),
    vision.AvgPool1d: ([lambda c: vision.AvgPool1d(3, 2, 1)], ROWS),
    vision.AvgPool2d: ([lambda c: vision.AvgPool2d(2), lambda c: vision.AvgPool2d(3, 2, 1, True)], IMAGES),
    vision.AdaptiveAvgPool1d: ([lambda c: vision.AdaptiveAvgPool1d(3)], ROWS),
    vision.AdaptiveAvgPool2d: (
        [lambda c: vision.AdaptiveAvgPool2d(1), lambda c: vision.AdaptiveAvgPool2d((3, 2))],
        IMAGES,
    ),
    vision.AdaptiveMaxPool2d: ([lambda c: vision.AdaptiveMaxPool2d((3, 2))], IMAGES),
    vision.AdaptiveMaxPool1d: ([lambda c: vision.AdaptiveMaxPool1d(3)], ROWS),
    vision.Unfold: (
        [lambda c: vision.Unfold(3, padding=1), lambda c: vision.Unfold((2, 1), 2, stride=2)],
        IMAGES,
    ),
    vision.Fold: ([lambda c: vision.Fold((5, 6), 2, stride=3)], [(3, 8, 4), (12, 4)]),
    vision.ZeroPad1d: ([lambda c: vision.ZeroPad1d(1)], ROWS),
    vision.ConstantPad1d: ([lambda c: vision.ConstantPad1d((1, 2), 3.0)], ROWS),
    vision.ReflectionPad1d: ([lambda c: vision.ReflectionPad1d((1, 2))], ROWS),
    vision.ReplicationPad1d: ([lambda c: vision.ReplicationPad1d(2)], ROWS),
    vision.CircularPad1d: ([lambda c: vision.CircularPad1d(1)], ROWS),
    vision.GlobalAvgPool2d: ([lambda c: vision.GlobalAvgPool2d()], IMAGES),
    vision.BatchNorm1d: ([vision.BatchNorm1d], [(4, 5), (3, 4, 7)]),
    vision.BatchNorm2d: ([vision.BatchNorm2d, lambda c: vision.BatchNorm2d(c, affine=False)], BATCHES),
    vision.GroupNorm: ([lambda c: vision.GroupNorm(2, c)], BATCHES),
    vision.InstanceNorm1d: ([lambda c: vision.InstanceNorm1d(c, affine=True)], ROWS),
    vision.InstanceNorm2d: ([vision.InstanceNorm2d], BATCHES),
    vision.Dropout1d: ([lambda c: vision.Dropout1d(0.3)], ROWS),
    vision.Dropout2d: ([lambda c: vision.Dropout2d(0.3)], BATCHES),
    vision.Upsample: (
        [
            lambda c: vision.Upsample(scale_factor=2),
            lambda c: vision.Upsample((9, 11), mode="bilinear", align_corners=True),
        ],
        BATCHES[:2],
    ),
    vision.PixelShuffle: ([lambda c: vision.PixelShuffle(2)], [(2, 8, 4, 6), (4, 3, 3)]),
    vision.PixelUnshuffle: ([lambda c: vision.PixelUnshuffle(2)], [(2, 3, 4, 6), (4, 2, 8)]),
    vision.ZeroPad2d: ([lambda c: vision.ZeroPad2d(1)], IMAGES),
    vision.ConstantPad2d: ([lambda c: vision.ConstantPad2d((1, 2, 0, 1), 3.0)], IMAGES),
    vision.ReflectionPad2d: ([lambda c: vision.ReflectionPad2d((1, 2, 0, 1))], IMAGES),
    vision.ReplicationPad2d: ([lambda c: vision.ReplicationPad2d(2)], IMAGES),
    vision.CircularPad2d: ([lambda c: vision.CircularPad2d(1)], IMAGES),
}

OF_ROWS = (vision.Conv1d, vision.ConvTranspose1d, vision.InstanceNorm1d, vision.BatchNorm1d)
"""Layers of (N, C) and (N, C, L)."""

MODELS = {
    "mlp": (lambda: vision.models.mlp(12, [8], 3), (5, 3, 2, 2)),
    "lenet5": (lambda: vision.models.lenet5(), (3, 1, 28, 28)),
    "lenet5 of 1998": (lambda: vision.models.lenet5(style="1998"), (3, 1, 28, 28)),
    "cifar_cnn": (lambda: vision.models.cifar_cnn(), (4, 3, 32, 32)),
    "resnet20": (lambda: vision.models.resnet20(), (2, 3, 16, 16)),
}


def modules():
    found = map(vision.__dict__.get, vision.__all__)
    return [x for x in found if isinstance(x, type) and issubclass(x, nn.Module)]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_every_module_is_here(module):
    assert module in LAYERS


def channels_last(x):
    """The same numbers, the channels of a pixel side by side."""
    return np.ascontiguousarray(np.moveaxis(x, -3, -1)).transpose(
        *range(x.ndim - 3), x.ndim - 1, x.ndim - 3, x.ndim - 2
    )


def compare(layer, x, rng):
    for p in layer.parameters():
        p.write(rng.normal(size=p.shape))
    before = {name: np.array(buffer) for name, buffer in layer.named_buffers()}

    def reset():
        for name, buffer in layer.named_buffers():
            buffer.write(before[name])

    g = rng.normal(size=layer(Tensor(x)).shape).astype(x.dtype)
    found = []
    for way in (layer_by_hand, layer_by_tape):
        reset()
        found.append([*way(layer, x, g), *way(layer, x * 2, g), *parameters_of(layer)])
        found[-1] += [buffer.clone() for buffer in layer.buffers()]
    same_bits(*found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_layers(kind, dtype):
    makers, shapes = LAYERS[kind]
    for number, make in enumerate(makers):
        for shape in shapes:
            rng = np.random.default_rng(number)
            x = rng.normal(size=shape).astype(dtype)
            channels = shape[1] if kind in OF_ROWS or len(shape) == 4 else shape[0]
            compare(make(channels).to(dtype), x, rng)
            if len(shape) == 4:
                compare(make(channels).to(dtype), channels_last(x), rng)


@pytest.mark.parametrize("kind", [vision.BatchNorm2d, vision.Dropout2d, vision.InstanceNorm2d])
def test_layers_in_eval(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4, 6, 5)).astype(np.float32)
    layer = kind(4) if kind is not vision.Dropout2d else kind(0.5)
    compare(layer.eval(), x, rng)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_network_gives_the_same_by_hand_and_by_tape_whatever_the_threads(threads):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        vision.Conv2d(3, 16, 3, padding=1, bias=False),
        vision.BatchNorm2d(16),
        nn.ReLU(),
        vision.MaxPool2d(2),
        vision.Conv2d(16, 32, 3, 2, padding=1),
        nn.GELU(),
        vision.Dropout2d(0.2),
        vision.GlobalAvgPool2d(),
        nn.Linear(32, 10),
    )
    # Where kernels are compiled, the tape would have batch norm, ReLU and pooling in one, with sums in another order.
    with shards.threads(threads), kernels.use("numpy", "batch_norm_relu"):
        compare(model, rng.normal(size=(96, 3, 32, 32)).astype(np.float32), rng)


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    make, shape = MODELS[name]
    rng = np.random.default_rng(0)
    compare(make(), rng.normal(size=shape).astype(np.float32), rng)
