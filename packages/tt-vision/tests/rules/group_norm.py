import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_vision.group_norm import GroupNormFunction

# Groups, and the shape of the input.
SHAPES = [
    (1, (2, 4)), (2, (2, 4)), (1, (1, 2, 3)), (2, (2, 2, 3)), (2, (1, 4, 2)), (4, (2, 4, 2)), (3, (1, 6, 1, 2)),
    (2, (2, 4, 2, 1)), (1, (2, 1, 2, 2)), (1, (1, 2, 1, 2, 2)), (2, (0, 4)), (2, (2, 4, 0)), (1, (2, 0, 3)),
]  # fmt: skip


def channels(count, seed):
    return sample((count,), seed, 0.5, 1.5)


def cases():
    found = []
    for groups, shape in SHAPES:
        for parts in range(3):
            given = [channels(shape[1], 2 + index) for index in range(parts)]
            made = Case(
                f"{shape} in {groups}, {parts} parts",
                lambda groups=groups: GroupNormFunction(groups, 1e-2),
                (sample(shape, 1), *given),
            )
            found.append(made)
    for kind, x in layouts((2, 4, 2, 2), 1, -2.0, 2.0):
        found.append(Case(kind, lambda: GroupNormFunction(2, 1e-2), (x, channels(4, 2), channels(4, 3))))
    last = np.ascontiguousarray(sample((2, 4, 1, 3), 1).transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for name, arrays in {
        "channels last": (last, channels(4, 2), channels(4, 3)),
        "no weight": (sample((2, 4, 3), 1), None, channels(4, 3)),
        "far": (sample((2, 4, 3), 1) + 40, channels(4, 2), channels(4, 3)),
    }.items():
        found.append(Case(name, lambda: GroupNormFunction(2, 1e-2), arrays))
    return found


CASES = {GroupNormFunction: cases()}
