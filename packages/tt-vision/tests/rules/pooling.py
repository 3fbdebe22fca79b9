"""Pools and what they send back, over one list of windows each."""

import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_vision.adaptive_pooling import AdaptiveMaxPoolFunction
from tt_vision.avg_pooling import AvgPoolFunction, AvgUnpoolFunction, GlobalAvgPoolFunction
from tt_vision.max_pooling import MaxPickFunction, MaxPoolFunction, MaxUnpoolFunction
from tt_vision.shares import AvgBins, AvgWindow, grid_of
from tt_vision.window import Window

NONE = ((0, 0), (0, 0))
ONE = ((1, 1), (1, 1))

# name → shape of the input, window, ceil_mode; small, as each entry is moved.
WINDOWS = {
    "2x2": ((2, 2, 4, 4), Window((2, 2), (2, 2)), False),
    "2x2 with a rest": ((1, 2, 5, 3), Window((2, 2), (2, 2)), False),
    "2x2 over the edge": ((1, 2, 5, 3), Window((2, 2), (2, 2)), True),
    "3x3, overlapping": ((1, 2, 5, 4), Window((3, 3), (1, 1)), False),
    "3x3 in steps of 2, padded": ((2, 1, 5, 6), Window((3, 3), (2, 2), ONE), False),
    "3x3, padded": ((1, 2, 3, 3), Window((3, 3), (1, 1), ONE), False),
    "padded and over the edge": ((1, 1, 6, 5), Window((3, 2), (2, 3), ((1, 1), (1, 1))), True),
    "1x1": ((2, 2, 2, 3), Window((1, 1)), False),
    "1x1 in steps": ((1, 2, 5, 4), Window((1, 1), (2, 3)), False),
    "wide": ((1, 2, 3, 6), Window((1, 3), (1, 2)), False),
    "tall": ((1, 2, 6, 3), Window((3, 1), (2, 1), ((1, 1), (0, 0))), False),
    "steps beyond the window": ((1, 2, 7, 5), Window((2, 2), (4, 3)), False),
    "the whole image": ((2, 3, 3, 2), Window((3, 2), (3, 2)), False),
    "many taps": ((1, 1, 7, 6), Window((5, 5), (1, 1), ((2, 2), (1, 1))), False),
    "one pixel": ((1, 1, 1, 1), Window((1, 1)), False),
    "no images": ((0, 2, 4, 4), Window((2, 2), (2, 2)), False),
    "no channels": ((2, 0, 4, 4), Window((2, 2), (2, 2)), False),
    "unbatched": ((2, 4, 5), Window((2, 2), (2, 1)), False),
    "samples": ((2, 2, 6), Window((1, 2), (1, 2), dims=1), False),
    "samples, padded": ((1, 2, 5), Window((1, 3), (1, 2), ((0, 0), (1, 1)), dims=1), True),
    "samples, unbatched": ((2, 5), Window((1, 3), dims=1), False),
}
DILATED = {
    "dilated": ((1, 2, 5, 6), Window((2, 2), (1, 2), NONE, (2, 3)), False),
    "dilated and padded": ((1, 1, 6, 5), Window((3, 2), (2, 1), ONE, (2, 3)), True),
}
# At its last row of places no tap is on a pixel.
BESIDE = (
    "beside the image",
    (1, 2, 4, 4),
    lambda: MaxPoolFunction(Window((2, 2), (1, 1), ((2, 2), (0, 0)), (5, 1))),
)
# Shape of the input, height and width that come out.
BINS = [
    ((2, 2, 4, 6), 2, 3), ((1, 2, 5, 7), 2, 3), ((1, 1, 7, 4), 3, 3), ((1, 2, 3, 2), 1, 1), ((2, 1, 5, 5), 5, 5),
    ((1, 1, 3, 2), 5, 3), ((1, 2, 4, 3), None, 2), ((1, 2, 3, 4), 2, None), ((2, 5, 3), 2, 2), ((0, 2, 3, 3), 2, 2),
    ((2, 0, 3, 3), 2, 2), ((1, 3, 1, 1), 1, 1), ((1, 1, 1, 5), 1, 3), ((2, 1, 6, 1), 4, 1), ((1, 1, 2, 2), 3, 4),
    ((1, 2, 5, 3), 1, 2), ((1, 1, 6, 4), 4, 3), ((1, 1, 4, 4), 3, 3),
]  # fmt: skip


