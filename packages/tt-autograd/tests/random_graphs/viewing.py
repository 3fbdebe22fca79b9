"""Drawing views: the same memory under another shape, another order, or a part of it; and indexing that copies."""

import numpy as np

from .builder import LARGEST
from .keys import advanced, basic


def reshaping(b):
    op = b.one_of(("reshape", "view", "flatten", "ravel", "squeeze", "unsqueeze", "expand_dims", "unflatten"))
    x = b.pick()
    array = b.arrays[x]
    if op in ("unsqueeze", "expand_dims"):
        return b.made(op, x, b.choose(array.ndim + 1)) if array.ndim < 4 else None
    if op == "squeeze":
        ones = [axis for axis, n in enumerate(array.shape) if n == 1]
        return b.made(op, x, b.one_of(ones)) if ones and b.chance(2) else b.made(op, x)
    if op == "ravel":
        return b.made(op, x)
    if op == "flatten":
        return b.made(op, x, 1) if array.ndim > 1 and b.chance(2) else b.made(op, x)
    if op == "unflatten":
        axes = [axis for axis, n in enumerate(array.shape) if n in (4, 6, 9)]
        if not axes or array.ndim > 3:
            return None
        return b.made(op, x, b.one_of(axes), [{4: 2, 6: 2, 9: 3}[array.shape[axes[0]]], -1])
    if op == "view" and not array.flags.c_contiguous:
        op = "reshape"
    return b.made(op, x, factors(b, array.size))


def factors(b, size):
    """A shape for `size` elements, perhaps with a size left open."""
    shape = []
    while size > 1 and len(shape) < 3 and not b.chance(4):
        factor = b.one_of([n for n in range(2, size + 1) if size % n == 0])
        shape.append(factor)
        size //= factor
    if size > 1 or not shape:
        shape.append(size)
    if b.chance(4):
        shape[b.choose(len(shape))] = -1
    if b.chance(5) and len(shape) < 4:
        shape.insert(0, 1)
    return shape


def reordering(b):
    op = b.one_of(("transpose", "swapaxes", "permute", "moveaxis", "matrix_transpose", "transpose two"))
    x = b.pick(lambda array: array.ndim > 1)
    if x is None:
        return None
    ndim = b.arrays[x].ndim
    first = b.choose(ndim)
    second = (first + 1 + b.choose(ndim - 1)) % ndim
    order = list(range(ndim))
    order[first], order[second] = order[second], order[first]
    if op == "permute":
        return b.made(op, x, order[::-1])
    if op == "transpose two":
        return b.made("transpose", x, first, second)
    if op in ("swapaxes", "moveaxis"):
        return b.made(op, x, first, second)
    return b.made(op, x, order) if op == "transpose" and b.chance(2) else b.made(op, x)


def stretching(b):
    op = b.one_of(("broadcast_to", "expand"))
    x = b.pick(lambda array: array.ndim < 4 and array.size <= LARGEST // 3)
    if x is None:
        return None
    shape = [2 + b.choose(2) if n == 1 and b.chance(2) else n for n in b.arrays[x].shape]
    if np.prod(shape) <= LARGEST // 2 and b.chance(2):
        shape.insert(0, 2)
    elif np.prod(shape) > LARGEST:
        return None
    if not shape:
        return None
    return b.made(op, x, shape) if op == "broadcast_to" else b.made(op, x, *shape)


def indexing(b):
    x = b.pick(lambda array: array.ndim)
    if x is None:
        return None
    array = b.arrays[x]
    if not b.chance(3):
        return b.made("getitem", x, key=basic(b, array.shape, not b.portable))
    if array.size > LARGEST // 3:
        return None
    return b.made("getitem", x, key=advanced(b, array.shape, unique=False, mixed=not b.portable))


def pieces(b):
    """Several views at once."""
    op = b.one_of(("unbind", "split", "chunk", "array_split", "split at", "narrow"))
    x = b.pick(lambda array: array.ndim and max(array.shape) > 1)
    if x is None:
        return None
    array = b.arrays[x]
    axis = int(np.argmax(array.shape))
    n = array.shape[axis]
    if op == "narrow":
        start = b.choose(n)
        return b.made(op, x, axis, start, 1 + b.choose(n - start))
    if op == "unbind":
        return b.step(op, x, results=n, axis=axis) if n < 5 else None
    if op == "split":
        sections = n if n in (2, 3, 5) else n // 2 if n % 2 == 0 else 1
        return b.step(op, x, sections, results=sections, axis=axis) if 1 < sections < 5 else None
    if op == "split at":
        return b.step("split", x, [1 + b.choose(n - 1)], results=2, axis=axis)
    if op == "chunk":
        each = -(-n // 2)
        return b.step(op, x, 2, results=-(-n // each), axis=axis)
    return b.step(op, x, 2, results=2, axis=axis)
