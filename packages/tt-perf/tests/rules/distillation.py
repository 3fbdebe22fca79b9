import numpy as np

from tt_perf.compression.distillation import DistillationFunction
from tt_tensor.testing import Case, layouts, sample

# Logits, and targets that name a class.
ROWS = [
    ((3, 4), np.array([0, 3, 1])),
    ((1, 2), np.array([1])),
    ((4, 1), np.array([0, 0, 0, 0])),
    ((2, 3, 2), np.array([[0, 2], [1, 1]])),
    ((2, 3, 2, 2), np.array([[[0, 2], [1, 1]], [[2, 2], [0, 0]]])),
    ((3, 4), np.array([2, 2, 2], np.int32)),
]


def teacher(shape, ruled_out=False):
    """The teacher's logits. float32, and so no leaf of a check: no gradient goes to them."""
    z = sample(shape, 2).astype(np.float32)
    if ruled_out:
        z[0, 0] = -np.inf
    return z


def case(name, x, target, temperature=2.5, alpha=0.3, smoothing=0.0, z=None):
    made = teacher(x.shape) if z is None else z
    return Case(name, lambda: DistillationFunction(temperature, alpha, smoothing), (x, made, target))


CASES = {
    DistillationFunction: [
        *(
            case(f"{shape} {target.dtype} T={t} alpha={alpha}", sample(shape, 1), target, t, alpha)
            for shape, target in ROWS
            for t, alpha in ((1.0, 0.5), (2.5, 0.3), (4.0, 1.0), (2.0, 0.0))
        ),
        *(case(f"{kind}", x, ROWS[0][1]) for kind, x in layouts((3, 4), 3, -2.0, 2.0)),
        *(case(f"{shape} smoothed", sample(shape, 1), target, smoothing=0.2) for shape, target in ROWS[:4]),
        case("a class that is ruled out", sample((3, 4), 1), ROWS[0][1], z=teacher((3, 4), True)),
    ]
}
