import numpy as np

from tt_tensor.ops import gathering, indexing
from tt_tensor.testing import Case, sample

ALL = slice(None)
MASK = np.array([[True, False, True], [False, False, True]])
FORTRAN = np.asfortranarray(sample((3, 4)))
REVERSED = sample((3, 4))[::-1, ::-1]
STRIDED = sample((3, 8))[:, ::2]

# (the indexed: a shape or an array, the index)
INDEXED = [
    ((), ()), ((), ...), ((), None), ((), np.array(True)), ((3,), 1), ((3,), -1), ((3,), slice(1, None)),
    ((3,), slice(None, None, -1)), ((6,), slice(-2, 0, -2)), ((3,), slice(2, 2)), ((0,), ALL), ((0, 3), (ALL, 1)),
    ((3,), [0, 0, 2]), ((3,), [-1, 2, 0, -1]), ((3,), []), ((3,), np.array([[0, 1], [1, 1]])),
    ((2, 3), (1, 2)), ((2, 3), (..., 0)), ((2, 3), (None, 1, None)), ((2, 3), (ALL, None, slice(None, None, 2))),
    ((2, 3), [1, 1, 0]), ((2, 3), (ALL, [2, 0, 2])), ((2, 3), ([0, 1, 0], [2, 2, 2])),
    ((2, 3), ([[0], [1]], [2, 0, 2])),
    ((2, 3), (0, [1, 1])), ((2, 3), ([1, 1], slice(1, None))), ((2, 3), (None, [1, 1])), ((2, 3), MASK),
    ((2, 3), np.zeros((2, 3), bool)), ((2, 3), (ALL, np.array([True, False, True]))),
    ((2, 3), np.array([False, True])),
    ((2, 3), (np.array([True, True]), [0, 2])), ((2, 3), True), ((2, 3), False), ((0, 3), [[]]), ((3, 0), [1, 1]),
    ((2, 3, 4), (0, ..., 1)), ((2, 3, 4), (ALL, [1, 1, 0], ALL)), ((2, 3, 4), (0, ALL, [1, 1])),
    ((2, 3, 4), ([0, 1], ALL, [1, 1])), ((2, 3, 4), (..., [3, 3])), ((2, 3, 4), (ALL, ALL, [[0, 3], [3, 3]])),
    ((2, 3, 4), (MASK, 1)), ((2, 3, 4), (MASK, ALL)), ((2, 3, 4), (ALL, None, [0, 0], slice(None, None, -2))),
    ((2, 3, 4), ([1, 1], [2, 2], [3, 3])), ((2, 3, 4), (np.array([1, 1], np.uint8), ALL, np.array([3], np.int32))),
    (FORTRAN, [2, 2]), (REVERSED, (ALL, [0, 0])), (STRIDED, (slice(None, None, 2), 1)), (FORTRAN, ([0, 0], [1, 1])),
]  # fmt: skip


def array(x):
    return sample(x) if isinstance(x, tuple) else x


def named(x, index):
    return f"{x if isinstance(x, tuple) else f'strides {x.strides}'} [{index}]".replace("\n", "")


def put(x, index):
    x = array(x)
    values = sample(x[indexing.index_of(index)].shape, 1)
    return Case(named(x.shape, index), lambda: indexing.PutAt(index, x.shape), (values,))


def write(x, index, value):
    return Case(f"{named(x, index)} = {value}", lambda: indexing.SetItem(index), (array(x), sample(value, 1)))


def along(shape, indices, axis):
    return Case(
        f"{named(shape, indices)} {axis}", lambda: gathering.TakeAlongAxis(indices, axis), (array(shape),)
    )


def scatter(shape, index, src, axis):
    return Case(
        f"{named(shape, index)} += {src} {axis}",
        lambda: gathering.ScatterAdd(index, axis),
        (array(shape), sample(src, 1)),
    )


def fill(shape, mask, value=()):
    return Case(
        f"{named(shape, mask)} = {value}",
        lambda: gathering.MaskedFill(mask),
        (array(shape), sample(value, 1) if isinstance(value, tuple) else value),
    )


BOTH = sample((3, 4))
EVERY = np.ones((2, 3), bool)

