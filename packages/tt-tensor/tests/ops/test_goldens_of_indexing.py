"""Values and gradients of indexing and sorting equal PyTorch's; goldens/make_indexing.py wrote what they are."""

from pathlib import Path

import numpy as np
import pytest

import tt_tensor as tt

GOLDENS = dict(np.load(Path(__file__).parent.parent / "goldens" / "indexing.npz", allow_pickle=False))

MASK = tt.tensor([[True, False, True], [False, False, True]])
GATHER = tt.tensor([[0, 2, 2], [1, 1, 0]])


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
    "getitem table ids": lambda x: x[tt.tensor([[1, 1, 6], [0, 1, -1]])],
    "getitem b234 middle": lambda x: x[:, [2, 2, 0]],
    "getitem b234 apart": lambda x: x[[0, 1, 1], :, [3, 3, 3]],
    "getitem b234 int and list": lambda x: x[0, :, [1, 1]].T,  # NumPy puts the axis of the list first
    "getitem m34 grid": lambda x: x[tt.tensor([[0], [2]]), tt.tensor([[1, 1, 3]])],
    "getitem m23 mask": lambda x: x[MASK],
    "getitem b234 mask": lambda x: x[MASK],
    "getitem b234 mask of an axis": lambda x: x[:, tt.tensor([True, False, True])],
    "getitem m23 nothing": lambda x: x[np.zeros((2, 3), bool)],
    "setitem m23 w2 column": lambda x, v: written(x, (slice(None), 1), v),
    "setitem m34 r4 rows": lambda x, v: written(x, slice(1, None), v),
    "setitem m23 s mask": lambda x, v: written(x, MASK, v),
    "setitem table r4 ids": lambda x, v: written(x, ([0, 3, 6, 1], [1, 1, 4, 0]), v),
    "setitem b234 number": lambda x: written(x, (0, ..., 2), 1.5),
    "gather m34 0": lambda x: x.gather(0, GATHER),
    "gather m34 1": lambda x: x.gather(GATHER, axis=1),
    "gather m23 1": lambda x: tt.gather(x, GATHER, -1),
    "take_along_axis m23 1": lambda x: x.take_along_axis(GATHER, 1),
    "take_along_axis m34 broadcast": lambda x: np.take_along_axis(x, np.array([[0, 0, 3]]), axis=1),
    "scatter_add m34 m23 0": lambda x, src: x.scatter_add(0, GATHER, src),
    "scatter_add m34 n23 1": lambda x, src: tt.scatter_add(x, GATHER, src, axis=1),
    "scatter_add m34 itself": lambda x: x.scatter_add(GATHER, 2 * x[1:, :3], 1),
    "scatter m34 m23 0": lambda x, src: x.scatter(0, GATHER, src),
    "scatter m34 n23 1": lambda x, src: tt.scatter(x, [[3, 0, 2], [1, 2, 0]], src, axis=1),
    "scatter m34 number": lambda x: x.clone().scatter_(1, GATHER, 2),
    "index_add m34 m23 1": lambda x, src: x[:2].index_add(1, [3, 0, 3], src),
    "index_add b234 m34 0": lambda x, src: x.clone().index_add_(0, tt.tensor([1]), src[None], alpha=-2),
    "take m34": lambda x: x.take([[0, 11], [5, 5]]),
    "index_select b234 1": lambda x: x.index_select(1, tt.tensor([2, 0, 2, 2])),
    "narrow b234 2": lambda x: x.narrow(2, 1, 2),
    "masked_fill m23": lambda x: x.masked_fill(MASK, -2.0),
    "masked_fill m23 s": lambda x, v: x.masked_fill(MASK, v),
    "masked_fill b234": lambda x: x.masked_fill(MASK[:, :, None], 0.5),
    "masked_select m23": lambda x: x.masked_select(MASK),
    "sort v6": lambda x: x.sort(),
    "sort b234 1": lambda x: x.sort(1, descending=True),
    "sort ties": lambda x: tt.sort(x),
    "sort ties descending": lambda x: x.sort(descending=True),
    "topk v6 2": lambda x: x.topk(2).values,
    "topk m34 0": lambda x: x.topk(2, 0)[0],
    "topk b234 smallest": lambda x: tt.topk(x, 3, 2, largest=False).values,
    "topk m34 all": lambda x: x.topk(4).values,
}


def test_the_names_are_those_of_the_goldens():
    assert set(CALLS) == {key.split("|")[0] for key in GOLDENS if "|" in key}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [("float32", 2e-6, 1e-6), ("float64", 1e-12, 1e-14)])
def test_equals_pytorch(name, dtype, rtol, atol, equals_pytorch):
    equals_pytorch(GOLDENS, name, CALLS[name], dtype, rtol, atol)
