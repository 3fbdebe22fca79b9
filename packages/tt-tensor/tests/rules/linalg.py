from functools import partial

import numpy as np

from tt_tensor.ops import linalg
from tt_tensor.testing import Case, sample

PAIRS = [
    ((3,), (3,)), ((1,), (1,)), ((0,), (0,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((1, 1), (1, 1)),
    ((1, 3), (3, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (3, 0)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3)),
    ((2, 3, 4), (4, 2)), ((3, 4), (2, 4, 2)), ((2, 3, 4), (2, 4, 2)), ((1, 3, 4), (2, 4, 2)),
    ((2, 3, 4), (1, 4, 2)), ((2, 1, 2, 3), (3, 3, 2)), ((0, 2, 3), (3, 2)), ((2, 0, 3), (3, 2)),
    ((2, 2, 3), (3,)), ((3,), (2, 1, 3, 2)), ((2, 2, 2, 3), (3, 2)), ((3,), (3, 0)),
    ((2, 3, 0), (0, 4)), ((2, 3, 0), (0,)), ((2, 3, 4), (4, 0)), ((0, 3, 0), (0, 0)),
]  # fmt: skip

TWICE = sample((3, 3), 1)
VECTOR = sample((4,), 2)
BATCH = sample((2, 3, 3), 3)

NORMS = [
    ((), None), ((4,), None), ((3, 4), None), ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), (0, -1)), ((0,), None),
    ((3, 0), 0), ((1, 3), 1),
]  # fmt: skip

CASES = {
    linalg.MatMul: [
        Case(f"{a} @ {b}", linalg.MatMul, (sample(a, 2 * seed), sample(b, 2 * seed + 1)))
        for seed, (a, b) in enumerate(PAIRS)
    ]
    + [
        Case("twice", linalg.MatMul, (TWICE, TWICE)),
        Case("vector twice", linalg.MatMul, (VECTOR, VECTOR)),
        Case("batch twice", linalg.MatMul, (BATCH, BATCH)),
        Case("transposed left", linalg.MatMul, (sample((4, 3), 4).T, sample((4, 2), 5))),
        Case("transposed right", linalg.MatMul, (sample((3, 4), 4), sample((2, 4), 5).T)),
        Case("transposed batch", linalg.MatMul, (np.swapaxes(sample((2, 4, 3), 4), 1, 2), sample((4, 2), 5))),
        Case("reversed", linalg.MatMul, (sample((3, 4), 4)[::-1, ::-1], sample((4, 2), 5))),
        Case("strided", linalg.MatMul, (sample((3, 8), 4)[:, ::2], sample((8, 2), 5)[::2])),
    ],
    linalg.Norm: [
        Case(f"{shape} axis={axis} p={p:g}", partial(linalg.Norm, p, axis, keep), (sample(shape, 7),))
        for shape, axis in NORMS
        for p, keep in ((2.0, False), (1.0, True), (3.0, False), (1.5, True))
    ],
}
