"""Drawing steps: arithmetic, functions, reductions, products, choices, arrangements; views and writes stand elsewhere.

Each function here draws one step (with what it needs before it), or none where nothing fits.
"""

import numpy as np

from .builder import APART, LARGEST
from .keys import mask_of, places


def arithmetic(b):
    op = b.one_of(
        (
            "add",
            "mul",
            "sub",
            "div",
            "maximum",
            "minimum",
            "pow",
            "remainder",
            "floor_divide",
            "atan2",
            "logaddexp",
        )
    )
    x = b.pick()
    y = b.number() if b.chance(4) else b.operand(b.arrays[x].shape)
    if b.chance(3):
        x, y = y, x
    if op == "pow":
        return power(b, x, y)
    if op in ("div", "remainder", "floor_divide") and isinstance(y, str):
        y = b.not_zero(y)
    if op == "atan2":  # away from the origin, and from where the angle jumps
        if not isinstance(y, str) and y <= 0:
            return None
        y = b.positive(y) if isinstance(y, str) else y
    if op in ("remainder", "floor_divide"):  # of a number by a tensor PyTorch has no derivative
        ratio = b.of(x) / b.of(y)
        if (b.portable and not isinstance(x, str)) or np.any(np.abs(ratio - np.round(ratio)) < APART):
            return None
    if op in ("maximum", "minimum") and not b.apart(x, y):
        return None
    return b.made(op, x, y)


def power(b, x, y):
    if isinstance(x, str) and isinstance(y, str):
        return b.made("pow", b.at_most(b.positive(x), 8.0), b.at_most(y, 2.0))
    if isinstance(x, str):
        exponent = b.one_of((2, 3, 1, 0, 0.5, -1, -2.5))
        x = b.at_most(x, 4.0)
        if exponent < 0 or exponent == 0.5:
            x = b.positive(x)
        return b.made("pow", x, exponent)
    return b.made("pow", b.one_of((2.0, 0.5, 3)), b.at_most(y, 2.0))


FUNCTIONS = (
    "tanh", "neg", "square", "sin", "cos", "sigmoid", "erf", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt",
    "tan", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh",
    "rsqrt", "reciprocal", "abs", "sign", "floor", "ceil", "round", "trunc", "clone", "contiguous", "positive",
    "astype",
)  # fmt: skip


def function(b):
    op = b.one_of(FUNCTIONS)
    x = b.pick()
    if op == "astype":
        return b.made(op, x, "float64")
    if op in ("tan", "asin", "acos", "atanh"):
        x = b.at_most(x, 0.9)
    if op == "acosh":
        x = b.made("add", b.positive(x), 1.25)
    if op in ("exp", "expm1", "sinh", "cosh"):
        x = b.at_most(x, 3.0)
    if op in ("log", "log1p", "log2", "log10", "sqrt", "rsqrt"):
        x = b.positive(x)
    if op == "reciprocal":
        x = b.not_zero(x)
    if op in ("sin", "cos", "erf"):
        x = b.at_most(x, 10.0)
    if not smooth_at(b, op, b.arrays[x]):
        return None
    return b.made(op, x)


def smooth_at(b, op, array):
    """Away from the kinks and steps of `op`."""
    if op == "abs":
        return b.clear(np.abs(array))
    if op in ("sign", "trunc", "floor", "ceil", "round"):
        steps = 2 * array  # trunc and floor step at whole numbers, round at halves, sign at 0
        return bool(np.all(np.abs(steps - np.round(steps)) > APART))
    return True