def channels_last(x):
    """The same values as a layer of this wheel stores them."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def exotic(make, shape):
    """One Function on an operand in other memory orders than C."""
    found = [Case(kind, make, (x,)) for kind, x in layouts(shape, 5, -2.0, 2.0)]
    return [*found, Case("channels last", make, (channels_last(sample(shape, 6)),))]


def applied(make, x):
    """A Function after its forward, which knows the geometry for x."""
    function = make()
    return function, np.asarray(function(x))


def pooled(make, name, shape):
    return Case(name, make, (sample(shape, 1),))


def unpooled(make, name, shape):
    function, y = applied(make, sample(shape, 1))
    return Case(name, lambda: MaxUnpoolFunction(function.winners, function.by), (sample(y.shape, 2),))


def picked(make, name, shape):
    function, _ = applied(make, sample(shape, 1))
    return Case(name, lambda: MaxPickFunction(function.winners, function.by), (sample(shape, 3),))


MAXIMA = [
    (name, shape, lambda window=window, ceil_mode=ceil_mode: MaxPoolFunction(window, ceil_mode))
    for name, (shape, window, ceil_mode) in (WINDOWS | DILATED).items()
]
ADAPTIVE = [
    (
        f"{shape} to {height}, {width}",
        shape,
        lambda height=height, width=width: AdaptiveMaxPoolFunction(height, width),
    )
    for shape, height, width in BINS
]
KINDS = [{}, {"count_include_pad": False}, {"divisor_override": 5}]
SHARES = [
    (f"{name} {kwargs}", shape, AvgWindow(window, ceil_mode, **kwargs))
    for index, (name, (shape, window, ceil_mode)) in enumerate(WINDOWS.items())
    for kwargs in (KINDS if "padded" in name or ceil_mode else [KINDS[index % 3]])
]
SHARES += [(f"{shape} to {height}, {width}", shape, AvgBins(height, width)) for shape, height, width in BINS]
SHARES += [("rows of samples", (2, 2, 7), AvgBins(1, 3, 1)), ("a row of samples", (2, 4), AvgBins(1, 3, 1))]
PADDED = Window((3, 3), (2, 2), ONE)


def image_of(shape, shares):
    return (1, shape[-1]) if shares.dims == 1 else shape[-2:]


def averages_back(name, shape, shares):
    image = image_of(shape, shares)
    rows, columns, _ = grid_of(shares, image)
    made = (rows.places, columns.places)[2 - shares.dims :]
    given = (*shape[: len(shape) - shares.dims], *made)
    return Case(name, lambda: AvgUnpoolFunction(shares, image), (sample(given, 2),))


IMAGES = [
    (2, 3, 2, 2), (1, 1, 1, 1), (1, 2, 3, 1), (3, 1, 1, 4), (0, 2, 2, 2), (2, 0, 2, 2), (2, 2, 5, 3), (1, 4, 2, 3),
    (3, 2, 2), (1, 3, 4), (0, 2, 3), (2, 1, 1), (4, 2, 1, 2), (1, 5, 3, 2), (2, 2, 1, 3), (1, 1, 4, 4), (1, 7, 1, 1),
]  # fmt: skip

CASES = {
    MaxPoolFunction: [
        *(pooled(make, name, shape) for name, shape, make in MAXIMA),
        *exotic(lambda: MaxPoolFunction(PADDED), (2, 2, 4, 3)),
    ],
    AdaptiveMaxPoolFunction: [
        *(pooled(make, name, shape) for name, shape, make in ADAPTIVE),
        *exotic(lambda: AdaptiveMaxPoolFunction(2, 2), (2, 2, 3, 3)),
    ],
    MaxUnpoolFunction: [
        unpooled(make, name, shape) for name, shape, make in [*MAXIMA, *ADAPTIVE[:8], BESIDE]
    ],
    MaxPickFunction: [picked(make, name, shape) for name, shape, make in [*MAXIMA, *ADAPTIVE[:8], BESIDE]],
    AvgPoolFunction: [
        *(
            pooled(lambda shares=shares: AvgPoolFunction(shares), name, shape)
            for name, shape, shares in SHARES
        ),
        *exotic(lambda: AvgPoolFunction(AvgWindow(PADDED)), (2, 2, 4, 3)),
    ],
    AvgUnpoolFunction: [
        *(averages_back(name, shape, shares) for name, shape, shares in SHARES),
        *exotic(lambda: AvgUnpoolFunction(AvgWindow(PADDED), (4, 3)), (2, 2, 2, 2)),
    ],
    GlobalAvgPoolFunction: [
        *(pooled(GlobalAvgPoolFunction, f"{shape}", shape) for shape in IMAGES),
        *exotic(GlobalAvgPoolFunction, (2, 2, 4, 3)),
    ],
}
