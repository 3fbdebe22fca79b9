from tt_tensor.ops import sorting
from tt_tensor.testing import Case, sample, unary_cases


def top(shape, *arguments):
    return Case(f"{shape} {arguments}", lambda: sorting.TopK(*arguments), (sample(shape),))


CASES = {
    sorting.Sort: unary_cases(sorting.Sort, least_rank=1)
    + [
        Case(f"{shape} {arguments}", lambda a=arguments: sorting.Sort(*a), (sample(shape),))
        for shape, arguments in [
            ((5,), (0,)), ((5,), (-1, True)), ((3, 4), (0,)), ((3, 4), (0, True)), ((3, 4), (1, True, False)),
            ((3, 4), (-2, False, False)), ((2, 3, 4), (1,)), ((2, 3, 4), (-3, True)),
            ((0, 3), (0, True)), ((3, 0), (1, True)),
        ]
    ],
    sorting.TopK: [
        top((1,), 1), top((5,), 0), top((5,), 1), top((5,), 3), top((5,), 5), top((5,), 2, 0), top((5,), 2, -1, False),
        top((5,), 2, -1, True, False), top((0,), 0), top((3, 4), 2), top((3, 4), 2, 0), top((3, 4), 2, -2, False),
        top((3, 4), 4, 1, False, False), top((0, 3), 2), top((3, 0), 0), top((3, 0), 2, 0), top((2, 3, 4), 1, 1),
        top((2, 3, 4), 2, -3), top((2, 1, 3, 2), 2, 2, False), top((100,), 3), top((100,), 3, 0, False),
        top((2, 80), 2),
        top((80, 2), 5, 0, False, False),
    ]
    + [
        Case(f"strides {x.strides}", lambda: sorting.TopK(2), (x,))
        for x in (sample((4, 3)).T, sample((3, 4))[::-1, ::-1], sample((3, 8))[:, ::2])
    ],
}  # fmt: skip
