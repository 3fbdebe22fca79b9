from tt_tensor.ops import inplace
from tt_tensor.testing import Case, sample

# The value broadcasts to the tensor, never the other way.
PAIRS = [
    ((), ()), ((3,), ()), ((3,), (1,)), ((3,), (3,)), ((2, 3), ()), ((2, 3), (1,)), ((2, 3), (3,)), ((2, 3), (2, 1)),
    ((2, 3), (1, 3)), ((2, 3), (2, 3)), ((0,), ()), ((0, 3), (3,)), ((0, 3), (0, 1)), ((2, 1, 3), (3,)),
    ((2, 1, 3), (1, 3)), ((2, 1, 3), (2, 1, 1)), ((2, 1, 3), (2, 1, 3)),
]  # fmt: skip

CASES = {
    inplace.Overwrite: [
        Case(f"{a} from {b}", inplace.Overwrite, (sample(a, 1), sample(b, 2))) for a, b in PAIRS
    ]
    + [Case(f"{a} from {v}", inplace.Overwrite, (sample(a), v)) for a in ((), (4,), (2, 3)) for v in (0, 1.5)]
    + [
        Case("itself", inplace.Overwrite, (sample((3, 2)),) * 2),
        Case("a reversed view", inplace.Overwrite, (sample((3, 4)), sample((4, 3)).T[::-1])),
    ],
}
