"""Drawing writes in place: into values, into views of them, into buffers of zeros, piece by piece."""

import numpy as np

from .drawing import smooth_at
from .keys import advanced, basic, mask_of, places

FREE = ("tanh_", "sin_", "cos_", "sigmoid_", "neg_", "square_", "erf_", "abs_", "exp_", "sign_", "floor_")
POSITIVE = ("sqrt_", "log_", "rsqrt_", "reciprocal_", "log1p_")


def writable(b, name):
    """Not a leaf's memory, and no element shown twice."""
    return name not in b.stretched and b.groups[name] not in {b.groups[leaf] for leaf in b.leaves}


def target(b):
    """A value to write into; a copy of one where there is none yet."""
    names = [name for name in reversed(b.visible) if writable(b, name)]
    return b.one_of(names) if names else b.made("clone", b.pick())


def separate(b, x, y, whole=True):
    """May y be written into x (the whole of it)? In PyTorch two values that overlap may not, unless they are one."""
    if not b.portable or not isinstance(y, str) or (whole and x == y):
        return True
    return not np.may_share_memory(b.arrays[x], b.arrays[y])


def settle(b, x):
    """Scale down what has grown large."""
    while np.abs(b.arrays[x]).max(initial=0.0) > 30:
        b.step("mul_", x, 0.0625)


def write(b):
    x = target(b)
    kinds = (arithmetic, function, overwrite, setitem, augmented, positions, limits, piecewise) + (
        (behind,) if b.portable else ()
    )
    b.one_of(kinds)(b, x)
    settle(b, x)


def arithmetic(b, x):
    op = b.one_of(("add_", "mul_", "iadd", "imul", "sub_", "div_", "isub", "itruediv", "pow_"))
    if op == "pow_":
        if np.abs(b.arrays[x]).max(initial=0.0) <= 4:
            b.step(op, x, b.one_of((2, 3)))
        return
    y = b.number() if b.chance(4) else b.operand_into(b.arrays[x].shape)
    if op in ("div_", "itruediv") and isinstance(y, str):
        y = b.not_zero(y)
    if separate(b, x, y):
        b.step(op, x, y)


def function(b, x):
    array = b.arrays[x]
    ops = FREE + POSITIVE if array.min() >= 0.1 else FREE
    op = b.one_of(ops if np.abs(array).max() <= 3 else ("tanh_", "neg_", "abs_", "sigmoid_"))
    if smooth_at(b, op[:-1], array):
        b.step(op, x)


def overwrite(b, x):
    op = b.one_of(("copy_", "fill_", "zero_"))
    if op == "zero_":
        b.step(op, x)
    elif op == "fill_":
        y = b.pick(lambda array: array.ndim == 0)
        if y is None or not separate(b, x, y):
            y = b.number()
        b.step(op, x, y)
    else:
        y = b.operand_into(b.arrays[x].shape)
        if separate(b, x, y):
            b.step(op, x, y)


def part_of(b, x):
    """A key into x, and the shape of what it names."""
    array = b.arrays[x]
    if array.ndim == 0:
        return ["..."], ()
    if b.chance(3):
        key = advanced(b, array.shape, unique=b.portable, mixed=not b.portable)
    else:
        key = basic(b, array.shape, not b.portable)
    found = array[tuple([_index(part) for part in key])]
    return (key, found.shape) if found.size else (["..."], array.shape)


def _index(part):
    if not isinstance(part, dict):
        return ... if part == "..." else part
    return slice(*part["slice"]) if "slice" in part else np.array(part["array"])


def setitem(b, x):
    key, shape = part_of(b, x)
    y = b.number() if b.chance(4) else b.operand_into(shape)
    if separate(b, x, y, whole=False):
        b.step("setitem", x, y, key=key)


def augmented(b, x):
    key, shape = part_of(b, x)
    y = b.number() if b.chance(4) else b.operand_into(shape)
    if separate(b, x, y, whole=False):
        b.step(b.one_of(("iadd at", "imul at")), x, y, key=key)


def positions(b, x):
    """masked_fill_ and scatter_add_."""
    array = b.arrays[x]
    if array.ndim == 0:
        return
    if b.chance(2):
        y = b.pick(lambda other: other.ndim == 0)
        if y is None or not separate(b, x, y):
            y = b.number()
        b.step("masked_fill_", x, {"array": mask_of(b, array.shape).tolist()}, y)
        return
    axis = b.choose(array.ndim)
    src = b.operand_into(array.shape)
    if b.arrays[src].shape == array.shape and separate(b, x, src, whole=False):
        index = places(b, array.shape[axis], array.shape)
        b.step("scatter_add_", x, axis, {"array": index.tolist()}, src)


def limits(b, x):
    low, high = b.one_of(((-0.5, 0.75), (None, 0.5), (-0.25, None)))
    gaps = [np.abs(b.arrays[x] - bound) for bound in (low, high) if bound is not None]
    if all(b.clear(gap) for gap in gaps):
        b.step("clip_", x, low, high)


def piecewise(b, x):
    """A buffer of zeros, filled piece by piece: through indices, or through views taken before."""
    n, shape = 2 + b.choose(2), b.arrays[x].shape
    if len(shape) > 3 or n * b.arrays[x].size > 40:
        return
    (buffer,) = b.step("zeros", [n, *shape], dtype="float64")
    views = b.step("unbind", buffer, results=n, axis=0) if b.chance(2) else ()
    for place in range(n - b.choose(2)):
        y = b.operand_into(shape)
        if not separate(b, buffer, y):
            continue
        if views:
            b.step(b.one_of(("copy_", "add_")), views[place], y)
        else:
            b.step(b.one_of(("setitem", "iadd at")), buffer, y, key=[place])


def behind(b, x):
    """A write that the graph is not told of: the gradient goes on as if the values were the old ones."""
    b.step("no_grad mul_", x, 0.5)
