import numpy as np

from tt_tensor.testing import Case, sample
from tt_vision.batch_norm_relu import BatchNormReLUFunction

SHAPES = [
    (2, 1, 2, 2), (3, 2, 2, 2), (1, 3, 2, 4), (2, 2, 4, 2), (2, 3, 4, 4), (0, 2, 2, 2), (2, 0, 2, 2), (2, 2, 0, 2),
]  # fmt: skip


def channels(count, seed):
    return sample((count,), seed, 0.5, 1.5)


def cases():
    found = []
    for shape in SHAPES:
        for pool in (False, True)[: 1 if 0 in shape[2:] else 2]:
            for parts in (0, 1, 2):
                given = [channels(shape[1], 2 + index) for index in range(parts)]
                found.append(
                    Case(
                        f"{shape}, {parts} parts{', pooled' if pool else ''}",
                        lambda pool=pool: BatchNormReLUFunction(1e-2, pool),
                        (sample(shape, 1), *given),
                    )
                )
    last = np.ascontiguousarray(sample((2, 2, 4, 2), 1).transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    given = (last, -channels(2, 2), channels(2, 3))
    found.append(Case("channels last", lambda: BatchNormReLUFunction(1e-2), given))
    found.append(Case("channels last, pooled", lambda: BatchNormReLUFunction(1e-2, True), given))
    found.append(Case("no weight", lambda: BatchNormReLUFunction(1e-2), (last, None, channels(2, 3))))
    return found


CASES = {BatchNormReLUFunction: cases()}
