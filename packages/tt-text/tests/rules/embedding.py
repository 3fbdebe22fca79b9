import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_text.embedding import EmbeddingFunction

# ids, the shape of the table, padding_idx. A padding that is read gets no gradient, which is not the derivative: that
# is tested apart.
LOOKUPS = [
    ([0, 1, 2], (3, 4), None), ([0, 0, 0], (3, 4), None), ([2, 0, 2, 1, 2], (3, 2), None), ([1], (2, 1), None),
    ([[0, 1], [1, 1]], (3, 2), None), ([[[3], [3]], [[0], [1]]], (4, 3), None), (2, (3, 4), None), (0, (1, 1), None),
    ([], (3, 4), None), (np.zeros((2, 0), int), (3, 4), None), ([0, 0], (2, 0), None), ([0, 2, 0], (3, 4), 1),
    ([[0, 2], [2, 2]], (3, 2), 1), (np.array([1, 1, 0], np.uint8), (2, 3), None),
    (np.array([1, 1, 0], np.int32), (2, 3), None), (np.array([[4, 4, 4, 1]], np.uint16), (5, 2), None),
    (np.array([[0, 1], [2, 1]]).T, (3, 2), None), (np.arange(6)[::-2], (6, 2), None), ([0] * 9, (2, 2), None),
    ([1, 0, 1, 0, 1, 0], (2, 3), None), ([5], (6, 2), 0), ([[1, 2, 3]], (5, 3), 4),
]  # fmt: skip


def lookup(ids, table, padding, name=""):
    ids = np.asarray(ids, None if np.size(ids) else int)
    x = sample(table) if isinstance(table, tuple) else table
    title = f"{ids.shape} {ids.dtype} of {x.shape} padding {padding} {name}"
    return Case(title, lambda: EmbeddingFunction(padding), (ids, x))


CASES = {
    EmbeddingFunction: [
        *[lookup(ids, shape, padding) for ids, shape, padding in LOOKUPS],
        *[lookup([1, 2, 1, 1], x, None, kind) for kind, x in layouts((3, 4), 1, -2.0, 2.0)],
    ]
}
