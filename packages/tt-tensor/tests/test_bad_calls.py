"""Wrong calls, and the typed error that each gets. Whatever was handed in is as it was before."""

import copy

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor import kernels
from tt_tensor.errors import (
    ArgumentError,
    AxisError,
    DLPackError,
    DTypeError,
    GradientError,
    IndexingError,
    InPlaceError,
    MissingWheelError,
    ShapeError,
    TTError,
)


def t(*shape):
    return tt.arange(int(np.prod(shape))).reshape(shape).astype("float32")


# name: (what it is handed, the call, the error, words of its message)
CALLS = {
    # --- making -----------------------------------------------------------------------------------------
    "a product of batches": (t(2, 3, 4), lambda x: tt.mm(x, x.mT), ShapeError, "mm: takes two matrices"),
    "a product of unlike batches": (
        t(2, 3, 4),
        lambda x: tt.bmm(x, x[:1].mT),
        ShapeError,
        "as many matrices",
    ),
    "a grid without its order": (
        t(3),
        lambda x: tt.meshgrid(x, indexing="yx"),
        ArgumentError,
        "'ij' or 'xy'",
    ),
    "a grid of a matrix": (t(3, 3), lambda x: tt.meshgrid(x, indexing="ij"), ShapeError, "flatten"),
    "adding slices that do not fit": (
        t(2, 3),
        lambda x: x.index_add(0, [0], x),
        ShapeError,
        r"src of shape \(1, 3\)",
    ),
    "scattering too much": (
        t(2, 3),
        lambda x: x.scatter([[0], [0], [1]], x, 1),
        ShapeError,
        "must fit into src",
    ),
    "a device": (t(2), lambda x: x.to("cuda:0"), DTypeError, "'cuda:0' is not a dtype but a device"),
    "ragged lists": ([[1, 2], [3]], tt.tensor, ShapeError, "ragged"),
    "text": ("abc", tt.tensor, DTypeError, "not supported"),
    "nothing": (None, tt.tensor, DTypeError, "no array of numbers"),
    "complex numbers": (1j, tt.tensor, DTypeError, "complex128 is not supported"),
    "an unknown dtype": (
        [1.0],
        lambda x: tt.tensor(x, dtype="float31"),
        DTypeError,
        "'float31' is not a dtype",
    ),
    "a number too large": (
        300,
        lambda x: tt.tensor(x, dtype="uint8"),
        ArgumentError,
        r"fit into uint8 \(0 to 255\)",
    ),
    "a gradient for integers": (
        [1, 2],
        lambda x: tt.tensor(x, requires_grad=True),
        GradientError,
        "int64 has no gradient",
    ),
    "a list to from_numpy": ([1.0], tt.from_numpy, DTypeError, "use tensor()"),
    "a negative size": ((-1, 2), tt.zeros, ShapeError, "negative size"),
    "half a size": (2.5, tt.ones, DTypeError, "a size is an integer, not 2.5"),
    "a dtype as a size": ((2, "float32"), lambda s: tt.zeros(*s), DTypeError, "dtype="),
    "too many elements": ((2**40, 2**40), tt.empty, ShapeError, "more elements"),
    "arange by 0": (0, lambda step: tt.arange(0, 5, step), ArgumentError, "step is 0"),
    "arange to infinity": (float("inf"), tt.arange, ArgumentError, "not finite"),
    "arange out of its dtype": (
        300,
        lambda n: tt.arange(n, dtype="uint8"),
        ArgumentError,
        "do not fit into uint8",
    ),
    "linspace of -1 values": (-1, lambda n: tt.linspace(0, 1, n), ArgumentError, "negative"),
    "full of a list": ([1.0, 2.0], lambda v: tt.full((2,), v), ShapeError, "one number"),
    "one_hot of floats": ([0.0, 1.0], tt.one_hot, DTypeError, "labels are integers"),
    "one_hot of a label too large": (
        [0, 5],
        lambda x: tt.one_hot(x, 3),
        ArgumentError,
        "label 5 is not one of .* 0 to 2",
    ),
    "a negative seed": (-1, tt.manual_seed, ArgumentError, "from 0 to"),
    "a seed of text": ("1", tt.manual_seed, DTypeError, "a seed is an integer"),
    "a generator of another kind": (
        7,
        lambda g: tt.rand(2, generator=g),
        DTypeError,
        r"use Generator\(seed\)",
    ),
    "random integers as floats": (
        "float32",
        lambda d: tt.randint(5, (2,), dtype=d),
        DTypeError,
        "draws integers",
    ),
    "a probability of 2": (2.0, tt.bernoulli, ArgumentError, "from 0 to 1"),
    # --- arithmetic -------------------------------------------------------------------------------------
    "add (2, 3) and (4,)": (
        (t(2, 3), t(4)),
        lambda x: x[0] + x[1],
        ShapeError,
        r"Add of \(2, 3\) float32, \(4,\) float32",
    ),
    "add a list of text": ((t(2), ["a", "b"]), lambda x: x[0] + x[1], DTypeError, "Add"),
    "multiply by None": (t(2), lambda x: x * None, DTypeError, "Mul"),
    "compare (2,) with (3,)": ((t(2), t(3)), lambda x: x[0] < x[1], ShapeError, r"\(2,\).*\(3,\)"),
    "matmul of unfit shapes": ((t(2, 3), t(2, 3)), lambda x: x[0] @ x[1], ShapeError, r"\(2, 3\).*\(2, 3\)"),
    "matmul of scalars": ((t(), t(2)), lambda x: x[0] @ x[1], ShapeError, r"\(\)"),
    "an einsum with an unknown letter": (t(2, 3), lambda x: tt.einsum("ij->k", x), TTError, "einsum"),
    "an einsum of too few axes": (t(2), lambda x: tt.einsum("ij->i", x), ShapeError, "einsum"),
    "where of unfit shapes": ((t(2), t(3)), lambda x: tt.where(x[0] > 0, x[0], x[1]), ShapeError, "Where"),
    # --- reductions and shapes --------------------------------------------------------------------------
    "sum over axis 2 of 2": (
        t(2, 3),
        lambda x: x.sum(axis=2),
        AxisError,
        "axis 2 is out of range for 2 axes",
    ),
    "sum over an axis twice": (t(2, 3), lambda x: x.sum(axis=(0, -2)), AxisError, "names an axis twice"),
    "sum over half an axis": (
        t(2, 3),
        lambda x: x.sum(axis=0.5),
        DTypeError,
        "an axis is an integer, not 0.5",
    ),
    "the max of nothing": (t(0, 3), lambda x: x.max(axis=0), ShapeError, "max"),
    "the argmax of nothing": (t(0), lambda x: x.argmax(), ShapeError, "no elements"),
    "reshape 6 to 4": (t(2, 3), lambda x: x.reshape(2, 2), ShapeError, "Reshape of"),
    "reshape with two unknowns": (t(2, 3), lambda x: x.reshape(-1, -1), ShapeError, "Reshape of"),
    "a view that must copy": (t(2, 3), lambda x: x.T.view(6), ShapeError, "view: the elements"),
    "transpose too few axes": (
        t(2, 3, 4),
        lambda x: x.permute(0, 1),
        AxisError,
        "does not name each of the 3 axes",
    ),
    "squeeze an axis of 3": (t(2, 3), lambda x: x.squeeze(1), ShapeError, "size 3; only size 1"),
    "broadcast 3 to 2": (t(3), lambda x: x.broadcast_to((2, 2)), ShapeError, "BroadcastTo"),
    "concatenate unfit shapes": ([t(2, 3), t(2, 4)], tt.concatenate, ShapeError, "Concatenate of"),
    "stack nothing": ([], tt.stack, ShapeError, "nothing to put together"),
    "split 5 in 2": (t(5), lambda x: tt.split(x, 2), TTError, "split"),
    "pad by -1": (t(2), lambda x: tt.pad(x, -1), TTError, "pad"),
    "topk of 4 of 3": (t(3), lambda x: tt.topk(x, 4), TTError, "topk"),
    # --- indexing ---------------------------------------------------------------------------------------
    "an index out of range": (t(2, 3), lambda x: x[2], IndexingError, "GetItem of"),
    "too many indices": (t(2, 3), lambda x: x[0, 0, 0], IndexingError, "GetItem of"),
    "a float as an index": (t(2, 3), lambda x: x[1.0], IndexingError, "does not index"),
    "a float tensor as an index": (t(2, 3), lambda x: x[t(2)], IndexingError, "astype"),
    "a mask of another shape": (t(2, 3), lambda x: x[tt.tensor([True])], IndexingError, "GetItem of"),
    "gather out of range": (
        t(2, 3),
        lambda x: tt.gather(x, tt.tensor([[9]]), 1),
        IndexingError,
        "TakeAlongAxis|gather",
    ),
    "write (4,) into (2, 3)": (t(2, 3), lambda x: x.__setitem__(..., t(4)), ShapeError, "setitem into shape"),
    "write text": (t(2, 3), lambda x: x.__setitem__(0, "a"), DTypeError, "setitem"),
    "write out of range": (t(2, 3), lambda x: x.__setitem__(7, 1.0), IndexingError, "setitem into shape"),
    # --- in place ---------------------------------------------------------------------------------------
    "in place, too large": (
        t(3),
        lambda x: x.__iadd__(t(2, 3)),
        ShapeError,
        r"Add in place: the result has shape \(2, 3\)",
    ),
    "in place, floats into integers": (
        tt.arange(3),
        lambda x: x.__iadd__(0.5),
        DTypeError,
        "which would lose its kind",
    ),
    "in place, read-only": (t(1).broadcast_to((3,)), lambda x: x.__imul__(2), InPlaceError, "read-only"),
    "write what does not fit": (t(3), lambda x: x.write(t(4)), ShapeError, r"\(4,\) do not fit into \(3,\)"),
    "np.add into integers": (tt.arange(3), lambda x: np.add(x, 0.5, out=x), DTypeError, r"np\.add"),
    # --- conversions and gradients ----------------------------------------------------------------------
    "item of two": (t(2), lambda x: x.item(), ShapeError, r"tolist\(\)"),
    "is it true?": (t(2), bool, ShapeError, r"any\(\)"),
    "len of a scalar": (t(), len, ShapeError, "has no length"),
    "iterate a scalar": (t(), list, ShapeError, "has no rows"),
    "a gradient of another shape": (
        t(2),
        lambda x: setattr(x, "grad", t(3)),
        ShapeError,
        "has the shape of its tensor",
    ),
    "a gradient of another dtype": (
        t(2),
        lambda x: setattr(x, "grad", tt.arange(2)),
        DTypeError,
        "has the dtype",
    ),
    "backward without autograd": (t(), lambda x: x.backward(), MissingWheelError, "tt-autograd"),
    "a strange memory order": (t(2), lambda x: x.is_contiguous("Z"), ArgumentError, "'C' or 'F'"),
    "a cast to text": (t(2), lambda x: x.astype("U3"), DTypeError, "not supported"),
    "NumPy, an axis out of range": (t(2), lambda x: np.nanmedian(x, axis=3), AxisError, r"np\.nanmedian"),
    "NumPy, unfit shapes": ((t(2), t(3)), lambda x: np.hypot(*x), ShapeError, r"np\.hypot"),
    "dlpack of a list": ([1.0], tt.from_dlpack, DTypeError, "__dlpack__"),
    "dlpack on a stream": (t(2), lambda x: x.__dlpack__(stream=3), DLPackError, "stream"),
    # --- kernels and printing ---------------------------------------------------------------------------
    "an unknown kernel": (
        "gpu",
        lambda name: kernels.use(name).__enter__(),
        ArgumentError,
        "no operation has a kernel 'gpu'",
    ),
    "a kernel of an unknown operation": ("conv9d", kernels.names, ArgumentError, "no operation 'conv9d'"),
    "an unknown print option": (
        {"colour": 1},
        lambda o: tt.printoptions(**o).__enter__(),
        ArgumentError,
        "no option 'colour'",
    ),
}


def snapshot(x):
    if isinstance(x, tt.Tensor):
        return x.tolist(), x.dtype, x.shape, x.version, x.grad
    if isinstance(x, tuple | list):
        return [snapshot(item) for item in x]
    return copy.deepcopy(x)


@pytest.mark.parametrize("name", CALLS)
def test_wrong_call(name):
    handed, call, error, words = CALLS[name]
    before, state = snapshot(handed), tt.default_generator().get_state()
    with pytest.raises(error, match=words) as caught:
        call(handed)
    assert isinstance(caught.value, TTError)
    assert len(str(caught.value)) > 20  # it says what, not only where
    assert snapshot(handed) == before
    assert tt.default_generator().get_state() == state
    assert kernels.table.plain


def test_the_table_is_long_enough():
    assert len(CALLS) >= 60
