"""The three derivatives of the trilinear form, over one list of geometries."""

import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_vision.convolution import ConvFunction, ConvTransposeFunction, ConvWeightFunction
from tt_vision.window import Window

NONE = ((0, 0), (0, 0))

# name → shape of the images, number of filters, window; small, as each entry of each operand is moved.
GEOMETRIES = {
    "plain": ((2, 2, 4, 3), 3, Window((3, 2))),
    "padded": ((1, 2, 3, 3), 2, Window((3, 3), (1, 1), ((1, 1), (1, 1)))),
    "uneven padding": ((1, 1, 3, 4), 2, Window((2, 3), (1, 1), ((0, 1), (2, 0)))),
    "more padding than reach": ((1, 1, 2, 2), 2, Window((2, 1), (1, 1), ((3, 2), (1, 0)))),
    "stride": ((1, 2, 5, 6), 2, Window((2, 3), (2, 3))),
    "stride that leaves a rest": ((1, 1, 6, 4), 2, Window((3, 2), (2, 3), ((0, 0), (1, 0)))),
    "stride beyond the kernel": ((1, 2, 5, 4), 1, Window((1, 2), (3, 3))),
    "dilation": ((1, 1, 5, 4), 2, Window((2, 2), (1, 1), ((0, 1), (1, 0)), (3, 2))),
    "dilation and stride": ((1, 1, 6, 5), 2, Window((2, 3), (2, 1), ((1, 1), (2, 2)), (3, 2))),
    "groups": ((2, 4, 3, 3), 2, Window((2, 2), (1, 1), ((1, 0), (0, 1)), groups=2)),
    "groups and stride": ((1, 4, 4, 3), 4, Window((2, 2), (2, 2), ((1, 1), (1, 1)), groups=2)),
    "depthwise": ((1, 3, 3, 4), 3, Window((3, 2), (1, 1), ((1, 1), (1, 0)), groups=3)),
    "depthwise, two filters a channel": ((1, 2, 3, 3), 4, Window((2, 2), (2, 1), NONE, (1, 2), groups=2)),
    "1x1": ((2, 3, 2, 3), 2, Window((1, 1))),
    "1x1 and stride": ((1, 2, 4, 5), 2, Window((1, 1), (2, 3))),
    "1x1 and padding": ((1, 2, 2, 2), 2, Window((1, 1), (1, 1), ((1, 0), (0, 2)))),
    "1x1 in groups": ((1, 4, 2, 2), 4, Window((1, 1), groups=2)),
    "one place": ((2, 2, 3, 2), 3, Window((3, 2))),
    "one pixel": ((1, 1, 1, 1), 1, Window((1, 1))),
    "nothing but padding": ((1, 1, 0, 2), 2, Window((2, 2), (1, 1), ((1, 1), (0, 1)))),
    "no images": ((0, 2, 3, 3), 2, Window((2, 2))),
    "no channels": ((1, 0, 3, 3), 2, Window((2, 2))),
    "no filters": ((1, 2, 3, 3), 0, Window((2, 2))),
    "unbatched": ((2, 4, 3), 2, Window((2, 2), (2, 1), ((1, 1), (0, 1)))),
    "samples": ((2, 2, 5), 3, Window((1, 3), (1, 1), ((0, 0), (1, 1)), dims=1)),
    "samples, stride, dilation": ((1, 2, 8), 2, Window((1, 3), (1, 2), ((0, 0), (1, 2)), (1, 2), dims=1)),
    "samples in groups": ((2, 4, 4), 2, Window((1, 2), groups=2, dims=1)),
    "samples, unbatched": ((2, 5), 2, Window((1, 2), (1, 2), dims=1)),
}


def places(images, filters, window):
    """The shape of what a convolution makes."""
    *batch, _, height, width = (*images[:-1], 1, images[-1]) if window.dims == 1 else images
    found = window.output((height, width), "case")
    return (*batch, filters, *found[2 - window.dims :])


def weights(images, filters, window):
    channels = images[-window.dims - 1]
    return (filters, channels // window.groups, *window.size[2 - window.dims :])


def size(images, window):
    return (1, images[-1]) if window.dims == 1 else images[-2:]


def convolutions(name, images, filters, window):
    x, w = sample(images, 1), sample(weights(images, filters, window), 2)
    bias = (sample((filters,), 3),) if len(name) % 2 else ()
    return Case(name, lambda: ConvFunction(window), (x, w, *bias))


def transposes(name, images, filters, window):
    g, w = sample(places(images, filters, window), 1), sample(weights(images, filters, window), 2)
    bias = (sample((images[-window.dims - 1],), 3),) if len(name) % 2 else ()
    return Case(name, lambda: ConvTransposeFunction(window, size(images, window)), (g, w, *bias))


def collected(name, images, filters, window):
    x, g = sample(images, 1), sample(places(images, filters, window), 2)
    return Case(name, lambda: ConvWeightFunction(window), (x, g))


def channels_last(x):
    """The same values as a layer of this wheel stores them."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def exotic(make, first, second, *bias):
    """Both operands in other memory orders than C, one after the other."""
    found = [Case("channels last", make, (channels_last(first), second, *bias))]
    for index, operand in enumerate((first, second)):
        for kind, x in layouts(operand.shape, 5 + index, -2.0, 2.0):
            pair = (x, second) if index == 0 else (first, x)
            found.append(Case(f"{kind} operand {index}", make, (*pair, *bias)))
    same = np.broadcast_to(sample((1, *first.shape[1:]), 7), first.shape)
    return [*found, Case("repeated operand 0", make, (same, second, *bias))]


STRIDED = Window((2, 2), (2, 1), ((1, 0), (0, 1)))
TURNED = Window((2, 2), (1, 1), ((1, 0), (0, 1)))
SQUARE = Window((3, 3), (1, 1), ((1, 1), (1, 1)))
BOTH = sample((3, 3, 3, 3), 4)

CASES = {
    ConvFunction: [
        *(convolutions(name, *geometry) for name, geometry in GEOMETRIES.items()),
        *exotic(
            lambda: ConvFunction(TURNED), sample((2, 2, 3, 3), 1), sample((2, 2, 2, 2), 2), sample((2,), 3)
        ),
        Case("image as weight", lambda: ConvFunction(Window((3, 3))), (BOTH[:1], BOTH[:1])),
        Case("the same", lambda: ConvFunction(SQUARE), (lambda x: (x, x))(BOTH[:1, :1])),
    ],
    ConvTransposeFunction: [
        *(transposes(name, *geometry) for name, geometry in GEOMETRIES.items()),
        *exotic(
            lambda: ConvTransposeFunction(STRIDED, (4, 3)), sample((2, 2, 2, 3), 1), sample((2, 2, 2, 2), 2)
        ),
    ],
    ConvWeightFunction: [
        *(collected(name, *geometry) for name, geometry in GEOMETRIES.items()),
        *exotic(lambda: ConvWeightFunction(TURNED), sample((2, 2, 3, 3), 1), sample((2, 2, 3, 3), 2)),
        *exotic(lambda: ConvWeightFunction(STRIDED), sample((2, 2, 4, 3), 1), sample((2, 2, 2, 3), 2))[:3],
        Case("the same", lambda: ConvWeightFunction(SQUARE), (lambda x: (x, x))(BOTH[:1, :2])),
    ],
}
