import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_text.rotary import RotaryFunction
from tt_text.rotation import Rotation, factors_of

# The shape of x, of the angles.
TURNED = [
    ((2,), (1,)), ((4,), (2,)), ((1, 2), (1, 1)), ((3, 4), (3, 2)), ((3, 5), (3, 2)), ((0, 4), (0, 2)),
    ((2, 3, 4), (3, 2)), ((2, 0, 4), (0, 2)), ((1, 2, 3, 4), (3, 2)), ((2, 3, 1, 4), (3, 1, 2)),
    ((2, 2, 2, 4), (2, 1, 2, 2)), ((2, 2, 2, 5), (2, 2, 1, 1)), ((0, 2, 1, 2), (1, 1)),
]  # fmt: skip


def turned(layout, x, angles, name="", magnitude=1.0):
    rotation = Rotation(factors_of(sample(angles, 1, -7.0, 7.0), layout, magnitude=magnitude), layout)
    x = sample(x) if isinstance(x, tuple) else x
    return Case(f"{layout} {x.shape} by {angles} {name}", lambda: RotaryFunction(rotation), (x,))


WIDE = sample((2, 3, 2, 4)).transpose(0, 2, 1, 3)

CASES = {
    RotaryFunction: [
        case
        for layout in ("half", "interleaved")
        for case in [
            *[turned(layout, x, angles) for x, angles in TURNED],
            *[turned(layout, x, (2, 2), kind) for kind, x in layouts((3, 2, 4), 2, -2.0, 2.0)],
            turned(layout, WIDE, (3, 2), "transposed"),
            turned(layout, (3, 4), (3, 2), "made longer", 1.5),
            turned(layout, np.broadcast_to(sample((1, 4)), (3, 4)).copy(), (3, 2), "repeated"),
        ]
    ]
}