def reduction(b):
    op = b.one_of(("sum", "mean", "max", "min", "prod", "var", "std", "logsumexp", "norm"))
    x = b.pick()
    array, words = b.arrays[x], {}
    axis = b.axes(array)
    if axis is not None:
        words["axis"] = axis
    if b.chance(3):
        words["keepdims"] = True
    if op in ("max", "min") and not b.distinct(array):
        return None
    if op in ("var", "std"):
        ddof = b.choose(2)
        over = tuple(axis) if isinstance(axis, list) else axis
        count = array.size if axis is None else np.prod(np.take(array.shape, over))
        if count <= ddof or (op == "std" and np.any(np.std(array, over) < 0.05)):
            return None
        words["ddof"] = ddof
    if op == "norm":
        order = b.one_of((2, 1, 3, float("inf")))
        if order == float("inf"):
            return None if not b.distinct(np.abs(array)) else b.made("max", b.made("abs", x), **words)
        if not smooth_at(b, "abs", array) or np.any(array == 0):
            return None
        words["ord"] = order
    if op == "prod":
        x = b.at_most(x, 3.0)
    return b.made(op, x, **words)


def along(b):
    """What keeps the shape, along one axis."""
    op = b.one_of(("softmax", "log_softmax", "cumsum", "cumprod", "sort", "topk"))
    x = b.pick(lambda array: array.ndim)
    if x is None:
        return None
    array = b.arrays[x]
    if op in ("sort", "topk") and not b.distinct(array):
        return None
    axis = b.axis(array)
    if op == "cumprod":
        x = b.at_most(x, 3.0)
    if op in ("cumsum", "cumprod") and b.chance(4):
        return b.made(op, x)
    if op == "sort":
        return b.made(op, x, axis=axis, descending=b.chance(2))
    if op == "topk":
        return b.made(op, x, k=1 + b.choose(array.shape[axis]), axis=axis, largest=not b.chance(2))
    return b.made(op, x, axis=axis)


# subscripts, and the shape of each operand behind the first, from the shape of the first
EINSUMS = {
    1: [("i,i->", "i"), ("i,j->ij", "J"), ("i,ij->j", "iJ"), ("...i,i->...", "i")],
    2: [
        ("ij,jk->ik", "jK"), ("ij->ji", ""), ("ii->i", ""), ("ij,ij->", "ij"), ("ij,j->i", "j"), ("ij->j", ""),
        ("ij,kj", "Kj"),
    ],
    3: [("bij,bjk->bik", "bjK"), ("ijk->kji", ""), ("ijk,k->ij", "k"), ("...ij,ij->...", "ij"), ("bij,bij->b", "bij")],
}  # fmt: skip


def product(b):
    op = b.one_of(("matmul", "einsum", "tensordot", "outer", "dot", "trace", "diagonal"))
    least = 2 if op in ("trace", "diagonal") else 1
    x = b.pick(lambda array: least <= array.ndim <= 4)
    if x is None:
        return None
    shape = b.arrays[x].shape
    new = 1 + b.choose(3)
    if op == "matmul":
        return b.made(op, *matrices(b, x, shape, new))
    if op == "einsum":
        return einsum(b, x, shape, new)
    if op == "tensordot":
        if len(shape) > 2:
            return None
        n = 1 + b.choose(len(shape))
        other = same_shape(b, shape[len(shape) - n :])
        axes = n if b.chance(2) else [list(range(len(shape) - n, len(shape))), list(range(n))]
        return b.made(op, x, other, axes)
    if op == "outer":
        other = b.pick(lambda array: array.ndim == 1) or b.leaf((2,))
        if len(shape) > 1 or shape[0] * b.arrays[other].size > LARGEST:
            return None
        return b.made(op, x, other)
    if op == "dot":
        return None if len(shape) > 2 else b.made(op, x, same_shape(b, shape[-1:]))
    offset = b.one_of((0, 1, -1))
    if len(shape) > 2 and op == "trace":
        return None
    if min(shape[0] + min(offset, 0), shape[1] - max(offset, 0)) < 1:
        return None
    return b.made(op, x, offset=offset)


def same_shape(b, shape):
    return b.pick_or_leaf(lambda array: array.shape == tuple(shape), tuple(shape))


