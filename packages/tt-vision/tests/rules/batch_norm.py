import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_vision.batch_norm import BatchNormEvalFunction, BatchNormFunction

SHAPES = [
    (4, 3), (2, 1), (5, 2), (3, 2, 2), (1, 2, 4), (2, 3, 1), (2, 2, 2, 2), (1, 3, 2, 2), (3, 1, 1, 2), (2, 2, 1, 2, 2),
    (0, 3), (2, 0), (0, 2, 2, 2), (2, 2, 0, 3),
]  # fmt: skip


def channels(count, seed, low=0.5, high=1.5):
    return sample((count,), seed, low, high)


def cases(make):
    found = []
    for shape in SHAPES:
        c = shape[1]
        for parts in range(3):
            given = [channels(c, 2 + index) for index in range(parts)]
            found.append(Case(f"{shape}, {parts} parts", lambda c=c: make(c), (sample(shape, 1), *given)))
    for kind, x in layouts((2, 2, 3, 2), 1, -2.0, 2.0):
        found.append(Case(kind, lambda: make(2), (x, channels(2, 2), channels(2, 3))))
    last = np.ascontiguousarray(sample((2, 2, 3, 2), 1).transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    found.append(Case("channels last", lambda: make(2), (last, channels(2, 2), channels(2, 3))))
    found.append(
        Case(
            "strided weight",
            lambda: make(2),
            (sample((3, 2, 2), 1), channels(4, 2)[::2], channels(2, 3)[::-1]),
        )
    )
    found.append(Case("no weight", lambda: make(2), (sample((3, 2, 2), 1), None, channels(2, 3))))
    # Far from 0: the mean goes off first.
    found.append(Case("far", lambda: make(2), (sample((3, 2, 2), 1) + 40, channels(2, 2), channels(2, 3))))
    return found


CASES = {
    BatchNormFunction: cases(lambda c: BatchNormFunction(1e-2)),
    BatchNormEvalFunction: cases(
        lambda c: BatchNormEvalFunction(sample((c,), 7), sample((c,), 8, 0.5, 2.0), 1e-2)
    ),
}
