from functools import partial

from tt_tensor.ops import scan
from tt_tensor.testing import Case, sample, unary_cases

CASES = {
    scan.Cumsum: unary_cases(scan.Cumsum)
    + [
        Case(f"{shape} axis={axis}", partial(scan.Cumsum, axis), (sample(shape, 4),))
        for shape, axis in [((4,), 0), ((4,), -1), ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), 1), ((2, 0, 3), -2)]
    ],
}
