import numpy as np

from tt_autograd.checkpointing import Segment
from tt_tensor import where
from tt_tensor.testing import Case, layouts, sample, unary_cases


def scaled(x, y):
    return x * y.exp()


def product(x, y):
    return [x @ y]


def several(x, y):
    """Two results, of which a Segment makes one row."""
    return [(x * y).tanh(), x.sum() * y.mean()]


def deep(x):
    for _ in range(4):
        x = (x * 1.5).sin() + x
    return [x]


def choose(mask, x, y):
    return [where(mask, x * y, x - y)]


PAIRS = [
    ((), ()), ((3,), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0, 3), (3,)), ((2, 3, 4), (3, 1)),
    ((1, 1), (2, 3)),
]  # fmt: skip


def cases():
    found = [
        Case(case.name, lambda: Segment(lambda x: [(x * x).tanh() + x.sigmoid()]), case.inputs)
        for case in unary_cases(Segment)
    ]
    for a, b in PAIRS:
        x, y = sample(a, 1), sample(b, 2)
        found.append(Case(f"x y {a} {b}", lambda: Segment(scaled), (x, y)))
        if 0 not in a:  # a mean over nothing is NaN
            found.append(Case(f"several {a} {b}", lambda: Segment(several), (x, y)))
    for kind, x in layouts((3, 4), 3, -2.0, 2.0):
        found.append(Case(f"x @ y {kind}", lambda: Segment(product), (x, sample((4, 2), 4))))
    mask, x = np.array([[True, False, True], [False, True, False]]), sample((2, 3), 5)
    found += [
        Case("deep", lambda: Segment(deep), (x,)),
        Case("two parts of one", lambda: Segment(product), (x[:, :2].copy(), x[:, 1:].copy())),
        Case("one operand twice", lambda: Segment(lambda x, y: [x * y]), (x, x)),
        Case("a view of its argument", lambda: Segment(lambda x: [x.T]), (x,)),
        Case("its argument itself", lambda: Segment(lambda x: [x]), (x,)),
        Case("a mask", lambda: Segment(choose), (mask, x, sample((3,), 6))),
        Case("an argument it does not use", lambda: Segment(lambda x, y: [y.exp()]), (x, sample((3,), 6))),
    ]
    return found


CASES = {Segment: cases()}
