import numpy as np

from tt_tensor.ops import inverting
from tt_tensor.testing import Case, sample

SQUARES = [(1, 1), (2, 2), (3, 3), (0, 0), (2, 1, 1), (2, 2, 2), (0, 2, 2), (1, 3, 3), (2, 1, 2, 2)]
PAIRS = [
    ((1, 1), (1, 1)), ((2, 2), (2, 1)), ((2, 2), (2, 3)), ((3, 3), (3, 2)), ((2, 2), (2, 0)), ((0, 0), (0, 2)),
    ((2, 2, 2), (2, 2, 1)), ((2, 2), (3, 2, 1)), ((3, 2, 2), (2, 1)), ((1, 2, 2), (3, 2, 2)), ((0, 2, 2), (2, 1)),
]  # fmt: skip


def well(shape, seed=0):
    """Matrices far from singular ones."""
    return sample(shape, seed, -1.0, 1.0) + 2.5 * np.eye(shape[-1])


def squares(make):
    found = [Case(f"{shape} {seed}", make, (well(shape, seed),)) for shape in SQUARES for seed in (1, 2)]
    x = well((3, 3), 4)
    layouts = [("fortran", x.T), ("reversed", x[::-1, ::-1]), ("strided", np.repeat(x, 2, axis=1)[:, ::2])]
    return found + [Case(name, make, (part,)) for name, part in layouts]


ROWS = sample((3, 3), 5)
ROWS[2] = ROWS[0] + ROWS[1]

CASES = {
    inverting.Inverse: squares(inverting.Inverse),
    inverting.Det: [*squares(inverting.Det), Case("singular", inverting.Det, (ROWS,))],
    inverting.Solve: [
        Case(f"{a} {b} {seed}", inverting.Solve, (well(a, seed), sample(b, seed + 1)))
        for a, b in PAIRS
        for seed in (1, 2)
    ]
    + [
        Case("fortran", inverting.Solve, (well((3, 3), 3).T, sample((2, 3), 4).T)),
        Case("twice", inverting.Solve, (lambda x: (x, x))(well((2, 2), 6))),
    ],
}
