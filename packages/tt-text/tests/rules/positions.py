import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_text.positions import AddPositionsFunction

# The shape of x, of the table, the places.
ADDED = [
    ((3, 2), (5, 2), slice(0, 3)), ((3, 2), (3, 2), slice(0, 3)), ((1, 1), (1, 1), slice(0, 1)),
    ((2, 3, 2), (5, 2), slice(2, 5)), ((2, 2, 3, 2), (5, 2), slice(1, 4)), ((0, 3, 2), (5, 2), slice(0, 3)),
    ((2, 0, 2), (5, 2), slice(4, 4)), ((2, 3, 0), (5, 0), slice(0, 3)), ((3, 2), (5, 2), [0, 4, 2]),
    ((3, 2), (5, 2), [1, 1, 1]), ((2, 3, 2), (5, 2), [4, 0, 4]), ((2, 2, 3, 2), (5, 2), [4, 0, 4]),
    ((2, 3, 2), (5, 2), [[0, 1, 2], [2, 1, 0]]), ((2, 3, 2), (5, 2), [[1, 1, 1], [1, 4, 4]]),
    ((1, 2, 3), (2, 3), [[1, 1]]), ((0, 2, 3), (2, 3), np.zeros((0, 2), int)), ((2, 0, 3), (2, 3), np.zeros(0, int)),
    ((3, 1, 2), (5, 2), [[3], [4], [3]]),
]  # fmt: skip


def added(x, table, places, name=""):
    where = places if isinstance(places, slice) else np.asarray(places, np.intp)
    x = sample(x) if isinstance(x, tuple) else x
    title = f"{x.shape} + {table} at {places} {name}".replace("\n", "")
    return Case(title, lambda: AddPositionsFunction(where), (x, sample(table, 1)))


CASES = {
    AddPositionsFunction: [
        *[added(*one) for one in ADDED],
        *[added(x, (5, 3), slice(1, 3), kind) for kind, x in layouts((3, 2, 3), 2, -2.0, 2.0)],
        *[added(x, (5, 3), [4, 4], kind) for kind, x in layouts((3, 2, 3), 2, -2.0, 2.0)],
    ]
}
