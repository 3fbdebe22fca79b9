"""Values and gradients of shapes and joining equal PyTorch's; goldens/make_shapes.py wrote what they are."""

from pathlib import Path

import numpy as np
import pytest

import tt_tensor as tt

GOLDENS = dict(np.load(Path(__file__).parent.parent / "goldens" / "shapes.npz", allow_pickle=False))

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
    "double m23": lambda x: x.astype("float64"),
    "cat m23 n23 m43": lambda *x: tt.concatenate(x),
    "cat m23 n23 1": lambda *x: tt.cat(x, 1),
    "cat m23 e03": lambda *x: tt.concat(x),
    "cat b234 b214 -2": lambda *x: tt.concatenate(x, axis=-2),
    "stack v3 w3": lambda *x: tt.stack(x),
    "stack m23 n23 -1": lambda *x: tt.stack(x, -1),
    "stack m23 n23 1": lambda *x: tt.stack(x, axis=1),
    "split b234 second": lambda x: x.split(2, 2)[1],
    "split b234 cuts": lambda x: x.split((1, 2), 1)[2],
    "array_split m43 3": lambda x: x.array_split(3)[0],
    "chunk b234 last": lambda x: x.chunk(3, 2)[1],
    "unbind b234 1": lambda x: x.unbind(1)[2],
    "pad m23 constant": lambda x: x.pad(((0, 1), (1, 2)), constant_values=1.5),
    "pad i1134 reflect": lambda x: x.pad(((0, 0), (0, 0), (1, 2), (2, 1)), "reflect"),
    "pad i1134 edge": lambda x: x.pad(((0, 0), (0, 0), (1, 2), (2, 1)), "edge"),
    "pad i1134 wrap": lambda x: x.pad(((0, 0), (0, 0), (1, 2), (2, 1)), "wrap"),
    "flip b234 0,2": lambda x: x.flip((0, 2)),
    "flip m23": lambda x: x.flip(),
    "roll b234": lambda x: x.roll(5),
    "roll b234 1": lambda x: x.roll(-2, 1),
    "roll m43 both": lambda x: x.roll((1, 2), (0, 1)),
    "repeat m23 2": lambda x: x.repeat(2),
    "repeat m23 3 1": lambda x: x.repeat(3, 1),
    "repeat m43 counts": lambda x: x.repeat_interleave(tt.tensor([2, 0, 1, 3]), 0),
    "tile m23 2": lambda x: x.tile((2,)),
    "tile v3 2,2": lambda x: x.tile(2, 2),
    "tile b214 2,1,3": lambda x: x.tile((2, 1, 3)),
    "tril m33": lambda x: x.tril(),
    "tril b234 1": lambda x: x.tril(1),
    "triu m33 1": lambda x: x.triu(1),
    "triu b234 -1": lambda x: x.triu(-1),
}


def test_the_names_are_those_of_the_goldens():
    assert set(CALLS) == {key.split("|")[0] for key in GOLDENS if "|" in key}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [("float32", 2e-6, 1e-6), ("float64", 1e-12, 1e-14)])
def test_equals_pytorch(name, dtype, rtol, atol, equals_pytorch):
    equals_pytorch(GOLDENS, name, CALLS[name], dtype, rtol, atol)
