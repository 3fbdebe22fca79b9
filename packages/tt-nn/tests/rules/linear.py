from tt_nn.linear import LinearFunction
from tt_tensor.testing import Case, sample

SHAPES = [(4, 3), (1, 3), (0, 3), (3,), (2, 4, 3), (2, 0, 3), (1, 1, 3), (2, 1, 2, 3), (4, 1), (4, 0), (5, 2)]

CASES = {
    LinearFunction: [
        Case(
            f"{shape} to {out}{' bias' if bias else ''}",
            LinearFunction,
            (sample(shape, 1), sample((out, shape[-1]), 2), *([sample((out,), 3)] if bias else [])),
        )
        for shape in SHAPES
        for out in (1, 4)
        for bias in (False, True)
    ]
    + [
        Case("no number in", LinearFunction, (sample((0,)), sample((4, 0)), sample((4,), 3))),
        Case("no features in", LinearFunction, (sample((2, 3, 0)), sample((4, 0)), sample((4,), 3))),
        Case("no features out", LinearFunction, (sample((2, 3, 4), 1), sample((0, 4)), sample((0,)))),
        Case("fortran", LinearFunction, (sample((3, 4), 1).T, sample((3, 2), 2).T, sample((2,), 3))),
        Case("strided", LinearFunction, (sample((4, 6), 1)[:, ::2], sample((2, 3), 2), sample((4,), 3)[::2])),
        Case("input as weight", LinearFunction, (lambda x: (x, x))(sample((3, 3), 4))),
    ]
}
