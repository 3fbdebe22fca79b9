from tt_nn import prelu
from tt_tensor.testing import Case, sample

SHAPES = [(3,), (1,), (0,), (2, 3), (0, 3), (2, 3, 4), (3, 2, 1, 2)]

CASES = {
    prelu.PReLUFunction: [
        Case(f"{shape}, {weights} of weight", prelu.PReLUFunction, (sample(shape), sample((weights,), 1)))
        for shape in [*SHAPES, ()]
        for weights in ({1, *shape[1:2]} if shape[1:2] != (0,) else {1})
    ]
    + [
        Case(f"strides {x.strides}", prelu.PReLUFunction, (x, sample((x.shape[1],), 1)))
        for x in (
            sample((4, 3)).T,
            sample((3, 8))[:, ::2],
            sample((3, 4))[::-1],
            sample((3, 4, 5)).swapaxes(1, 2),
        )
    ]
    + [
        Case(f"{shape} of one sign", prelu.PReLUFunction, (sign * abs(sample(shape)) + sign, sample((1,), 2)))
        for shape in ((5,), (2, 3), (2, 3, 2))
        for sign in (1, -1)
    ],
}
