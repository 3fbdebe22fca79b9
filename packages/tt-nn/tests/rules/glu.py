from tt_nn import glu
from tt_tensor.testing import Case, sample

SHAPES = [((2,), 0), ((6,), -1), ((0,), 0), ((2, 4), 0), ((2, 4), 1), ((2, 4), -2), ((3, 0), 1), ((0, 2), 1)]
SHAPES += [((2, 3, 4), 0), ((2, 3, 4), 2), ((2, 4, 3), 1), ((2, 4, 3), -2), ((1, 2, 1), 1), ((2, 2, 2, 2), 3)]
SHAPES += [((2, 2, 2, 2), 1), ((8, 1), 0)]

CASES = {
    glu.GLUFunction: [
        Case(f"{shape} {dim}", lambda dim=dim: glu.GLUFunction(dim), (sample(shape),))
        for shape, dim in SHAPES
    ]
    + [
        Case(f"strides {x.strides}", glu.GLUFunction, (x,))
        for x in (sample((4, 3)).T, sample((3, 8))[:, ::2], sample((3, 4))[::-1, ::-1], 30 * sample((3, 4)))
    ],
}
