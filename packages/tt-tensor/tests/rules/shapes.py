import numpy as np

from tt_tensor.ops import axes, casting, shapes
from tt_tensor.testing import Case, sample, unary_cases


def reshape(old, new, x=None):
    return Case(f"{old} to {new}", lambda: shapes.Reshape(new), (sample(old) if x is None else x,))


def broadcast(old, new):
    return Case(f"{old} to {new}", lambda: shapes.BroadcastTo(new), (sample(old),))


def transpose(shape, order, x=None):
    return Case(f"{shape} {order}", lambda: axes.Transpose(order), (sample(shape) if x is None else x,))


CASES = {
    shapes.Reshape: [
        reshape(old, new)
        for old, new in [
            ((), (1,)), ((), (1, 1)), ((1,), ()), ((6,), (2, 3)), ((6,), (-1, 2)), ((6,), 6), ((6,), -1),
            ((2, 3), (6,)), ((2, 3), (3, 2)), ((2, 3), (1, 6, 1)), ((0,), (0, 3)), ((0, 3), (3, 0)), ((2, 0), (0,)),
            ((2, 3, 4), (6, 4)), ((2, 3, 4), (2, -1)), ((2, 3, 4), (4, 3, 2)), ((1, 1, 5), (5,)),
            ((2, 1, 3, 2), (2, 3, 2)), ((2, 2, 2, 2), (4, 4)),
        ]
    ]
    + [
        reshape("fortran", (6,), np.asfortranarray(sample((2, 3)))),
        reshape("reversed", (3, 2), sample((2, 3))[::-1, ::-1]),
        reshape("strided", (2, 6), sample((4, 6))[:, ::2]),
        reshape("transposed", (-1,), sample((2, 3, 4)).transpose(2, 0, 1)),
    ],
    shapes.BroadcastTo: [
        broadcast(old, new)
        for old, new in [
            ((), ()), ((), (3,)), ((), (2, 3)), ((), (0,)), ((1,), (1,)), ((1,), (4,)), ((1,), (0,)), ((1,), (2, 3)),
            ((3,), (3,)), ((3,), 3), ((3,), (2, 3)), ((3,), (4, 2, 3)), ((3, 1), (3, 4)), ((1, 3), (2, 3)),
            ((1, 1), (2, 3)), ((3, 1), (2, 3, 4)), ((2, 1, 3), (2, 4, 3)), ((0, 1), (0, 3)), ((0,), (2, 0)),
            ((2, 1, 1, 2), (2, 3, 2, 2)), ((3,), (0, 3)),
        ]
    ],
    axes.Transpose: [
        transpose(shape, order)
        for shape, order in [
            ((), None), ((), ()), ((3,), None), ((3,), (0,)), ((2, 3), None), ((2, 3), (0, 1)), ((2, 3), (1, 0)),
            ((2, 3), (-1, 0)), ((2, 3), [1, 0]), ((0, 3), None), ((2, 0, 3), (2, 0, 1)), ((2, 3, 4), None),
            ((2, 3, 4), (1, 2, 0)), ((2, 3, 4), (2, 0, 1)), ((2, 3, 4), (0, 2, 1)), ((2, 3, 4), (-1, -3, -2)),
            ((1, 2, 1, 3), (3, 0, 1, 2)), ((2, 1, 3, 2), (1, 3, 0, 2)), ((2, 2, 2, 2), None),
        ]
    ]
    + [
        transpose("fortran", (1, 0), np.asfortranarray(sample((2, 3)))),
        transpose("reversed", (2, 0, 1), sample((2, 3, 4))[::-1, ::-1, ::-1]),
        transpose("strided", None, sample((2, 8))[:, ::2]),
    ],
    casting.Cast: unary_cases(lambda: casting.Cast("float64")),
    casting.Clone: unary_cases(casting.Clone),
}  # fmt: skip
