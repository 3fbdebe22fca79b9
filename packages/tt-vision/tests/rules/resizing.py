"""Other sizes by sparse matrices: upsampling, padding; and shuffled pixels."""

import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_vision.axis_map import AxisMap, bins, copies
from tt_vision.padding import PadImagesFunction
from tt_vision.pixel_shuffle import PixelShuffleFunction, PixelUnshuffleFunction
from tt_vision.resampling import ResampleFunction
from tt_vision.upsample import InterpolateFunction

# name → the matrix of one axis
MAPS = {
    "each twice": copies((0, 0, 1, 1, 2, 2), 3),
    "every second": copies((0, 2), 4),
    "with zeros": copies((-1, 0, 1, -1), 2),
    "mirrored": copies((2, 1, 0, 1, 2, 1), 3),
    "backwards": copies((3, 2, 1, 0), 4),
    "the same": copies((0, 1, 2), 3),
    "bins": bins(5, 3),
    "nothing": copies((-1, -1), 2),
    "mixed": AxisMap(3, 4, ((0, 0, 0.5), (0, 3, -1.0), (2, 0, 2.0), (2, 1, 0.25), (2, 3, 1.0))),
    "many": AxisMap(4, 5, tuple((i, j, (i * 7 + j * 3) % 5 - 2.5) for i in range(4) for j in range(5))),
}


def resampled():
    names = list(MAPS)
    for index, name in enumerate(names):
        for step in (1, 3):
            rows, columns = MAPS[name], MAPS[names[(index + step) % len(names)]]
            shape = (1 + index % 2, 2, rows.pixels, columns.pixels)
            yield Case(
                f"{name} {step}",
                lambda maps=(rows, columns): ResampleFunction(*maps),
                (sample(shape, index),),
            )
    same, twice = MAPS["the same"], MAPS["each twice"]
    yield Case("no images", lambda: ResampleFunction(same, twice), (sample((0, 2, 3, 3)),))
    yield Case("unbatched", lambda: ResampleFunction(same, twice), (sample((2, 3, 3)),))
    yield Case("samples", lambda: ResampleFunction(copies((0,), 1), twice, 1), (sample((2, 2, 3)),))
    yield from exotic(lambda: ResampleFunction(twice, MAPS["mixed"]), (2, 2, 3, 4))


def exotic(make, shape):
    found = [Case(kind, make, (x,)) for kind, x in layouts(shape, 5, -2.0, 2.0)]
    last = np.ascontiguousarray(sample(shape, 6).transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return [*found, Case("channels last", make, (last,))]


def upsampled():
    for mode, corners in (
        ("nearest", False),
        ("nearest-exact", False),
        ("bilinear", False),
        ("bilinear", True),
    ):
        for shape, size in (((1, 2, 3, 2), (5, 4)), ((2, 1, 4, 5), (2, 3)), ((1, 1, 2, 3), (2, 1))):
            yield Case(
                f"{mode} {corners} {shape} to {size}",
                lambda size=size, mode=mode, corners=corners: InterpolateFunction(
                    size, (None, None), mode, corners
                ),
                (sample(shape, 1),),
            )
        for factors in ((2.0, 2.0), (1.7, 0.6)):
            yield Case(
                f"{mode} {corners} {factors}",
                lambda factors=factors, mode=mode, corners=corners: InterpolateFunction(
                    None, factors, mode, corners
                ),
                (sample((1, 2, 3, 4), 2),),
            )
    for mode in ("nearest", "linear"):
        yield Case(
            f"samples {mode}",
            lambda mode=mode: InterpolateFunction(None, (None, 2.5), mode, dims=1),
            (sample((2, 2, 3), 3),),
        )
    yield Case("no images", lambda: InterpolateFunction((4, 4), (None, None)), (sample((0, 1, 2, 2)),))
    yield from exotic(lambda: InterpolateFunction((5, 3), (None, None), "bilinear"), (2, 2, 3, 2))


def padded():
    for mode in ("zeros", "reflect", "replicate", "circular"):
        for padding in (
            ((0, 0), (0, 0)),
            ((1, 2), (2, 1)),
            ((0, 1), (2, 0)),
            ((-1, 1), (0, -1)),
            ((1, -1), (-1, 2)),
        ):
            yield Case(
                f"{mode} {padding}",
                lambda mode=mode, padding=padding: PadImagesFunction(padding, mode),
                (sample((1, 2, 3, 4), 1),),
            )
        yield Case(
            f"{mode}, samples",
            lambda mode=mode: PadImagesFunction(((0, 0), (2, 1)), mode, 0.0, 1),
            (sample((2, 2, 3), 2),),
        )
        yield Case(
            f"{mode}, unbatched",
            lambda mode=mode: PadImagesFunction(((1, 0), (1, 1)), mode),
            (sample((2, 2, 3), 3),),
        )
        yield Case(
            f"{mode}, no images",
            lambda mode=mode: PadImagesFunction(((1, 0), (1, 1)), mode),
            (sample((0, 1, 2, 2)),),
        )
    for padding in (((1, 2), (2, 1)), ((-1, 1), (0, 3))):
        yield Case(
            f"a number {padding}",
            lambda padding=padding: PadImagesFunction(padding, "zeros", -1.5),
            (sample((1, 2, 3, 4), 1),),
        )
    yield Case(
        "a number around samples",
        lambda: PadImagesFunction(((0, 0), (1, 1)), "zeros", 2.0, 1),
        (sample((2, 3)),),
    )
    yield from exotic(lambda: PadImagesFunction(((1, 1), (1, 1)), "reflect"), (2, 2, 3, 2))


def shuffled(make, shape_of):
    for r in (1, 2, 3):
        for lead in ((), (1,), (2,), (0,), (2, 2), (1, 1, 2)):
            yield Case(f"{r} {lead}", lambda r=r: make(r), (sample((*lead, *shape_of(r)), r),))
    yield from exotic(lambda: make(2), (2, *shape_of(2)))


CASES = {
    ResampleFunction: list(resampled()),
    InterpolateFunction: list(upsampled()),
    PadImagesFunction: list(padded()),
    PixelShuffleFunction: list(shuffled(PixelShuffleFunction, lambda r: (r * r, 2, 1))),
    PixelUnshuffleFunction: list(shuffled(PixelUnshuffleFunction, lambda r: (1, 2 * r, r))),
}
