import numpy as np

from tt_tensor.testing import Case, layouts, sample
from tt_text.embedding_bag import BagSum

# The bag of each row, how many bags there are, features.
BAGS = [
    ([0, 0, 1], 2, 3), ([0, 1, 2], 3, 2), ([0, 0, 0], 1, 4), ([1, 1], 3, 2), ([0, 2, 2, 2], 4, 1), ([0], 1, 1),
    ([], 2, 3), ([], 0, 3), ([0, 1], 2, 0), ([2, 2, 4, 4, 4], 5, 2), ([0] * 9, 1, 2), ([0, 1, 1, 2, 3, 3, 3], 4, 3),
    ([4], 5, 2),
    ([0, 0, 1, 1], 2, 2), ([3, 3], 4, 5), ([0, 3], 4, 2), ([1, 2, 2], 3, 3), ([0, 0, 2, 3, 3], 4, 2),
]  # fmt: skip


def bags(bag, count, x, name=""):
    bag = np.asarray(bag, np.intp)
    return Case(f"{bag.tolist()} of {count} {x.shape} {name}", lambda: BagSum(bag, count), (x,))


CASES = {
    BagSum: [
        *[bags(bag, count, sample((len(bag), features))) for bag, count, features in BAGS],
        *[bags([0, 0, 2], 3, x, kind) for kind, x in layouts((3, 4), 1, -2.0, 2.0)],
    ]
}
