"""Write linalg.npz: what PyTorch gives for matrix products and einsum, value and gradients, in both precisions.

Run with an interpreter that has PyTorch (made with 2.13.0): python make_linalg.py
tests/ops/test_goldens_of_linalg.py has the same names on our side; for the rest, see make_reductions.py.
"""

import numpy as np
import torch
from make_reductions import record

rng = np.random.default_rng(1969)


def of(*shape):
    return rng.normal(size=shape)


INPUTS = {
    "v3": of(3), "w3": of(3), "m23": of(2, 3), "m34": of(3, 4), "m33": of(3, 3), "b234": of(2, 3, 4),
    "b243": of(2, 4, 3), "c143": of(1, 4, 3), "q": of(2, 2, 3, 4), "k": of(2, 2, 5, 4), "s": of(2, 5), "e03": of(0, 3),
    "m43": of(4, 3),
}  # fmt: skip

# The last word is the form.
EINSUMS = [
    "m23 m34 ij,jk->ik",
    "q k bhqd,bhkd->bhqk",
    "m33 ii->i",
    "m33 ii",
    "m33 v3 ii,i->",
    "b234 abc->cba",
    "b234 b243 ...ij,...jk",
    "v3 w3 i,j->ij",
    "v3 w3 i,i->i",
    "m23 m34 m43 ab,bc,cd->ad",
    "m23 s ij,ik->k",
    "b234 abc->b",
    "e03 m33 ij,jk->ik",
    "b234 m33 b...d,c...->b",
]

CALLS = {
    "matmul v3 w3": torch.matmul,
    "matmul v3 m34": torch.matmul,
    "matmul m23 v3": torch.matmul,
    "matmul m23 m34": torch.matmul,
    "matmul b234 b243": torch.matmul,
    "matmul b234 c143": torch.matmul,
    "matmul b234 m43": torch.matmul,
    "matmul m23 b234": torch.matmul,
    "matmul v3 b234": torch.matmul,
    "matmul b243 v3": torch.matmul,
    "matmul e03 m34": torch.matmul,
    "outer v3 w3": torch.outer,
    "dot v3 w3": torch.dot,
    "trace m33": torch.trace,
    "diagonal b234 1": lambda x: torch.diagonal(x, 1, -2, -1),
    "diagonal m34 -1": lambda x: torch.diagonal(x, -1),
    "tensordot b234 b243 2": lambda x, y: torch.tensordot(x, y, ([2, 0], [1, 0])),
    "tensordot m23 m34 1": lambda x, y: torch.tensordot(x, y, 1),
    **{f"einsum {name}": (lambda *x, name=name: torch.einsum(name.split()[-1], *x)) for name in EINSUMS},
}

if __name__ == "__main__":
    record("linalg.npz", INPUTS, CALLS)
