from functools import partial

import numpy as np

from tt_tensor.ops import scan
from tt_tensor.testing import Case, sample, unary_cases

CASES = {
    scan.Cumprod: unary_cases(scan.Cumprod)
    + [
        Case(f"{shape} axis={axis}", partial(scan.Cumprod, axis), (sample(shape, 4),))
        for shape, axis in [((4,), 0), ((4,), -1), ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), 1), ((2, 0, 3), -2)]
    ]
    + [
        Case(
            f"zeros at {zeros}", partial(scan.Cumprod, 0), (sample((5,), 4) * ~np.isin(np.arange(5), zeros),)
        )
        for zeros in ([0], [2], [4], [1, 3], [0, 1])
    ],
    scan.Cumsum: unary_cases(scan.Cumsum)
    + [
        Case(f"{shape} axis={axis}", partial(scan.Cumsum, axis), (sample(shape, 4),))
        for shape, axis in [((4,), 0), ((4,), -1), ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), 1), ((2, 0, 3), -2)]
    ],
}
