import numpy as np

from tt_tensor.testing import Case, sample
from tt_vision.conv_then import ConvThenFunction
from tt_vision.window import Window

USUAL = Window((3, 3), padding=((1, 1), (1, 1)))
GEOMETRIES = [
    (USUAL, (2, 2, 4, 2), (3, 2, 3, 3)),
    (USUAL, (1, 1, 2, 4), (2, 1, 3, 3)),
    (USUAL, (2, 3, 4, 4), (1, 3, 3, 3)),
    (Window((2, 2)), (2, 2, 3, 3), (2, 2, 2, 2)),
    (Window((2, 1), (2, 2), groups=2), (1, 4, 4, 3), (2, 2, 2, 1)),
    (USUAL, (0, 2, 4, 4), (2, 2, 3, 3)),
    (USUAL, (2, 0, 4, 4), (2, 0, 3, 3)),
]


def cases():
    found = []
    for window, shape, weight in GEOMETRIES:
        for pool in (False, True):
            for relu in (False, True):
                for biased in (False, True):
                    # Far from 0 in each channel, so that no difference quotient steps over the kink.
                    bias = np.where(np.arange(weight[0]) % 2, 9.0, -9.0) if relu else sample(weight[:1], 3)
                    inputs = (sample(shape, 1), sample(weight, 2), bias)[: 2 + biased]
                    found.append(
                        Case(
                            f"{shape} {weight}{', pooled' * pool}{', relu' * relu}{', bias' * biased}",
                            lambda window=window, pool=pool, relu=relu: ConvThenFunction(window, pool, relu),
                            inputs,
                        )
                    )
    scale = np.array([-2.0, 0.5])
    inputs = (sample((2, 2, 4, 4), 1), sample((2, 2, 3, 3), 2), sample((2,), 3))
    found.append(Case("scaled", lambda: ConvThenFunction(USUAL, False, False, scale), inputs))
    found.append(Case("scaled, pooled", lambda: ConvThenFunction(USUAL, True, False, scale), inputs))
    found.append(Case("one image", lambda: ConvThenFunction(USUAL, True, True), (inputs[0][0], inputs[1])))
    return found


CASES = {ConvThenFunction: cases()}
