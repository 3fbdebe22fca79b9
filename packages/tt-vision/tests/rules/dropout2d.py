import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_vision.dropout2d import ChannelDropoutFunction

SHAPES = [
    (3, 4), (1, 1), (4, 1), (0, 3), (3, 0), (2, 3, 4), (1, 2, 3), (2, 0, 3), (2, 3, 0), (2, 2, 3, 2), (1, 3, 2, 2),
    (3, 1, 1, 1), (0, 2, 2, 2), (2, 2, 1, 2, 2),
]  # fmt: skip


def mask(shape, seed):
    channels = shape[:2] if len(shape) > 2 else shape[:1]
    drawn = np.random.default_rng(seed).random(channels) > 0.4
    return drawn.reshape(channels + (1,) * (len(shape) - len(channels)))


CASES = {
    ChannelDropoutFunction: [
        *[
            Case(
                f"{shape} scale {scale}",
                lambda scale=scale: ChannelDropoutFunction(scale),
                (sample(shape), mask(shape, 1)),
            )
            for shape in SHAPES
            for scale in (2.5, 0.0)
        ],
        *[
            Case(kind, lambda: ChannelDropoutFunction(1.5), (x, mask((2, 3, 2, 2), 1)))
            for kind, x in layouts((2, 3, 2, 2), 1, -2.0, 2.0)
        ],
        Case("all", lambda: ChannelDropoutFunction(2.0), (sample((2, 3, 2)), np.ones((2, 3, 1), bool))),
        Case("none", lambda: ChannelDropoutFunction(2.0), (sample((2, 3, 2)), np.zeros((2, 3, 1), bool))),
    ]
}