def matrices(b, x, shape, new):
    """x and what it can be multiplied with, of another rank or with a batch of its own."""
    inner = shape[-1]
    batch = shape[:-2]
    right = b.one_of(((inner, new), (inner,), (*batch, inner, new), (2, *[1] * len(batch), inner, new)))
    if len(right) > 4 or np.prod(right) > 30 or np.prod(shape) * new * 2 > LARGEST:
        right = (inner,)

    def fits(array):
        if array.ndim == 0 or array.ndim > 4 or array.shape[-1 if array.ndim == 1 else -2] != inner:
            return False
        try:
            batches = np.broadcast_shapes(batch, array.shape[:-2])
        except ValueError:
            return False
        rows = shape[-2] if len(shape) > 1 else 1
        columns = array.shape[-1] if array.ndim > 1 else 1
        return int(np.prod(batches)) * rows * columns <= LARGEST

    return x, b.pick_or_leaf(fits, right)


def einsum(b, x, shape, new):
    if len(shape) > 3:
        return None
    subscripts, other = b.one_of(EINSUMS[len(shape)])
    first = subscripts.split(",")[0].split("->")[0].replace("...", "ABC"[: max(0, len(shape) - 2)])
    if first == "i" * len(first) and len(set(shape)) > 1:
        return None
    sizes = dict(zip(first[-len(shape) :], shape, strict=False)) | {"J": new, "K": new}
    if subscripts.startswith("..."):
        letters = subscripts[3:].split(",")[0]
        sizes = dict(zip(letters, shape[len(shape) - len(letters) :], strict=True))
    if not other:
        made = b.made_alike if gives_view(subscripts) else b.made
        return made("einsum", subscripts, x)
    return b.made("einsum", subscripts, x, same_shape(b, [sizes[letter] for letter in other]))


def gives_view(subscripts):
    """einsum of one operand that sums nothing: NumPy gives a view."""
    left, _, right = subscripts.partition("->")
    return set(left) == set(right)


def choice(b):
    """where, clip, masked_fill, with a mask that is given or one that compares values."""
    op = b.one_of(("where", "clip", "masked_fill", "masked_select"))
    x = b.pick()
    array = b.arrays[x]
    if op == "clip":
        low, high = b.one_of(((-0.5, 0.75), (None, 0.5), (-0.25, None), (-0.5, "other"), ("other", None)))
        low, high = [b.operand_into(array.shape) if bound == "other" else bound for bound in (low, high)]
        if not all(b.apart(x, bound) for bound in (low, high) if bound is not None):
            return None
        return b.made(op, x, low, high)
    mask = condition(b, x)
    if mask is None:
        return None
    if op == "where":
        y = b.number() if b.chance(4) else b.operand_into(array.shape)
        return b.made(op, mask, x, y) if b.chance(2) else b.made(op, mask, y, x)
    if op == "masked_fill":
        y = b.number()
        return b.made(op, x, mask, b.pick(lambda other: other.ndim == 0) or y)
    if not np.any(b.arrays[mask] if isinstance(mask, str) else mask["array"]):
        return None
    return b.made(op, x, mask)


def condition(b, x):
    """A bool of x's shape."""
    array = b.arrays[x]
    if b.chance(2) or array.ndim == 0:
        y = b.one_of((0.0, 0.5)) if b.chance(2) else b.operand_into(array.shape)
        if np.any(np.abs(array - b.of(y)) < APART):
            return None
        (mask,) = b.step(b.one_of(("greater", "less_equal")), x, y)
        return mask
    return {"array": mask_of(b, array.shape).tolist()}


