from tt_tensor.testing import Case, layouts, sample
from tt_vision.unfold import FoldFunction, UnfoldFunction
from tt_vision.window import Window

ONE = ((1, 1), (1, 1))
# The shape of an image, the window.
WINDOWS = [
    ((1, 1, 1, 1), Window((1, 1))), ((2, 2, 4, 3), Window((2, 2))), ((1, 2, 4, 5), Window((2, 2), (2, 2))),
    ((1, 2, 5, 4), Window((3, 3), (1, 1), ONE)), ((2, 1, 5, 5), Window((3, 2), (2, 1), ((1, 1), (0, 0)))),
    ((1, 1, 5, 6), Window((2, 2), (1, 2), ((0, 0), (0, 0)), (2, 3))), ((2, 4, 3), Window((2, 2))),
    ((1, 4, 4), Window((3, 3), (2, 2), ONE)), ((0, 2, 3, 3), Window((2, 2))), ((1, 0, 3, 3), Window((2, 2))),
    ((1, 1, 6, 2), Window((1, 2), (4, 3))), ((3, 1, 2, 2), Window((2, 2), (1, 1), ((2, 2), (1, 1)))),
]  # fmt: skip


def columns(shape, window):
    high, wide = window.output(shape[-2:], "test")
    return (*shape[:-3], shape[-3] * window.size[0] * window.size[1], high * wide)


UNFOLDED = [
    Case(
        f"{shape} {window.size} {seed}", lambda window=window: UnfoldFunction(window), (sample(shape, seed),)
    )
    for shape, window in WINDOWS
    for seed in (1, 2)
]
FOLDED = [
    Case(
        f"{shape} {window.size} {seed}",
        lambda window=window, shape=shape: FoldFunction(window, shape[-2:]),
        (sample(columns(shape, window), seed),),
    )
    for shape, window in WINDOWS
    for seed in (1, 2)
]
CASES = {
    UnfoldFunction: UNFOLDED
    + [
        Case(kind, lambda: UnfoldFunction(Window((2, 2))), (x,))
        for kind, x in layouts((1, 2, 3, 4), 3, -2.0, 2.0)
    ],
    FoldFunction: FOLDED
    + [
        Case(kind, lambda: FoldFunction(Window((2, 2)), (3, 4)), (x,))
        for kind, x in layouts((1, 8, 6), 3, -2.0, 2.0)
    ],
}
