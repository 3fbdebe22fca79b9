"""The words of a program in PyTorch, with NumPy's meaning and arguments: what make_graphs.py runs programs with.

Each is one call of PyTorch's own, where there is one. Three are views in tt_tensor and copies in PyTorch (flip and
slices with a negative step, for want of negative strides, and einsum of one operand); the generator clones them in
programs for both. Split pieces are cut with narrow, because PyTorch refuses writes into what split itself returns.
"""

import math

import numpy as np
import torch

float64 = torch.float64


def array(values):
    return torch.tensor(values)


def tensor(values, dtype=None):
    return torch.tensor(values, dtype=float64)


def zeros(shape, dtype=None):
    return torch.zeros(shape, dtype=float64)


def full(shape, value, dtype=None):
    return torch.full(shape, value, dtype=float64)


def _tensor(x, like):
    return x if isinstance(x, torch.Tensor) else torch.full_like(like, x)


def _pair(function):
    def of_two(x, y):
        like = x if isinstance(x, torch.Tensor) else y
        return function(_tensor(x, like), _tensor(y, like))

    return of_two


maximum, minimum = _pair(torch.maximum), _pair(torch.minimum)
atan2, logaddexp = _pair(torch.atan2), _pair(torch.logaddexp)
where, exp, expm1, log, log1p, log2, log10 = (
    torch.where, torch.exp, torch.expm1, torch.log, torch.log1p, torch.log2, torch.log10,
)  # fmt: skip
abs, square, sqrt, rsqrt, reciprocal = torch.abs, torch.square, torch.sqrt, torch.rsqrt, torch.reciprocal
sin, cos, tanh, sigmoid, erf = torch.sin, torch.cos, torch.tanh, torch.sigmoid, torch.erf
tan, asin, acos, atan = torch.tan, torch.asin, torch.acos, torch.atan
sinh, cosh, asinh, acosh, atanh = torch.sinh, torch.cosh, torch.asinh, torch.acosh, torch.atanh
sign, floor, ceil, round, trunc = torch.sign, torch.floor, torch.ceil, torch.round, torch.trunc
matmul, einsum, outer, dot = torch.matmul, torch.einsum, torch.outer, torch.matmul
tril, triu, clone, detach, no_grad = torch.tril, torch.triu, torch.clone, torch.detach, torch.no_grad
softmax, log_softmax = torch.softmax, torch.log_softmax
cat, stack = torch.cat, torch.stack


def floor_divide(x, y):
    return torch.floor(x / y)  # PyTorch's own has no gradient


def clip(x, low, high):
    if isinstance(low, torch.Tensor) or isinstance(high, torch.Tensor):
        low, high = [bound if bound is None else _tensor(bound, x) for bound in (low, high)]
    return torch.clamp(x, low, high)


def contiguous(x):
    return x.contiguous()


def positive(x):
    return torch.positive(x).clone()  # a copy, as NumPy's


def astype(x, dtype):
    return x.to(getattr(torch, dtype), copy=True)


# --- reductions -----------------------------------------------------------------------------------------


def _axes(axis, x):
    return tuple(range(x.ndim)) if axis is None else axis


def sum(x, axis=None, keepdims=False):
    return torch.sum(x, _axes(axis, x), keepdim=keepdims)


def mean(x, axis=None, keepdims=False):
    return torch.mean(x, _axes(axis, x), keepdim=keepdims)


def max(x, axis=None, keepdims=False):
    return x.max(axis, keepdim=keepdims).values if isinstance(axis, int) else x.amax(_axes(axis, x), keepdims)


def min(x, axis=None, keepdims=False):
    return x.min(axis, keepdim=keepdims).values if isinstance(axis, int) else x.amin(_axes(axis, x), keepdims)


def prod(x, axis=None, keepdims=False):
    if isinstance(axis, int):
        return x.prod(axis, keepdim=keepdims)
    if x.ndim == 0:
        return x.prod()
    axes = sorted([one % x.ndim for one in _axes(axis, x)], reverse=True)
    for one in axes:  # from the last, so that those before keep their places
        x = x.prod(one, keepdim=keepdims)
    return x


def var(x, axis=None, ddof=0, keepdims=False):
    return torch.var(x, _axes(axis, x), correction=ddof, keepdim=keepdims)


def std(x, axis=None, ddof=0, keepdims=False):
    return torch.std(x, _axes(axis, x), correction=ddof, keepdim=keepdims)


def logsumexp(x, axis=None, keepdims=False):
    return torch.logsumexp(x, _axes(axis, x), keepdim=keepdims)


def norm(x, ord=2, axis=None, keepdims=False):
    return torch.linalg.vector_norm(x, ord, axis, keepdim=keepdims)


