"""Taking and adding by arrays of positions: take_along_axis, gather, scatter, take, masked_fill …"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_tensor.function import Function
from tt_tensor.ops.axes import moveaxis
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.indexing import GetItem, PutAt, SetItem, index_of, within_rule
from tt_tensor.ops.over_axes import one_axis

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "GatheringMethods",
    "MaskedFill",
    "ScatterAdd",
    "TakeAlongAxis",
    "argwhere",
    "gather",
    "index_add",
    "index_copy",
    "index_fill",
    "index_select",
    "masked_fill",
    "masked_select",
    "narrow",
    "nonzero",
    "scatter",
    "scatter_add",
    "take",
    "take_along_axis",
    "unfold",
]


def _integers(index: Any, what: str) -> Any:
    """`index` as an array of integers. Raises IndexingError if it is none."""
    array = index_of(index, what)
    array = np.asarray(array)
    if array.dtype.kind not in "iu":
        raise IndexingError(f"{what}: the index holds integers, not {array.dtype}; use x[mask] for a mask")
    return array


def _along(index: Any, axis: int, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """The full index in which `index` stands at `axis` and each other axis counts 0, 1, … up to its size."""
    ndim = len(sizes)
    return tuple(
        [
            index
            if one == axis
            else np.arange(size).reshape([-1 if other == one else 1 for other in range(ndim)])
            for one, size in enumerate(sizes)
        ]
    )


def _written(index: Any, axis: int, into: tuple[int, ...], of: tuple[int, ...], what: str) -> tuple[Any, ...]:
    """The full index of what scattering numbers of shape `of` writes in shape `into`."""
    axis, wanted = one_axis(axis, len(into), what), index.shape
    if not (len(wanted) == len(into) == len(of)) or any(
        size > inside or (one != axis and size > outside)
        for one, (size, inside, outside) in enumerate(zip(wanted, of, into, strict=True))
    ):
        raise ShapeError(
            f"{what}: an index of shape {wanted} reads src of shape {of} and writes along axis "
            f"{axis} into shape {into}; it must fit into src, and into x along the other axes"
        )
    return _along(index, axis, wanted)


class TakeAlongAxis(Function):
    """y[i, j, …] = x[indices[i, j, …], j, …] (for axis 0): dx = zeros, with grad added where it was taken."""

    def __init__(self, indices: Any, axis: int = -1) -> None:
        self.indices, self.axis = _integers(indices, "take_along_axis"), axis

    def forward(self, x: Any) -> Any:
        axis = one_axis(self.axis, x.ndim, "take_along_axis")
        if self.indices.ndim != x.ndim:
            raise ShapeError(
                f"take_along_axis: indices of shape {self.indices.shape} have {self.indices.ndim} axes and the "
                f"tensor of shape {x.shape} has {x.ndim}; both need the same number"
            )
        self.shape, self.at = x.shape, _along(self.indices, axis, x.shape)
        return x[self.at]

    def backward(self, grad: Any) -> Any:
        return within_rule(PutAt(self.at, self.shape), grad)


class ScatterAdd(Function):
    """y = x, with y[index[i, j, …], j, …] += src[i, j, …] (for axis 0): dx = grad, dsrc = grad where it went."""

    def __init__(self, index: Any, axis: int = 0) -> None:
        self.index, self.axis = _integers(index, "scatter_add"), axis

    def forward(self, x: Any, src: Any) -> Any:
        wanted = self.index.shape
        self.at, self.source = _written(self.index, self.axis, x.shape, src.shape, "scatter_add"), src.shape
        self.cut = None if wanted == src.shape else tuple([slice(size) for size in wanted])
        return x + within_rule(PutAt(self.at, x.shape), src if self.cut is None else src[self.cut])

    def backward(self, grad: Any) -> Any:
        dsrc = grad[self.at]
        return grad, dsrc if self.cut is None else within_rule(PutAt(self.cut, self.source), dsrc)


class MaskedFill(Function):
    """y = value where mask, else x: dx = grad where not mask, dvalue = Σ grad where mask."""

    def __init__(self, mask: Any) -> None:
        self.mask = np.asarray(mask.array if hasattr(mask, "requires_grad") else mask)
        if self.mask.dtype.kind != "b":
            raise DTypeError(
                f"masked_fill: a mask is bool, not {self.mask.dtype}; compare to make one (m != 0)"
            )

    def forward(self, x: Any, value: Any) -> Any:
        y = np.where(self.mask, value, x)
        if y.dtype == x.dtype:
            return y
        if not np.can_cast(y.dtype, x.dtype, "same_kind"):
            raise DTypeError(
                f"masked_fill: a {y.dtype} value does not go into a {x.dtype} tensor; use astype() first"
            )
        return y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return np.where(self.mask, 0.0, grad), np.where(self.mask, grad, 0.0) if self.wants(1) else None


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Tensor:
    """y[i, j, …] = x[indices[i, j, …], j, …] for axis 0, and so for the others (NumPy's function).

    `indices` has as many axes as x; along the others than `axis` the two broadcast. axis None: x flattened.
    What `argsort(x, axis)` returns, for one, sorts x. Repeated indices add up in the gradient.

    Raises IndexingError for an index out of range or not of integers, ShapeError where the shapes do not fit.
    """
    x = tensor_of(x)
    return TakeAlongAxis(indices, 0)(x.reshape(-1)) if axis is None else TakeAlongAxis(indices, axis)(x)


def gather(x: Any, index: Any, axis: Any) -> Tensor:
    """y[i, j, …] = x[index[i, j, …], j, …] for axis 0, and so for the others (PyTorch's function).

    The result has the shape of `index`, which may be smaller than x along the other axes. Both orders are
    understood, gather(x, index, axis) and PyTorch's gather(x, axis, index): an axis is a plain int.

    Raises IndexingError for an index out of range or not of integers, ShapeError for one that is too large.
    """
    if index.__class__ is int and axis.__class__ is not int:
        index, axis = axis, index
    x, index = tensor_of(x), _integers(index, "gather")
    axis = one_axis(axis, x.ndim, "gather")
    wanted, shape = index.shape, x.array.shape
    if wanted[:axis] != shape[:axis] or wanted[axis + 1 :] != shape[axis + 1 :]:
        if index.ndim != x.ndim or any(
            size > there for one, (size, there) in enumerate(zip(wanted, shape, strict=True)) if one != axis
        ):
            raise ShapeError(
                f"gather: an index of shape {wanted} does not fit into shape {shape}; it needs {x.ndim} axes, "
                f"and no more than x along each but axis {axis}"
            )
        x = GetItem(tuple([slice(None if one == axis else size) for one, size in enumerate(wanted)]))(x)
    return TakeAlongAxis(index, axis)(x)


def _scatter_arguments(index: Any, src: Any, axis: Any, value: Any = None) -> tuple[Any, Any, Any]:
    """The arguments in this order, also when they come in PyTorch's: (axis, index, src), or (axis, index, value=…)."""
    if index.__class__ is int and src.__class__ is not int:
        return src, axis if value is None else value, index
    return index, src if value is None else value, 0 if axis is None else axis


def _set_by(x: Any, index: Any, src: Any, axis: Any, value: Any) -> tuple[SetItem, Any]:
    """What writes `src` into x at `index`, and the values that it writes: all of src that the index reaches."""
    index, src, axis = _scatter_arguments(index, src, axis, value)
    index = _integers(index, "scatter")
    if isinstance(src, Real):
        return SetItem(_written(index, axis, x.shape, index.shape, "scatter")), src
    src = tensor_of(src)
    at = _written(index, axis, x.shape, src.shape, "scatter")
    return SetItem(at), src if src.shape == index.shape else src[tuple([slice(size) for size in index.shape])]


def scatter(x: Any, index: Any, src: Any = None, axis: Any = None, *, value: Any = None) -> Tensor:
    """x with src[i, j, …] written at [index[i, j, …], j, …] (for axis 0, and so for the others); PyTorch's function.

    src may be a number (PyTorch also calls it `value`), or larger than index. Where an index is named twice the last
    value stays, and alone gets the gradient. Both orders are understood, scatter(x, index, src, axis) and PyTorch's
    scatter(x, axis, index, src).

    Raises IndexingError for an index out of range or not of integers, ShapeError where the shapes do not fit.
    """
    x = tensor_of(x)
    write, src = _set_by(x, index, src, axis, value)
    return write(x, src)


def scatter_add(x: Any, index: Any, src: Any, axis: Any = None) -> Tensor:
    """x with src[i, j, …] added at [index[i, j, …], j, …] (for axis 0, and so for the others); PyTorch's function.

    Repeated indices add up. src may be larger than index: what the index does not reach is not added. Both orders
    are understood, scatter_add(x, index, src, axis) and PyTorch's scatter_add(x, axis, index, src).

    Raises IndexingError for an index out of range or not of integers, ShapeError where the shapes do not fit.
    """
    index, src, axis = _scatter_arguments(index, src, axis)
    return ScatterAdd(index, axis)(tensor_of(x), tensor_of(src))


def index_add(x: Any, axis: int, index: Any, src: Any, *, alpha: float = 1) -> Tensor:
    """x with the slices of src added at a one-dimensional `index` along `axis`, times `alpha`; PyTorch's function.

    Repeated indices add up: a graph's nodes sum what their edges send.

    Raises IndexingError for an index out of range or not of integers, ShapeError where the shapes do not fit.
    """
    x, src = tensor_of(x), tensor_of(src)
    return ScatterAdd(*_slices(x, axis, index, src))(x, src if alpha == 1 else src * alpha)


def _slices(x: Tensor, axis: Any, index: Any, src: Tensor) -> tuple[Any, int]:
    """The index and the axis with which `scatter_add` adds whole slices of src."""
    index, axis = _integers(index, "index_add"), one_axis(axis, x.ndim, "index_add")
    wanted = (*x.shape[:axis], index.size, *x.shape[axis + 1 :])
    if index.ndim != 1 or src.shape != wanted:
        raise ShapeError(
            f"index_add: an index of shape {index.shape} along axis {axis} of shape {x.shape} takes src of shape "
            f"{wanted}, not {src.shape}"
        )
    return np.broadcast_to(index.reshape([-1 if one == axis else 1 for one in range(x.ndim)]), wanted), axis


def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The slices of x at `indices` (of any shape) along `axis`, a copy; axis None: the elements of x flattened.

    (…, n, …) with indices of shape (i, j) becomes (…, i, j, …). Raises IndexingError for one out of range.
    """
    x = tensor_of(x)
    index = _integers(indices, "take")
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = one_axis(axis, x.ndim, "take")
    if index.ndim == 0:  # which would index to a view
        return take(x, index.reshape(1), axis).squeeze(axis)
    return GetItem(index if axis == 0 else (*[slice(None)] * axis, index))(x)


def index_select(x: Any, axis: int, index: Any) -> Tensor:
    """The slices of x at a one-dimensional `index` along `axis`; PyTorch's word, and order, for `take`."""
    if (ndim := _integers(index, "index_select").ndim) > 1:
        raise ShapeError(f"index_select: the index has one axis, not {ndim}; use take() or gather()")
    return take(x, index, axis)


def narrow(x: Any, axis: int, start: int, length: int) -> Tensor:
    """x[start : start + length] along `axis`: a view (PyTorch's function).

    Raises IndexingError if that reaches beyond the axis, ArgumentError for what is no whole number.
    """
    x = tensor_of(x)
    axis = one_axis(axis, x.ndim, "narrow")
    start, length = whole_number("narrow", "start", start, None), whole_number("narrow", "length", length)
    first = start + x.shape[axis] if start < 0 else start
    if not 0 <= first <= first + length <= x.shape[axis]:
        raise IndexingError(f"narrow: {length} from {start} reaches beyond axis {axis} of shape {x.shape}")
    return GetItem((*[slice(None)] * axis, slice(first, first + length)))(x)


def select(x: Any, axis: int, index: int) -> Tensor:
    """x[…, index, …] along `axis`, which goes: a view (PyTorch's function).

    Raises AxisError for an axis out of range, IndexingError for an index that it has not.
    """
    x = tensor_of(x)
    axis, index = one_axis(axis, x.ndim, "select"), whole_number("select", "index", index, None)
    return GetItem((*[slice(None)] * axis, index))(x)


def index_fill(x: Any, axis: int, index: Any, value: Any) -> Tensor:
    """x with `value` in the slices at `index` along `axis` (PyTorch's function).

    Raises IndexingError for an index out of range or not of integers, AxisError for an axis out of range.
    """
    x = tensor_of(x)
    return _slices_at(x, axis, index, "index_fill")(x, value)


def index_copy(x: Any, axis: int, index: Any, src: Any) -> Tensor:
    """x with the slices of src at `index` along `axis` (PyTorch's function); of an index twice, the last one counts.

    Raises as `index_fill`, and ShapeError where src has not a slice for each index.
    """
    x, src = tensor_of(x), tensor_of(src)
    write = _slices_at(x, axis, index, "index_copy")
    return write(x, _copied(x, axis, index, src))


def _slices_at(x: Tensor, axis: Any, index: Any, what: str) -> SetItem:
    index, axis = _integers(index, what), one_axis(axis, x.ndim, what)
    if index.ndim > 1:
        raise ShapeError(f"{what}: the index has one axis, not {index.ndim}")
    return SetItem((*[slice(None)] * axis, index.reshape(-1)))


def _copied(x: Tensor, axis: Any, index: Any, src: Tensor) -> Tensor:
    axis, count = one_axis(axis, x.ndim, "index_copy"), _integers(index, "index_copy").size
    wanted = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    if src.shape != wanted:
        raise ShapeError(
            f"index_copy: {count} indices along axis {axis} of shape {x.shape} take src of shape {wanted}, not "
            f"{src.shape}"
        )
    return src


def masked_fill(x: Any, mask: Any, value: Any) -> Tensor:
    """`value` where `mask` is True, else x; the dtype stays x's, the shapes broadcast.

    Raises DTypeError for a mask that is not bool, or a value of a kind that x does not hold (-inf and integers).
    """
    return MaskedFill(mask)(tensor_of(x), value)


def masked_select(x: Any, mask: Any) -> Tensor:
    """The elements of x where `mask` is True, along one axis: x[mask], mask and x broadcast against each other."""
    x = tensor_of(x)
    mask = tensor_of(mask)
    if mask.dtype.kind != "b":
        raise DTypeError(f"masked_select: a mask is bool, not {mask.dtype}; compare to make one (m != 0)")
    try:
        shape = np.broadcast_shapes(x.shape, mask.shape)
    except ValueError as error:
        raise ShapeError(
            f"masked_select: a mask of shape {mask.shape} does not fit shape {x.shape}"
        ) from error
    return x.broadcast_to(shape)[mask.broadcast_to(shape)]


def unfold(x: Any, axis: int, size: int, step: int) -> Tensor:
    """Windows of `size` neighbours along `axis`, one every `step`, as a new last axis (PyTorch's function): a copy.

    n elements along the axis become (n - size) // step + 1 windows: [1, 2, 3, 4] in windows of 2, one every 2, is
    [[1, 2], [3, 4]]. Where windows overlap, their gradients add up.

    Raises AxisError for an axis out of range, ArgumentError for a size that it has not, or a step below 1.
    """
    x = tensor_of(x)
    axis, step = one_axis(axis, x.ndim, "unfold"), whole_number("unfold", "step", step, 1)
    n, size = x.shape[axis], whole_number("unfold", "size", size)
    if size > n:
        raise ArgumentError(f"unfold: axis {axis} of shape {x.shape} has no windows of size {size}")
    return moveaxis(take(x, np.arange(0, n - size + 1, step)[:, None] + np.arange(size), axis), axis + 1, -1)


def nonzero(x: Any, *, as_tuple: bool = True) -> Any:
    """Where x is not 0: one tensor of positions for each axis, so that x[nonzero(x)] are the elements (NumPy).

    as_tuple=False gives PyTorch's matrix of positions, which is `argwhere`. Raises ShapeError for shape ().
    """
    from tt_tensor.tensor import wrap

    x = tensor_of(x)
    if not as_tuple:
        return argwhere(x)
    if x.ndim == 0:
        raise ShapeError("nonzero: a tensor of shape () has no axis to count along; reshape it to (1,)")
    return tuple([wrap(positions) for positions in x.array.nonzero()])


def argwhere(x: Any) -> Tensor:
    """Where x is not 0, as a matrix (number of such elements, number of axes) of positions."""
    from tt_tensor.tensor import wrap

    return wrap(np.argwhere(tensor_of(x).array))


class GatheringMethods:
    """Taking and adding by positions, as methods of a Tensor."""

    take_along_axis = take_along_axis
    gather = gather
    scatter = scatter
    scatter_add = scatter_add
    take = take
    index_select = index_select
    index_add = index_add
    index_fill = index_fill
    index_copy = index_copy
    select = select
    narrow = narrow
    masked_fill = masked_fill
    masked_select = masked_select
    unfold = unfold
    nonzero = nonzero
    argwhere = argwhere

    def scatter_(self, index: Any, src: Any = None, axis: Any = None, *, value: Any = None) -> Tensor:
        """`scatter` in place."""
        write, src = _set_by(self, index, src, axis, value)
        return write.in_place(self, src)  # type: ignore[arg-type]

    def scatter_add_(self, index: Any, src: Any, axis: Any = None) -> Tensor:
        """`scatter_add` in place."""
        index, src, axis = _scatter_arguments(index, src, axis)
        return ScatterAdd(index, axis).in_place(self, tensor_of(src))  # type: ignore[arg-type]

    def index_add_(self, axis: int, index: Any, src: Any, *, alpha: float = 1) -> Tensor:
        """`index_add` in place."""
        src = tensor_of(src)
        function = ScatterAdd(*_slices(self, axis, index, src))  # type: ignore[arg-type]
        return function.in_place(self, src if alpha == 1 else src * alpha)  # type: ignore[arg-type]

    def index_fill_(self, axis: int, index: Any, value: Any) -> Tensor:
        """`index_fill` in place."""
        return _slices_at(self, axis, index, "index_fill_").in_place(self, value)  # type: ignore[arg-type]

    def index_copy_(self, axis: int, index: Any, src: Any) -> Tensor:
        """`index_copy` in place."""
        write = _slices_at(self, axis, index, "index_copy_")  # type: ignore[arg-type]
        return write.in_place(self, _copied(self, axis, index, tensor_of(src)))  # type: ignore[arg-type]

    def masked_fill_(self, mask: Any, value: Any) -> Tensor:
        """`masked_fill` in place."""
        return MaskedFill(mask).in_place(self, value)  # type: ignore[arg-type]
