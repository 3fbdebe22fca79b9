from functools import partial

from tt_tensor.ops import reductions
from tt_tensor.testing import Case, sample, unary_cases

AXES = [
    ((3,), 0), ((3, 4), -1), ((3, 4), 0), ((3, 4), (0, 1)), ((2, 3, 4), (-1, 0)), ((2, 3, 4), 1),
    ((0, 3), 0), ((3, 0), 1), ((3, 4), ()), ((2, 1, 3, 2), (1, -1)), ((), ()), ((2, 3, 4), (2, 1)),
]  # fmt: skip


def over_axes(function, axes=AXES, low=-2.0, high=2.0):
    return [
        Case(
            f"{shape} axis={axis} keepdims={keep}",
            partial(function, axis, keepdims=keep),
            (sample(shape, 3, low, high),),
        )
        for shape, axis in axes
        for keep in (False, True)
    ]


FULL = [(shape, axis) for shape, axis in AXES if 0 not in shape]  # max of nothing has no value


def zeros(shape, *places):
    x = sample(shape, 9)
    for place in places:
        x[place] = 0.0
    return x


ZEROS = [
    Case("one zero", reductions.Prod, (zeros((4,), 2),)),
    Case("two zeros", reductions.Prod, (zeros((5,), 2, 4),)),
    Case("three zeros", reductions.Prod, (zeros((5,), 0, 2, 4),)),
    Case("all zeros", reductions.Prod, (zeros((3,), 0, 1, 2),)),
    Case("zeros in rows", partial(reductions.Prod, 1), (zeros((3, 4), (0, 1), (1, 0), (1, 3)),)),
    Case("zeros in columns", partial(reductions.Prod, 0, True), (zeros((3, 4), (0, 1), (1, 1), (1, 3)),)),
    Case("zeros over two axes", partial(reductions.Prod, (0, 2)), (zeros((3, 2, 3), (0, 1, 0), (1, 0, 0)),)),
]  # fmt: skip


def chosen(function):
    return [
        Case(f"all of {shape}", function, (sample(shape, seed),))
        for seed, shape in enumerate([(), (1,), (5,), (1, 5), (3, 4), (2, 3, 4), (2, 2, 2, 2)])
    ] + over_axes(function, FULL)


CASES = {
    reductions.Sum: unary_cases(reductions.Sum) + over_axes(reductions.Sum),
    reductions.Mean: [case for case in unary_cases(reductions.Mean) if case.inputs[0].size]
    + over_axes(reductions.Mean, FULL),
    reductions.Prod: unary_cases(reductions.Prod) + over_axes(reductions.Prod) + ZEROS,
    reductions.Max: chosen(reductions.Max) + [c for c in unary_cases(reductions.Max) if c.inputs[0].size],
    reductions.Min: chosen(reductions.Min) + [c for c in unary_cases(reductions.Min) if c.inputs[0].size],
}