def cumsum(x, axis=None):
    return x.reshape(-1).cumsum(0) if axis is None else x.cumsum(axis)


def cumprod(x, axis=None):
    return x.reshape(-1).cumprod(0) if axis is None else x.cumprod(axis)


def trace(x, offset=0):
    return torch.diagonal(x, offset).sum(-1)


def diagonal(x, offset=0, axis1=0, axis2=1):
    return torch.diagonal(x, offset, axis1, axis2)


def tensordot(x, y, axes):
    return torch.tensordot(x, y, axes if isinstance(axes, int) else [list(one) for one in axes])


# --- shapes ---------------------------------------------------------------------------------------------


def reshape(x, shape):
    return x.reshape(shape)


def view(x, shape):
    return x.view(shape)


def squeeze(x, axis=None):
    return x.squeeze() if axis is None else x.squeeze(axis)


def unsqueeze(x, axis):
    return x.unsqueeze(axis)


expand_dims = unsqueeze


def flatten(x, start_axis=0, end_axis=-1):
    return x.flatten(start_axis, end_axis)


def ravel(x):
    return x.ravel()


def unflatten(x, axis, sizes):
    return x.unflatten(axis, sizes)


def broadcast_to(x, shape):
    return x.broadcast_to(shape)


def expand(x, *sizes):
    return x.expand(*sizes)


def transpose(x, *order):
    if len(order) == 2:
        return x.transpose(*order)
    return x.permute(order[0] if order else tuple(range(x.ndim))[::-1])


def permute(x, axes):
    return x.permute(axes)


def swapaxes(x, axis1, axis2):
    return x.swapaxes(axis1, axis2)


def moveaxis(x, source, destination):
    return x.moveaxis(source, destination)


def matrix_transpose(x):
    return x.mT


def _pieces(x, bounds, axis):
    return tuple(
        [
            x.narrow(axis, start, stop - start)
            for start, stop in zip([0, *bounds], [*bounds, x.shape[axis]], strict=True)
        ]
    )


def split(x, sections, axis=0):
    bounds = (
        np.arange(x.shape[axis])[:: x.shape[axis] // sections][1:] if isinstance(sections, int) else sections
    )
    return _pieces(x, [int(bound) for bound in bounds], axis)


def array_split(x, sections, axis=0):
    sizes = [len(part) for part in np.array_split(np.arange(x.shape[axis]), sections)]
    return _pieces(x, np.cumsum(sizes)[:-1].tolist(), axis)


def chunk(x, chunks, axis=0):
    each = math.ceil(x.shape[axis] / chunks)
    return _pieces(x, list(range(each, x.shape[axis], each)), axis)


def unbind(x, axis=0):
    return tuple([x.select(axis, place) for place in range(x.shape[axis])])


def narrow(x, axis, start, length):
    return x.narrow(axis, start, length)


# --- arrangements ---------------------------------------------------------------------------------------


def flip(x, axis=None):
    return x.flip(tuple(range(x.ndim)) if axis is None else axis)


def backwards(x, axis, start, stop, step):
    return x.index_select(axis, torch.from_numpy(np.arange(x.shape[axis])[start:stop:step].copy()))


def roll(x, shift, axis=None):
    return x.roll(shift, axis)


def repeat(x, repeats, axis=None):
    repeats = torch.tensor(repeats) if isinstance(repeats, tuple) else repeats
    return x.repeat_interleave(repeats, dim=axis)


def tile(x, reps):
    return x.tile(reps).clone()


def pad(x, pad_width, mode="constant", constant_values=0):
    if mode == "constant":
        flat = [width for pair in reversed(pad_width) for width in pair]
        return torch.nn.functional.pad(x, flat, value=constant_values)
    for axis, width in enumerate(pad_width):
        x = x.index_select(axis, torch.tensor(np.pad(np.arange(x.shape[axis]), width, mode)))
    return x


def sort(x, axis=-1, descending=False):
    return torch.sort(x, dim=axis, descending=descending, stable=True).values


def topk(x, k, axis=-1, largest=True):
    return torch.topk(x, k, axis, largest)


# --- positions ------------------------------------------------------------------------------------------


def gather(x, index, axis):
    return x.gather(axis, index)


def take_along_axis(x, index, axis):
    return torch.take_along_dim(x, index, axis)


def scatter_add(x, index, src, axis):
    return x.scatter_add(axis, index, src)


def take(x, indices, axis=None):
    if axis is None:
        return x.take(indices)
    shape = x.shape[:axis] + indices.shape + x.shape[axis + 1 :]
    return x.index_select(axis, indices.reshape(-1)).reshape(shape)


def index_select(x, axis, index):
    return x.index_select(axis, index)


def masked_fill(x, mask, value):
    return x.masked_fill(mask, value)


def masked_select(x, mask):
    return x.masked_select(mask)
