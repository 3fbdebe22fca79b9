from functools import partial

from tt_tensor.ops import statistics
from tt_tensor.testing import Case, sample, unary_cases

AXES = [
    ((3,), 0), ((3, 4), -1), ((3, 4), 0), ((3, 4), (0, 1)), ((2, 3, 4), (-1, 0)), ((2, 3, 4), 1),
    ((3, 0), 0), ((0, 3), 1), ((2, 2, 3, 2), (1, -1)), ((2, 3, 4), (2, 1)),
]  # fmt: skip


def cases(function):
    whole = [case for case in unary_cases(function, least_rank=1) if case.inputs[0].size > 1]
    return whole + [
        Case(
            f"{shape} axis={axis} ddof={ddof} keepdims={keep}",
            partial(function, axis, ddof, keep),
            (sample(shape, 5),),
        )
        for shape, axis in AXES
        for ddof, keep in ((0, False), (1, True), (0.5, False))
    ]


CASES = {
    statistics.Var: [*cases(statistics.Var), Case("one element", statistics.Var, (sample((1,)),))],
    statistics.Std: cases(statistics.Std),
}
