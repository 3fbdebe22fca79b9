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

EINSUMS = {
    "einsum m23 m34": "ij,jk->ik",
    "einsum q k scores": "bhqd,bhkd->bhqk",
    "einsum m33 diagonal": "ii->i",
    "einsum m33 trace": "ii",
    "einsum m33 v3 mixed": "ii,i->",
    "einsum b234 reversed": "abc->cba",
    "einsum b234 b243": "...ij,...jk",
    "einsum v3 w3 outer": "i,j->ij",
    "einsum v3 w3 elementwise": "i,i->i",
    "einsum m23 m34 m43": "ab,bc,cd->ad",
    "einsum m23 s summed": "ij,ik->k",
    "einsum b234 alone": "abc->b",
    "einsum e03 m33": "ij,jk->ik",
    "einsum b234 m33 ellipsis": "b...d,c...->b",
}

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
    **{name: (lambda *x, form=form: torch.einsum(form, *x)) for name, form in EINSUMS.items()},
}

if __name__ == "__main__":
    record("linalg.npz", INPUTS, CALLS)
