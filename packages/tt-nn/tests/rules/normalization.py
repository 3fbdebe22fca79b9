from tt_nn.normalization import LayerNormFunction, RMSNormFunction
from tt_tensor.testing import Case, sample

# Shape of the input, and how many of its last axes are normalized.
SHAPES = [
    ((5,), 1), ((3, 4), 1), ((3, 4), 2), ((1, 4), 1), ((2, 3, 4), 1), ((2, 3, 4), 2), ((2, 3, 4), 3), ((0, 3), 1),
    ((3, 0), 1), ((2, 1, 3), 1), ((1, 1, 5), 2), ((2, 2, 2, 3), 1), ((2, 2, 2, 3), 3),
]  # fmt: skip


def cases(make, parts):
    found = []
    for shape, k in SHAPES:
        last = shape[len(shape) - k :]
        for count in range(parts + 1):
            given = [sample(last, 2 + index, 0.5, 1.5) for index in range(count)]
            found.append(
                Case(
                    f"{shape} over {k}, {count} parts",
                    lambda last=last: make(last, 1e-5),
                    (sample(shape, 1), *given),
                )
            )
    found.append(Case("fortran", lambda: make((4,), 1e-5), (sample((4, 3), 1).T, sample((4,), 2))))
    found.append(Case("strided", lambda: make((4,), 1e-5), (sample((3, 8), 1)[:, ::2], sample((8,), 2)[::2])))
    found.append(
        Case("reversed", lambda: make((4,), 1e-5), (sample((3, 4), 1)[::-1, ::-1], sample((4,), 2)[::-1]))
    )
    return found


CASES = {
    LayerNormFunction: [
        *cases(LayerNormFunction, 2),
        Case("no weight", lambda: LayerNormFunction((4,), 1e-5), (sample((3, 4)), None, sample((4,), 1))),
    ],
    RMSNormFunction: cases(RMSNormFunction, 1),
}