CASES = {
    indexing.GetItem: [
        Case(named(x, index), lambda index=index: indexing.GetItem(index), (array(x),)) for x, index in INDEXED
    ],
    indexing.PutAt: [put(x, index) for x, index in INDEXED],
    indexing.SetItem: [
        write(x, index, array(x)[indexing.index_of(index)].shape) for x, index in INDEXED
    ]
    + [
        write((3,), 0, ()), write((3,), ALL, ()), write((3,), [0, 0, 2], ()), write((2, 3), ALL, (3,)),
        write((2, 3), ALL, (2, 1)), write((2, 3), [1, 1, 0], (3,)), write((2, 3), [1, 1, 0], (3, 1)),
        write((2, 3), 0, (1, 1, 3)), write((2, 3), [0, 0], (1, 2, 3)), write((2, 3), MASK, (1,)),
        Case("twice", lambda: indexing.SetItem(...), (BOTH, BOTH)),
        Case("twice, some", lambda: indexing.SetItem([2, 0, 2]), (BOTH[0, :3], BOTH[0, :3])),
        Case("a number", lambda: indexing.SetItem((0, [1, 1])), (BOTH, 2.5)),
    ],
    gathering.TakeAlongAxis: [
        along(shape, np.array(indices), axis)
        for shape, indices, axis in [
            ((3,), [0, 0, 2], 0), ((3,), [1], -1), ((3,), [-1, -3, 0, 1, 2], 0), ((1,), [0, 0, 0], 0),
            ((2, 3), [[0, 0, 1]], 0), ((2, 3), [[0, 0, 1], [1, 1, 1]], 0), ((2, 3), [[2, 2], [0, -1]], 1),
            ((2, 3), [[1], [1]], -1), ((2, 3), [[2, 1, 0, 0]], -1), ((2, 3), [[1]], 0), ((2, 1), [[0, 0], [0, 0]], 1),
            ((2, 3), [[1, 1, 1]], -2), ((2, 3, 2), [[[0, 1]]], 1), ((2, 3, 2), [[[1], [0], [1]]], 0),
            ((2, 3, 2), [[[1, 1, 0], [0, 0, 0], [0, 1, 1]], [[0, 1, 1], [0, 1, 0], [0, 0, 0]]], 2),
            ((2, 3, 2), [[[2, 2]], [[0, 1]]], -2), ((1, 1, 1), [[[0, 0]]], 2), ((2, 1, 2, 1), [[[[0], [1], [1]]]], 2),
            (FORTRAN, [[0, 1], [3, 3], [2, 2]], 1), (REVERSED, [[0, 1, 2, 2]], 0), (STRIDED, [[1], [1], [0]], 1),
        ]
    ]
    + [
        along((2, 3), np.zeros((2, 0), int), 1), along((0, 3), np.zeros((0, 2), int), 1),
        along((0,), np.zeros(0, int), 0),
    ],
    gathering.ScatterAdd: [
        scatter(shape, np.array(index), src, axis)
        for shape, index, src, axis in [
            ((3,), [0, 0, 2], (3,), 0), ((3,), [1], (1,), -1), ((3,), [1, 1], (4,), 0), ((1,), [0, 0, 0], (3,), 0),
            ((3,), [-1, 2, 0], (3,), 0), ((2, 3), [[0, 0, 1]], (1, 3), 0), ((2, 3), [[0, 0, 1]], (2, 3), 0),
            ((2, 3), [[0, 1], [1, 1]], (2, 2), 0), ((2, 3), [[2, 2], [0, 1]], (2, 2), 1),
            ((2, 3), [[2, 2]], (2, 4), 1),
            ((2, 3), [[0], [0], [1], [1]], (4, 1), 0), ((2, 3), [[1], [1]], (2, 1), -1), ((2, 3), [[1]], (5, 5), -2),
            ((2, 3, 2), [[[0, 1]]], (1, 1, 2), 1), ((2, 3, 2), [[[1, 1, 0, 0]]], (2, 3, 4), 2),
            ((2, 3, 2), [[[0], [1]], [[1], [1]], [[1], [0]]], (3, 2, 1), 0), ((1, 1, 1), [[[0, 0]]], (1, 1, 2), 2),
            (FORTRAN, [[0, 1, 3, 3]], (1, 4), 1), (REVERSED, [[0], [1], [0]], (3, 1), 1),
            (STRIDED, [[2, 2]], (1, 2), 0),
        ]
    ]
    + [
        scatter((2, 3), np.zeros((0, 3), int), (0, 3), 0),
        scatter((2, 3), np.zeros((0, 2), int), (2, 3), 0),
        scatter((0, 3), np.zeros((0, 2), int), (0, 2), 1),
        Case("twice", lambda: gathering.ScatterAdd([[0, 3, 3, 1]] * 3, 1), (BOTH, BOTH)),
    ],
    gathering.MaskedFill: [
        fill((), True), fill((), np.array(False)), fill((3,), [True, False, True]), fill((3,), True),
        fill((3,), np.zeros(3, bool)),
        fill((0,), np.zeros(0, bool)), fill((0, 3), [True, False, True]), fill((2, 3), MASK), fill((2, 3), EVERY),
        fill((2, 3), MASK[0]), fill((2, 3), MASK[:, :1]), fill((2, 3), MASK, (3,)), fill((2, 3), MASK, (2, 1)),
        fill((2, 3), MASK, (2, 3)), fill((2, 3), MASK, 1.5), fill((2, 3), MASK, -2), fill((1, 3), MASK),
        fill((3,), MASK, (1,)),
        fill((2, 2, 3), MASK), fill((2, 1, 3), MASK[:, None]), fill(FORTRAN, FORTRAN > 0),
        fill(REVERSED, FORTRAN > 0),
        fill(STRIDED, REVERSED > 0),
        Case("twice", lambda: gathering.MaskedFill(BOTH > 0), (BOTH, BOTH)),
    ],
}  # fmt: skip
