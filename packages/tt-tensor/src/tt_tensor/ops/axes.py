"""The order of the axes: transpose and its relatives. All are views: the same bytes, walked in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tt_tensor.errors import AxisError, ShapeError
from tt_tensor.function import Function
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.over_axes import axes_of, one_axis

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "AxisMethods",
    "Transpose",
    "matrix_transpose",
    "moveaxis",
    "movedim",
    "permute",
    "swapaxes",
    "swapdims",
    "transpose",
]


class Transpose(Function):
    """y[i_axes[0], i_axes[1], …] = x[i_0, i_1, …] (axes reversed without `axes`): dx = grad, put back in order."""

    def __init__(self, axes: Any = None) -> None:
        self.axes = axes

    def forward(self, x: Any) -> Any:
        if self.axes is None:
            return x.T
        try:
            return x.transpose(self.axes)
        except (ValueError, TypeError) as error:
            axes_of(self.axes, x.ndim, "transpose")  # says what is wrong with one of them
            raise AxisError(
                f"transpose: {self.axes} does not name each of the {x.ndim} axes of shape {x.shape} once; "
                "to swap two, use swapaxes(a, b)"
            ) from error

    def backward(self, grad: Any) -> Any:
        if self.axes is None:
            return grad.T
        back = [0] * grad.ndim
        for to, axis in enumerate(self.axes):
            back[axis] = to
        return grad.transpose(tuple(back))


def transpose(x: Any, *order: Any, axes: Any = None) -> Tensor:
    """x with its axes in another order, as a view.

    - `transpose(x)` reverses them (NumPy).
    - `transpose(x, (2, 0, 1))`, or three and more separate ints, permutes: axis i of the result is axis
      `order[i]` of x (NumPy).
    - `transpose(x, 0, 1)`: exactly two separate ints swap those two axes (PyTorch), whatever x.ndim is.

    NumPy reads two separate ints on a matrix as a permutation, in which `a.transpose(0, 1)` does nothing; here it
    transposes. A tuple always permutes.

    Raises AxisError for axes out of range, named twice, or not all named.
    """
    if len(order) == 2:
        return swapaxes(x, *order)
    if len(order) == 1:
        axes = order[0]
    elif order:
        axes = order
    if isinstance(axes, int):
        axes = (axes,)
    return Transpose(axes)(tensor_of(x))


def permute(x: Any, *axes: Any) -> Tensor:
    """Axis i of the result is axis `axes[i]` of x: a view. Takes ints or one tuple (PyTorch's word).

    Raises AxisError for axes out of range, named twice, or not all named.
    """
    return Transpose(axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes)(tensor_of(x))


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """x with two axes swapped: a view. Raises AxisError for an axis out of range."""
    x = tensor_of(x)
    ndim = x.array.ndim
    order = list(range(ndim))
    first, second = one_axis(axis1, ndim, "swapaxes"), one_axis(axis2, ndim, "swapaxes")
    order[first], order[second] = second, first
    return Transpose(tuple(order))(x)


def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """x with the axes `source` moved to the places `destination`, the others in their order: a view.

    Both are an int, or tuples of one length. Raises AxisError for axes out of range or named twice.
    """
    x = tensor_of(x)
    taken = axes_of(source, x.ndim, "moveaxis")
    places = axes_of(destination, x.ndim, "moveaxis")
    if len(taken) != len(places):
        raise AxisError(
            f"moveaxis: {len(taken)} source axes cannot go to {len(places)} destinations; name as many of each"
        )
    order = [axis for axis in range(x.ndim) if axis not in taken]
    for place, axis in sorted(zip(places, taken, strict=True)):
        order.insert(place, axis)
    return Transpose(tuple(order))(x)


def matrix_transpose(x: Any) -> Tensor:
    """The last two axes swapped, as `x.mT`: each matrix of a batch transposed, a view.

    Raises ShapeError for fewer than two axes.
    """
    x = tensor_of(x)
    order = list(range(x.array.ndim))
    if len(order) < 2:
        raise ShapeError(f"matrix_transpose: shape {x.shape} holds no matrix; it takes two axes or more")
    order[-2:] = order[-1], order[-2]
    return Transpose(tuple(order))(x)


swapdims, movedim = swapaxes, moveaxis


class AxisMethods:
    """The order of the axes as methods of a Tensor."""

    transpose = transpose
    permute = permute
    swapaxes = swapdims = swapaxes
    moveaxis = movedim = moveaxis

    def t(self) -> Tensor:
        """The transpose of a matrix (a vector or a number stays): a view. Raises ShapeError beyond two axes."""
        x = tensor_of(self)
        if x.ndim > 2:
            raise ShapeError(f"t: shape {x.shape} is no matrix; use mT, or transpose(a, b)")
        return Transpose()(x)

    @property
    def T(self) -> Tensor:  # noqa: N802
        """All axes reversed (NumPy's meaning): of a matrix, its transpose. A view."""
        return Transpose()(self)

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The last two axes swapped: each matrix of a batch transposed. A view."""
        return matrix_transpose(self)