def arrangement(b):
    op = b.one_of(("roll", "flip", "repeat", "tile", "tril", "triu", "pad", "backwards"))
    x = b.pick(lambda array: array.ndim >= (2 if op in ("tril", "triu") else 1))
    if x is None:
        return None
    array = b.arrays[x]
    if op == "roll":
        return (
            b.made(op, x, 1 + b.choose(2)) if b.chance(3) else b.made(op, x, 1 + b.choose(2), b.axis(array))
        )
    if op == "flip":
        axis = b.axes(array)
        return b.made_alike(op, x) if axis is None else b.made_alike(op, x, axis=axis)
    if op == "backwards":
        axis = b.choose(array.ndim)
        return b.made_alike(op, x, axis, None, None, b.one_of((-1, -2)))
    if op in ("tril", "triu"):
        return b.made(op, x, b.one_of((0, 1, -1)))
    if array.size > LARGEST // 4:
        return None
    if op == "tile":
        return b.made(op, x, b.one_of(([2], [1, 2], [2, 1, 1], [1])))
    if op == "repeat":
        axis = None if b.chance(4) else b.choose(array.ndim)
        counts = 2
        if axis is not None and b.chance(2):
            counts = [b.choose(3) for _ in range(array.shape[axis])]
            counts[0] += not sum(counts)
        return b.made(op, x, counts) if axis is None else b.made(op, x, counts, axis=axis)
    mode = b.one_of(("constant", "edge", "reflect", "symmetric", "wrap"))
    widths = [[b.choose(2), b.choose(2)] for _ in array.shape]
    if mode == "reflect" and min(array.shape) < 2:
        mode = "edge"
    if (
        np.prod([n + before + after for n, (before, after) in zip(array.shape, widths, strict=True)])
        > LARGEST
    ):
        return None
    return b.made(op, x, widths, mode=mode)


def joining(b):
    op = b.one_of(("cat", "stack"))
    x = b.pick(lambda array: array.size <= LARGEST // 3 and (op == "stack" or array.ndim))
    if x is None:
        return None
    shape = b.arrays[x].shape
    several = [x] + [same_shape(b, shape) for _ in range(1 + b.choose(2))]
    if b.chance(2):
        several.reverse()
    # Of transposed ones NumPy makes a transposed one, and PyTorch does not; a reshape later is then a view or a copy.
    made = b.made if all(b.arrays[name].flags.c_contiguous for name in several) else b.made_alike
    return made(op, several, axis=b.choose(len(shape) + (op == "stack")))


def gathering(b):
    op = b.one_of(("gather", "take_along_axis", "scatter_add", "take", "index_select"))
    x = b.pick(lambda array: array.ndim)
    if x is None:
        return None
    array = b.arrays[x]
    axis = b.choose(array.ndim)
    n = array.shape[axis]
    if op == "take" and b.chance(3):
        return b.made(op, x, {"array": places(b, array.size, (2, 2)).tolist()})
    if op in ("take", "index_select"):
        index = {"array": places(b, n, (1 + b.choose(3),)).tolist()}
        if array.size // n * 3 > LARGEST:
            return None
        return b.made(op, x, index, axis=axis) if op == "take" else b.made(op, x, axis, index)
    shape = list(array.shape)
    shape[axis] = 1 + b.choose(3)
    if np.prod(shape) > LARGEST:
        return None
    index = {"array": places(b, n, tuple(shape)).tolist()}
    if op == "scatter_add":
        return b.made(op, x, index, same_shape(b, shape), axis)
    return b.made(op, x, index, axis)


def constant(b):
    op = b.one_of(("zeros", "full", "tensor", "leaf", "detach"))
    shape = b.arrays[b.pick()].shape
    if op == "leaf":
        return b.pick_or_leaf(lambda _: False, shape)
    if op == "detach":
        return b.made_alike("detach", b.pick()) if b.portable else cut(b)
    if op == "tensor":
        numbers = [((7 * k) % 11) / 4 - 1.25 for k in range(int(np.prod(shape)))]
        return b.made("tensor", np.reshape(numbers, shape).tolist(), dtype="float64")
    return (
        b.made("zeros", list(shape), dtype="float64")
        if op == "zeros"
        else b.made(op, list(shape), 0.75, dtype="float64")
    )


def cut(b):
    """detach, then a copy: a write into what detach gives would go past the graph."""
    (name,) = b.step("detach", b.pick(), visible=False)
    return b.made("clone", name)
