from tt_tensor.ops import reductions
from tt_tensor.testing import Case, sample, unary_cases

CASES = {
    reductions.Sum: unary_cases(reductions.Sum)
    + [
        Case(f"{shape} axis={axis} keepdims={keepdims}", lambda a=axis, k=keepdims: reductions.Sum(a, k), (sample(shape),))
        for shape, axis in [((3,), 0), ((3, 4), -1), ((3, 4), (0, 1)), ((2, 3, 4), (-1, 0)), ((0, 3), 0), ((3, 0), 1), ((3, 4), ())]
        for keepdims in (False, True)
    ],
}
