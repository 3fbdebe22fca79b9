"""The same elements under another shape: reshape, squeeze, broadcast_to …, and their rules.

None of these moves a byte where the memory allows: the result shares memory with x (`y.shares_memory(x)`), and a
write into either shows in both. Row-major order (the last axis walks fastest) is the order in which a reshape
reads and writes, so the transpose of a matrix, which lies column-major, must be copied to be flattened.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import ArgumentError, AxisError, InPlaceError, ShapeError
from tt_tensor.function import Function
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.over_axes import axes_of, one_axis

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "BroadcastTo",
    "Reshape",
    "ShapeMethods",
    "broadcast_tensors",
    "broadcast_to",
    "expand",
    "expand_dims",
    "flatten",
    "meshgrid",
    "ravel",
    "reshape",
    "squeeze",
    "unflatten",
    "unsqueeze",
    "view",
]


class Reshape(Function):
    """The elements in row-major order under a new shape: a view where the memory allows it. dx = grad, reshaped."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.new = shape

    def forward(self, x: Any) -> Any:
        self.old = x.shape
        return x.reshape(self.new)

    def backward(self, grad: Any) -> Any:
        return grad.reshape(self.old)


class BroadcastTo(Function):
    """Repeat along new axes and axes of size 1, without copying: dx = grad, which `gradients` sums over them."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Any) -> Any:
        return np.broadcast_to(x, self.shape)

    def backward(self, grad: Any) -> Any:
        return grad


def _sizes(shape: tuple[Any, ...]) -> Any:
    """The shape that was given either as separate ints or as one tuple."""
    return shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape


def reshape(x: Any, *shape: Any) -> Tensor:
    """The elements of x, in row-major order, under `shape` (ints or one tuple); one size may be -1.

    A view where the memory allows it, else a copy; `view` insists on the former.

    Raises ShapeError if the number of elements does not fit.
    """
    return Reshape(_sizes(shape))(x)


def view(x: Any, *shape: Any) -> Tensor:
    """The memory of x under another shape, never a copy (PyTorch's meaning). Ints or one tuple, one may be -1.

    Raises ShapeError if the number of elements does not fit, or if the elements do not lie in memory so that the
    new shape could walk them in row-major order.
    """
    x = tensor_of(x)
    y = Reshape(_sizes(shape))(x)
    array = x.array
    # The base of a view is the array that it was cut from, or that array's own base; a copy has another.
    shares = (
        y.array is array or y.array.base is array or (array.base is not None and y.array.base is array.base)
    )
    if y.size and not shares:
        raise ShapeError(
            f"view: the elements of shape {x.shape} with strides {x.strides} cannot be walked as {y.shape} "
            "without moving them; use reshape(), which copies where it must, or contiguous().view(…)"
        )
    return y


def squeeze(x: Any, axis: Any = None) -> Tensor:
    """x without its axes of size 1, or without those in `axis` (an int or several): a view.

    Raises AxisError for an axis out of range, ShapeError for one whose size is not 1 (as NumPy; PyTorch would
    leave it).
    """
    x = tensor_of(x)
    if axis is None:
        return Reshape(tuple([size for size in x.shape if size != 1]))(x)
    gone = axes_of(axis, x.ndim, "squeeze")
    for one in gone:
        if x.shape[one] != 1:
            raise ShapeError(
                f"squeeze: axis {one} of shape {x.shape} has size {x.shape[one]}; only size 1 can go"
            )
    return Reshape(tuple([size for one, size in enumerate(x.shape) if one not in gone]))(x)


def expand_dims(x: Any, axis: Any) -> Tensor:
    """x with new axes of size 1 at the places `axis` (an int or several) of the result: a view.

    Raises AxisError for a place out of range or named twice.
    """
    x = tensor_of(x)
    several = axis if isinstance(axis, tuple | list) else (axis,)
    places = axes_of(several, x.ndim + len(several), "expand_dims")
    sizes = list(x.shape)
    for place in sorted(places):
        sizes.insert(place, 1)
    return Reshape(tuple(sizes))(x)


def unsqueeze(x: Any, axis: int) -> Tensor:
    """x with a new axis of size 1 at the place `axis`: a view. PyTorch's word for `expand_dims`."""
    x = tensor_of(x)
    shape = x.array.shape
    place = one_axis(axis, len(shape) + 1, "unsqueeze")
    return Reshape((*shape[:place], 1, *shape[place:]))(x)


def flatten(x: Any, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """The axes from `start_axis` to `end_axis` as one, in row-major order: a view where the memory allows it.

    `flatten(x, 1)` keeps the batch: (N, C, H, W) → (N, C·H·W). Shape () becomes (1,).

    Raises AxisError for an axis out of range, or an end before the start.
    """
    x = tensor_of(x)
    if start_axis == 0 and end_axis == -1:
        return Reshape((x.array.size,))(x)
    shape = x.array.shape or (1,)
    start = one_axis(start_axis, len(shape), "flatten")
    end = one_axis(end_axis, len(shape), "flatten")
    if end < start:
        raise AxisError(
            f"flatten: axis {end_axis} comes before axis {start_axis} in shape {shape}; swap them"
        )
    return Reshape((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))(x)


def ravel(x: Any) -> Tensor:
    """All elements along one axis, in row-major order: a view where the memory allows it."""
    return flatten(x)


def unflatten(x: Any, axis: int, sizes: tuple[int, ...]) -> Tensor:
    """One axis as several, in row-major order; one of `sizes` may be -1: a view where the memory allows it.

    Raises AxisError for an axis out of range, ShapeError if the sizes do not multiply to the axis's size.
    """
    x = tensor_of(x)
    axis = one_axis(axis, x.ndim, "unflatten")
    if not isinstance(sizes, tuple | list):
        raise ArgumentError(f"unflatten: sizes is a tuple, one size for each new axis, not {sizes!r}")
    sizes, size = tuple(sizes), x.shape[axis]
    known = math.prod(one for one in sizes if one != -1)
    if sizes.count(-1) == 1 and known and size % known == 0:
        sizes = tuple([size // known if one == -1 else one for one in sizes])
    if -1 in sizes or math.prod(sizes) != size:
        raise ShapeError(f"unflatten: sizes {sizes} do not make up axis {axis} of shape {x.shape}")
    return Reshape((*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))(x)


def broadcast_to(x: Any, shape: Any) -> Tensor:
    """x repeated to `shape` by the rules of broadcasting: a view that is read-only, since its elements repeat.

    Raises ShapeError where x does not broadcast to `shape`.
    """
    return BroadcastTo(shape)(x)


def broadcast_tensors(*xs: Any) -> tuple[Tensor, ...]:
    """All of them repeated to the shape that they have together: read-only views.

    Raises ShapeError where the shapes do not broadcast.
    """
    tensors = [tensor_of(x) for x in xs]
    try:
        shape = np.broadcast_shapes(*[x.shape for x in tensors])
    except ValueError as error:
        raise ShapeError(f"broadcast_tensors: {error}") from error
    return tuple([broadcast_to(x, shape) for x in tensors])


def expand(x: Any, *shape: Any) -> Tensor:
    """PyTorch's word for `broadcast_to`: ints or one tuple, -1 keeps the size that x has there. Read-only view.

    Raises ShapeError where x does not broadcast, or where -1 stands for an axis that x has not.
    """
    x = tensor_of(x)
    sizes = tuple(_sizes(shape))
    new = len(sizes) - x.ndim
    if -1 in sizes:
        if -1 in sizes[: max(new, 0)]:
            raise ShapeError(
                f"expand: -1 in {sizes} keeps the size of an axis, but shape {x.shape} has none there"
            )
        sizes = tuple([x.shape[axis - new] if size == -1 else size for axis, size in enumerate(sizes)])
    return BroadcastTo(sizes)(x)


def meshgrid(*xs: Any, indexing: str) -> tuple[Tensor, ...]:
    """For vectors x₀ of n₀ elements, x₁ of n₁, …: tensors of shape (n₀, n₁, …), the i-th of which is xᵢ along axis i.

    indexing "ij" is that (PyTorch's default), "xy" swaps the first two axes (NumPy's): say which. The results are
    read-only views.

    Raises ShapeError for what is no vector, ArgumentError for another indexing.
    """
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid: indexing is 'ij' or 'xy', not {indexing!r}")
    vectors = [tensor_of(x) for x in xs]
    for x in vectors:
        if x.ndim != 1:
            raise ShapeError(f"meshgrid: takes vectors, not a tensor of shape {x.shape}; flatten() it first")
    order = list(range(len(vectors)))
    if indexing == "xy":
        order[:2] = reversed(order[:2])
    whole = tuple([vectors[one].shape[0] for one in order])
    places = [[-1 if one == place else 1 for one in order] for place in range(len(vectors))]
    return tuple([broadcast_to(reshape(x, place), whole) for x, place in zip(vectors, places, strict=True)])


def _reshaped(x: Any, y: Tensor, what: str) -> Tensor:
    """x, showing what y shows."""
    if x.requires_grad:
        raise InPlaceError(
            f"{what}: this tensor of shape {x.shape} has a gradient of its shape to come; write y = x.{what[:-1]}(…)"
        )
    x.array = y.array
    return x  # type: ignore[no-any-return]


class ShapeMethods:
    """The shape operations as methods of a Tensor."""

    reshape = reshape
    view = view
    squeeze = squeeze
    unsqueeze = unsqueeze
    expand_dims = expand_dims
    flatten = flatten
    ravel = ravel
    unflatten = unflatten
    broadcast_to = broadcast_to
    expand = expand

    def squeeze_(self: Any, axis: Any = None) -> Tensor:
        """`squeeze` of this Tensor itself: another shape, the same memory.

        Raises InPlaceError where a gradient of its shape is to come.
        """
        return _reshaped(self, squeeze(self.detach(), axis), "squeeze_")

    def unsqueeze_(self: Any, axis: int) -> Tensor:
        """`unsqueeze` of this Tensor itself: another shape, the same memory. Raises as `squeeze_`."""
        return _reshaped(self, unsqueeze(self.detach(), axis), "unsqueeze_")

    def view_as(self: Any, other: Tensor) -> Tensor:
        """A view in the shape of `other`."""
        return view(self, tensor_of(other).shape)

    def reshape_as(self: Any, other: Tensor) -> Tensor:
        """The elements in the shape of `other`."""
        return reshape(self, tensor_of(other).shape)

    def expand_as(self: Any, other: Tensor) -> Tensor:
        """Broadcast to the shape of `other`."""
        return expand(self, tensor_of(other).shape)
