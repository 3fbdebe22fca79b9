import numpy as np

from tt_tensor.ops import arranging, joining, padding
from tt_tensor.testing import Case, sample, unary_cases


def join(function, axis, *shapes, name=""):
    inputs = tuple(sample(shape, seed) for seed, shape in enumerate(shapes))
    return Case(f"{name}{shapes} axis={axis}", lambda: function(axis), inputs)


def twice(function, axis, shape):
    x = sample(shape)
    return Case(f"{shape} twice axis={axis}", lambda: function(axis), (x, x))


def of(function, *arguments):
    """A case for each shape or array: `of(Roll, 1)(shape, …)`."""

    def cases(*inputs):
        return [
            Case(
                f"{x if isinstance(x, tuple) else 'strides ' + str(x.strides)} {arguments}",
                lambda: function(*arguments),
                (sample(x) if isinstance(x, tuple) else x,),
            )
            for x in inputs
        ]

    return cases


FORTRAN = np.asfortranarray(sample((3, 4)))
REVERSED = sample((3, 4))[::-1, ::-1]
STRIDED = sample((3, 8))[:, ::2]

CASES = {
    joining.Concatenate: [
        join(joining.Concatenate, axis, *shapes)
        for axis, shapes in [
            (0, ((3,),)), (0, ((3,), (2,))), (-1, ((3,), (2,), (1,))), (0, ((0,), (2,))), (0, ((0,), (0,))),
            (0, ((2, 3), (1, 3))), (1, ((2, 3), (2, 1))), (-1, ((2, 3), (2, 3))), (-2, ((2, 3), (4, 3))),
            (1, ((2, 0), (2, 3))), (0, ((0, 3), (2, 3))), (1, ((0, 3), (0, 2))), (0, ((1, 1), (1, 1), (1, 1))),
            (1, ((2, 3, 2), (2, 1, 2))), (2, ((2, 1, 3), (2, 1, 1))), (-3, ((1, 2, 2), (2, 2, 2))),
            (3, ((1, 2, 1, 2), (1, 2, 1, 3))), (0, ((2, 3), (1, 3), (3, 3), (0, 3))),
        ]
    ]
    + [
        twice(joining.Concatenate, 0, (3,)),
        twice(joining.Concatenate, -1, (2, 3)),
        twice(joining.Concatenate, 0, (0, 2)),
        Case("layouts", lambda: joining.Concatenate(0), (FORTRAN, REVERSED, STRIDED)),
    ],
    joining.Stack: [
        join(joining.Stack, axis, *shapes)
        for axis, shapes in [
            (0, ((),)), (0, ((), ())), (-1, ((), (), ())), (0, ((3,),)), (0, ((3,), (3,))), (1, ((3,), (3,))),
            (-1, ((3,), (3,))), (-2, ((3,), (3,))), (0, ((0,), (0,))), (1, ((0,), (0,))), (0, ((2, 3), (2, 3))),
            (1, ((2, 3), (2, 3), (2, 3))), (2, ((2, 3), (2, 3))), (-3, ((2, 3), (2, 3))), (0, ((0, 3), (0, 3))),
            (1, ((2, 1, 3), (2, 1, 3))), (3, ((2, 1, 3), (2, 1, 3))), (0, ((1,), (1,), (1,), (1,))),
        ]
    ]
    + [
        twice(joining.Stack, 0, ()),
        twice(joining.Stack, 1, (2, 3)),
        twice(joining.Stack, -1, (3,)),
        Case("layouts", lambda: joining.Stack(-1), (FORTRAN, REVERSED, STRIDED)),
    ],
    padding.Pad: of(padding.Pad, 1)((3,), (2, 3), (0, 3), (1, 1, 2), ())
    + of(padding.Pad, (1, 2))((3,), (0,), (2, 3))
    + of(padding.Pad, ((0, 0), (2, 1)))((2, 3), (3, 0), FORTRAN, REVERSED, STRIDED)
    + of(padding.Pad, ((1, 0), (0, 2)), "constant", 2.5)((2, 3))
    + of(padding.Pad, 1, "constant", ((1.0, 2.0), (3.0, 4.0)))((2, 3))
    + of(padding.Pad, 0)((), (2, 3))
    + [
        case
        for mode in ("edge", "reflect", "symmetric", "wrap")
        for case in of(padding.Pad, (1, 2), mode)((1,), (3,), (2, 3), FORTRAN)
        + of(padding.Pad, ((0, 0), (2, 1)), mode)((2, 3), (0, 3), REVERSED)
        + of(padding.Pad, (5, 4), mode)((3,))  # further than the axis is long
        + of(padding.Pad, 2, mode)(())
    ],
    arranging.Flip: unary_cases(arranging.Flip)
    + of(arranging.Flip, 0)((3,), (2, 3), (0, 2))
    + of(arranging.Flip, -1)((2, 3), STRIDED)
    + of(arranging.Flip, (0, -1))((2, 3, 2)),
    arranging.Roll: unary_cases(lambda: arranging.Roll(1))
    + of(arranging.Roll, 2, 0)((3,), (3, 2), (0, 2))
    + of(arranging.Roll, -1, -1)((2, 3), FORTRAN, STRIDED)
    + of(arranging.Roll, (1, -2), (0, 1))((2, 3))
    + of(arranging.Roll, (1, 1), (0, 0))((3, 2))
    + of(arranging.Roll, 7, 1)((2, 3)),
    arranging.Repeat: unary_cases(lambda: arranging.Repeat(2, 0), least_rank=1)
    + of(arranging.Repeat, 3, -1)((2, 3), FORTRAN, STRIDED)
    + of(arranging.Repeat, 0, 0)((3,), (2, 3))
    + of(arranging.Repeat, 1, 1)((2, 3))
    + of(arranging.Repeat, [2, 0, 1], 0)((3,), (3, 2), REVERSED)
    + of(arranging.Repeat, [0, 3], -2)((2, 3))
    + of(arranging.Repeat, [1, 2, 1], 1)((2, 3), (2, 3, 2))
    + of(arranging.Repeat, [], 0)((0,), (0, 3)),
    arranging.Tile: unary_cases(lambda: arranging.Tile((2,)))
    + of(arranging.Tile, (2, 3))((), (3,), (2, 3), (2, 1, 2), (0, 2))
    + of(arranging.Tile, (1, 1))((2, 3), FORTRAN)
    + of(arranging.Tile, (2, 0))((2, 3))
    + of(arranging.Tile, ())((), (2, 3)),
    arranging.Tril: unary_cases(arranging.Tril, least_rank=2)
    + of(arranging.Tril, 1)((3, 4), (4, 3), FORTRAN)
    + of(arranging.Tril, -1)((3, 4), (4, 3), (2, 3, 3))
    + of(arranging.Tril, 5)((3, 4)),
    arranging.Triu: unary_cases(arranging.Triu, least_rank=2)
    + of(arranging.Triu, 1)((3, 4), (4, 3), FORTRAN)
    + of(arranging.Triu, -1)((3, 4), (4, 3), (2, 3, 3))
    + of(arranging.Triu, -5)((3, 4)),
}  # fmt: skip
