import numpy as np

from tt_autograd.views import Put
from tt_tensor.ops.axes import Transpose
from tt_tensor.ops.indexing import GetItem
from tt_tensor.ops.shapes import BroadcastTo, Reshape
from tt_tensor.testing import Case, layouts, sample

ALL = slice(None)

# (shape of the base, what cuts the view out of it)
CUTS = [
    ((), GetItem(...)), ((), GetItem(None)), ((), Reshape((1, 1))), ((1,), Reshape(())), ((3,), GetItem(1)),
    ((3,), GetItem(-1)), ((3,), GetItem(ALL)), ((5,), GetItem(slice(1, None, 2))),
    ((5,), GetItem(slice(None, None, -1))),
    ((3,), GetItem(slice(2, 2))), ((0,), GetItem(ALL)), ((6,), Reshape((2, 3))), ((2, 3), GetItem(1)),
    ((2, 3), GetItem((ALL, 0))), ((2, 3), GetItem((1, 2))), ((2, 3), GetItem((None, 1, None))),
    ((2, 3), GetItem((..., slice(None, None, -2)))), ((2, 3), Reshape((6,))), ((2, 3), Reshape((3, 2))),
    ((2, 3), Transpose((1, 0))), ((0, 3), GetItem((ALL, 1))), ((3, 0), Transpose((1, 0))),
    ((2, 3, 4), GetItem((0, ..., 1))),
    ((2, 3, 4), GetItem((ALL, slice(None, 2), ALL))), ((2, 3, 4), Transpose((2, 0, 1))), ((2, 3, 4), Reshape((4, -1))),
    ((2, 1, 3, 2), GetItem((ALL, 0, ALL, slice(1, None)))), ((2, 3), BroadcastTo((2, 3))),
]  # fmt: skip


def put(base, cut, name):
    value = sample(cut.forward(base).shape, 1)
    return Case(f"{name} {vars(cut)}", lambda: Put(cut), (base, value))


def cases():
    found = [put(sample(shape), cut, f"{shape} {type(cut).__name__}") for shape, cut in CUTS]
    for kind, base in layouts((3, 4), 2, -2.0, 2.0):
        found.append(put(base, GetItem((slice(1, None), ALL)), kind))
        found.append(put(base, Transpose((1, 0)), kind))
    x = sample((2, 2), 3)
    found.append(Case("twice", lambda: Put(Transpose((1, 0))), (x, x)))
    found.append(
        Case("strided value", lambda: Put(GetItem(np.s_[:, 1:])), (sample((2, 4)), sample((2, 6), 1)[:, ::2]))
    )
    return found


CASES = {Put: cases()}
