"""Write indexing.npz: what PyTorch gives for indexing, gathering and sorting, value and gradients, in both precisions.

Run with an interpreter that has PyTorch (made with 2.13.0): python make_indexing.py
tests/ops/test_goldens_of_indexing.py has the same names on our side; for the rest, see make_reductions.py.
"""

import numpy as np
import torch
from make_reductions import record

rng = np.random.default_rng(1986)


def of(*shape):
    return rng.normal(size=shape)


MASK = torch.tensor([[True, False, True], [False, False, True]])

INPUTS = {
    "s": of(), "v3": of(3), "v6": of(6), "m23": of(2, 3), "n23": of(2, 3), "m34": of(3, 4), "b234": of(2, 3, 4),
    "table": of(7, 5), "w2": of(2), "r4": of(4), "ties": np.array([[1.0, 3, 3, 2, 3], [0, 0, 1, 1, 0]]),
}  # fmt: skip

GATHER = torch.tensor([[0, 2, 2], [1, 1, 0]])


def written(x, index, value):
    y = x.clone()
    y[index] = value
    return y


CALLS = {
    "getitem v3 int": lambda x: x[-1],
    "getitem v6 slice": lambda x: x[1:-1:2],
    "getitem m23 pair": lambda x: x[1, 2],
    "getitem b234 ellipsis": lambda x: x[..., 1],
    "getitem b234 none": lambda x: x[:, None, 1],
    "getitem b234 mixed": lambda x: x[0, ..., 1:3],
    "getitem v3 repeated": lambda x: x[[0, 0, 2]],
    "getitem table ids": lambda x: x[torch.tensor([[1, 1, 6], [0, 1, -1]])],
    "getitem b234 middle": lambda x: x[:, [2, 2, 0]],
    "getitem b234 apart": lambda x: x[[0, 1, 1], :, [3, 3, 3]],
    "getitem b234 int and list": lambda x: x[0, :, [1, 1]],
    "getitem m34 grid": lambda x: x[torch.tensor([[0], [2]]), torch.tensor([[1, 1, 3]])],
    "getitem m23 mask": lambda x: x[MASK],
    "getitem b234 mask": lambda x: x[MASK],
    "getitem b234 mask of an axis": lambda x: x[:, torch.tensor([True, False, True])],
    "getitem m23 nothing": lambda x: x[MASK & False],
    "setitem m23 w2 column": lambda x, v: written(x, (slice(None), 1), v),
    "setitem m34 r4 rows": lambda x, v: written(x, slice(1, None), v),
    "setitem m23 s mask": lambda x, v: written(x, MASK, v),
    "setitem table r4 ids": lambda x, v: written(x, ([0, 3, 6, 1], [1, 1, 4, 0]), v),
    "setitem b234 number": lambda x: written(x, (0, ..., 2), 1.5),
    "gather m34 0": lambda x: x.gather(0, GATHER),
    "gather m34 1": lambda x: x.gather(1, GATHER),
    "gather m23 1": lambda x: x.gather(-1, GATHER),
    "take_along_axis m23 1": lambda x: torch.take_along_dim(x, GATHER, 1),
    "take_along_axis m34 broadcast": lambda x: torch.take_along_dim(x, torch.tensor([[0, 0, 3]]), 1),
    "scatter_add m34 m23 0": lambda x, src: x.scatter_add(0, GATHER, src),
    "scatter_add m34 n23 1": lambda x, src: x.scatter_add(1, GATHER, src),
    "scatter_add m34 itself": lambda x: x.scatter_add(1, GATHER, 2 * x[1:, :3]),
    "scatter m34 m23 0": lambda x, src: x.scatter(0, GATHER, src),
    "scatter m34 n23 1": lambda x, src: x.scatter(1, torch.tensor([[3, 0, 2], [1, 2, 0]]), src),
    "scatter m34 number": lambda x: x.scatter(1, GATHER, 2),
    "index_add m34 m23 1": lambda x, src: x[:2].index_add(1, torch.tensor([3, 0, 3]), src),
    "index_add b234 m34 0": lambda x, src: x.index_add(0, torch.tensor([1]), src[None], alpha=-2),
    "take m34": lambda x: x.take(torch.tensor([[0, 11], [5, 5]])),
    "index_select b234 1": lambda x: x.index_select(1, torch.tensor([2, 0, 2, 2])),
    "narrow b234 2": lambda x: x.narrow(2, 1, 2),
    "masked_fill m23": lambda x: x.masked_fill(MASK, -2.0),
    "masked_fill m23 s": lambda x, v: x.masked_fill(MASK, v),
    "masked_fill b234": lambda x: x.masked_fill(MASK[:, :, None], 0.5),
    "masked_select m23": lambda x: x.masked_select(MASK),
    "sort v6": lambda x: x.sort().values,
    "sort b234 1": lambda x: x.sort(1, descending=True).values,
    "sort ties": lambda x: x.sort(stable=True).values,
    "sort ties descending": lambda x: x.sort(stable=True, descending=True).values,
    "topk v6 2": lambda x: x.topk(2).values,
    "topk m34 0": lambda x: x.topk(2, 0).values,
    "topk b234 smallest": lambda x: x.topk(3, 2, largest=False).values,
    "topk m34 all": lambda x: x.topk(4).values,
}


if __name__ == "__main__":
    record("indexing.npz", INPUTS, CALLS)
