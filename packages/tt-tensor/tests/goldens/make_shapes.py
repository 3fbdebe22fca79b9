"""Write shapes.npz: what PyTorch gives for shapes, joining and padding, value and gradients, in both precisions.

Run with an interpreter that has PyTorch (made with 2.13.0): python make_shapes.py
tests/ops/test_goldens_of_shapes.py has the same names on our side; for the rest, see make_reductions.py.
"""

import numpy as np
import torch
import torch.nn.functional as F
from make_reductions import record

rng = np.random.default_rng(1958)


def of(*shape):
    return rng.normal(size=shape)


INPUTS = {
    "s": of(), "v3": of(3), "w3": of(3), "m23": of(2, 3), "n23": of(2, 3), "m43": of(4, 3), "m33": of(3, 3),
    "b234": of(2, 3, 4), "b214": of(2, 1, 4), "e03": of(0, 3), "u2132": of(2, 1, 3, 2), "i1134": of(1, 1, 3, 4),
}  # fmt: skip

CALLS = {
    "reshape m23 3,2": lambda x: x.reshape(3, 2),
    "reshape b234 -1,4": lambda x: x.reshape(-1, 4),
    "reshape s 1,1": lambda x: x.reshape(1, 1),
    "reshape e03 3,0": lambda x: x.reshape(3, 0),
    "reshape m23 transposed": lambda x: x.T.reshape(-1),
    "view b234 6,4": lambda x: x.view(6, 4),
    "flatten b234 1": lambda x: x.flatten(1),
    "flatten u2132 1,2": lambda x: x.flatten(1, 2),
    "flatten s": lambda x: x.flatten(),
    "ravel b234": lambda x: x.ravel(),
    "unflatten b234 2": lambda x: x.unflatten(2, (2, -1)),
    "squeeze u2132": lambda x: x.squeeze(),
    "squeeze u2132 1": lambda x: x.squeeze(1),
    "unsqueeze m23 1": lambda x: x.unsqueeze(1),
    "unsqueeze m23 -1": lambda x: x.unsqueeze(-1),
    "transpose b234 0,1": lambda x: x.transpose(0, 1),
    "transpose m23 0,1": lambda x: x.transpose(0, 1),
    "transpose m23 -2,-1": lambda x: x.transpose(-2, -1),
    "permute b234 2,0,1": lambda x: x.permute(2, 0, 1),
    "swapaxes b234 0,-1": lambda x: x.swapaxes(0, -1),
    "moveaxis b234 0,2": lambda x: x.moveaxis(0, 2),
    "moveaxis u2132 several": lambda x: x.moveaxis((0, 1), (-1, 0)),
    "T m23": lambda x: x.T,
    "mT b234": lambda x: x.mT,
    "broadcast_to b214 3,2,5,4": lambda x: x.broadcast_to((3, 2, 5, 4)),
    "expand b214 -1,3,-1": lambda x: x.expand(-1, 3, -1),
    "expand s 2,2": lambda x: x.expand(2, 2),
    "clone b234": lambda x: x.clone(),
    "double m23": lambda x: x.double(),
    "cat m23 n23 m43": lambda *x: torch.cat(x),
    "cat m23 n23 1": lambda *x: torch.cat(x, 1),
    "cat m23 e03": lambda *x: torch.cat(x),
    "cat b234 b214 -2": lambda *x: torch.cat(x, -2),
    "stack v3 w3": lambda *x: torch.stack(x),
    "stack m23 n23 -1": lambda *x: torch.stack(x, -1),
    "stack m23 n23 1": lambda *x: torch.stack(x, 1),
    "split b234 second": lambda x: x.tensor_split(2, 2)[1],
    "split b234 cuts": lambda x: x.tensor_split((1, 2), 1)[2],
    "array_split m43 3": lambda x: x.tensor_split(3)[0],
    "chunk b234 last": lambda x: x.chunk(3, 2)[1],
    "unbind b234 1": lambda x: x.unbind(1)[2],
    "pad m23 constant": lambda x: F.pad(x, (1, 2, 0, 1), value=1.5),
    "pad i1134 reflect": lambda x: F.pad(x, (2, 1, 1, 2), mode="reflect"),
    "pad i1134 edge": lambda x: F.pad(x, (2, 1, 1, 2), mode="replicate"),
    "pad i1134 wrap": lambda x: F.pad(x, (2, 1, 1, 2), mode="circular"),
    "flip b234 0,2": lambda x: x.flip((0, 2)),
    "flip m23": lambda x: x.flip((0, 1)),
    "roll b234": lambda x: x.roll(5),
    "roll b234 1": lambda x: x.roll(-2, 1),
    "roll m43 both": lambda x: x.roll((1, 2), (0, 1)),
    "repeat m23 2": lambda x: x.repeat_interleave(2),
    "repeat m23 3 1": lambda x: x.repeat_interleave(3, 1),
    "repeat m43 counts": lambda x: x.repeat_interleave(torch.tensor([2, 0, 1, 3]), 0),
    "tile m23 2": lambda x: x.tile((2,)),
    "tile v3 2,2": lambda x: x.tile((2, 2)),
    "tile b214 2,1,3": lambda x: x.tile((2, 1, 3)),
    "tril m33": lambda x: x.tril(),
    "tril b234 1": lambda x: x.tril(1),
    "triu m33 1": lambda x: x.triu(1),
    "triu b234 -1": lambda x: x.triu(-1),
}


if __name__ == "__main__":
    record("shapes.npz", INPUTS, CALLS)
