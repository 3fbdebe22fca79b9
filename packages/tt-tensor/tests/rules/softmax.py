from functools import partial

import numpy as np

from tt_tensor.ops import softmax
from tt_tensor.testing import Case, binary_cases, sample, unary_cases


def along(function):
    return [
        Case(f"{shape} axis={axis}", partial(function, axis), (sample(shape, 6),))
        for shape, axis in [
            ((4,), 0),
            ((3, 4), 0),
            ((3, 4), 1),
            ((2, 3, 4), -2),
            ((2, 0, 3), 1),
            ((2, 3, 4), 0),
        ]
    ]


def shifted(function):
    """Far from 0, where a difference of float64 still has the digits that central differences need."""
    return [Case(f"at {at:g}", function, (sample((2, 4), 7) + at,)) for at in (-1e4, -100.0, 100.0, 1e4)]


def one_hot_shape(x):
    return np.concatenate([x, x[:, :1] - 50.0], axis=1)  # one probability that is as good as 0


CASES = {
    function: unary_cases(function, least_rank=1)
    + along(function)
    + shifted(function)
    + [Case("one far below", function, (one_hot_shape(sample((3, 3))),))]
    for function in (softmax.Softmax, softmax.LogSoftmax)
}
CASES[softmax.LogSumExp] = (
    [case for case in unary_cases(softmax.LogSumExp) if case.inputs[0].size]
    + shifted(softmax.LogSumExp)
    + [
        Case(f"{shape} axis={axis} keepdims={keep}", partial(softmax.LogSumExp, axis, keep), (sample(shape, 8),))
        for shape, axis in [
            ((3,), 0), ((3, 4), -1), ((3, 4), (0, 1)), ((2, 3, 4), (-1, 0)), ((3, 4), ()), ((3, 0), 0), ((2, 3, 4), 1)
        ]
        for keep in (False, True)
    ]
)  # fmt: skip
CASES[softmax.LogAddExp] = [
    *binary_cases(softmax.LogAddExp),
    Case("far apart", softmax.LogAddExp, (np.array([1e4, -1e4, 3.0]), np.array([-1e4, 1e4, 3.0]))),
]
