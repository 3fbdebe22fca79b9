import numpy as np

from tt_tensor.ops import compare
from tt_tensor.testing import Case, binary_cases, sample


def distinct(make):
    """Pairs without ties. An operand used twice ties everywhere, and the halves add up to the slope of x."""
    return binary_cases(make, -2.0, 2.0, -1.9, 2.1)


TRIPLES = [
    ((), (), ()), ((3,), (), ()), ((), (3,), (3,)), ((3,), (3,), (3,)), ((2, 3), (3,), (2, 1)),
    ((2, 1), (1, 3), ()), ((3,), (2, 3), (2, 3)), ((0,), (0,), (1,)), ((0, 3), (3,), ()), ((2, 3, 1), (4,), (3, 1)),
    ((1, 1, 1), (2, 3), (2, 1, 1)), ((2, 1, 3, 1), (1, 2), (3, 2)), ((3, 0, 2), (1, 2), (3, 1, 1)),
]  # fmt: skip


def where_cases():
    cases = []
    for seed, (condition, a, b) in enumerate(TRIPLES):
        mask = np.random.default_rng(seed).random(condition) < 0.5
        cases += [
            Case(f"{condition} {a} {b}", compare.Where, (mask, sample(a, seed), sample(b, seed + 50))),
            Case(f"{condition} {a} 0.5", compare.Where, (mask, sample(a, seed), 0.5)),
        ]
    mask = np.array([[True, False, True], [False, False, True]])
    x = sample((2, 3))
    cases += [
        Case("nothing but NaN elsewhere", compare.Where, (mask, np.where(mask, x, np.nan), 1.0)),
        Case("-9, x", compare.Where, (mask, -9, x)),
        Case("x twice", compare.Where, (mask, x, x)),
        Case("integer condition", compare.Where, (mask.astype(int), x, sample((3,), 9))),
        Case("fortran", compare.Where, (np.asfortranarray(mask), np.asfortranarray(x), x[::-1])),
        Case("large", compare.Where, (np.arange(2100) % 3 == 0, sample((1,)), sample((1,), 1))),
    ]
    return cases


def clip_cases():
    make = compare.Clip
    cases = []
    for seed, shape in enumerate([(), (1,), (5,), (0,), (3, 4), (0, 3), (2, 3, 4), (2, 1, 3, 2)]):
        x = sample(shape, seed)
        cases += [
            Case(f"{shape} in [-1.01, 0.73]", make, (x, -1.01, 0.73)),
            Case(f"{shape} from -0.51", make, (x, -0.51, None)),
            Case(f"{shape} to 1", make, (x, None, 1.0001)),
        ]
    x = sample((3, 4), 20)
    low, high = sample((4,), 21, -1.9, -0.5), sample((3, 1), 22, 0.45, 1.7)
    cases += [
        Case("tensor bounds", make, (x, low, high)),
        Case(
            "tensor bounds of x's shape",
            make,
            (x, sample((3, 4), 23, -2.1, 0.1), sample((3, 4), 24, 0.2, 1.9)),
        ),
        Case("low above high", make, (x, high, low)),
        Case("low only", make, (x, low, None)),
        Case("high only", make, (x, None, high)),
        Case("low tensor, high number", make, (x, low, 0.313)),
        Case("x broadcast", make, (sample((1,), 25), sample((2, 3), 26), 1.9)),
        Case("integer bounds", make, (x, -1, 1)),
        Case("fortran", make, (np.asfortranarray(x), low, high)),
        Case("strided", make, (sample((3, 8), 27)[:, ::2], low, 0.717)),
        Case("reversed", make, (x[::-1, ::-1], None, high)),
    ]
    return cases


CASES = {
    compare.Maximum: distinct(compare.Maximum),
    compare.Minimum: distinct(compare.Minimum),
    compare.Where: where_cases(),
    compare.Clip: clip_cases(),
}
