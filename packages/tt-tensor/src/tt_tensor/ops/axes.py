"""The order of the axes: transpose and its relatives. All are views: the same bytes, walked in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tt_tensor.errors import AxisError, ShapeError
from tt_tensor.function import Function
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.reductions import axes_of

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["AxisMethods", "Transpose", "matrix_transpose", "moveaxis", "permute", "swapaxes", "transpose"]


class Transpose(Function):
    """y[i_axes[0], i_axes[1], …] = x[i_0, i_1, …] (axes reversed without `axes`): dx = grad, put back in order."""

    def __init__(self, axes: Any = None) -> None:
        self.axes = axes

    def forward(self, x: Any) -> Any:
        if self.axes is None:
            return x.T
        axes = axes_of(self.axes, x.ndim, "transpose")
        if len(axes) != x.ndim:
            raise AxisError(
                f"transpose: {len(axes)} axes were named for a tensor of shape {x.shape}; name each of its {x.ndim} "
                "once, or use swapaxes(a, b) for two of them"
            )
        back = [0] * len(axes)
        for to, axis in enumerate(axes):
            back[axis] = to
        self.back = tuple(back)
        return x.transpose(axes)

    def backward(self, grad: Any) -> Any:
        return grad.T if self.axes is None else grad.transpose(self.back)


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
    return Transpose(axes)(tensor_of(x))


def permute(x: Any, *axes: Any) -> Tensor:
    """Axis i of the result is axis `axes[i]` of x: a view. Takes ints or one tuple (PyTorch's word).

    Raises AxisError for axes out of range, named twice, or not all named.
    """
    return Transpose(axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes)(tensor_of(x))


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """x with two axes swapped: a view. Raises AxisError for an axis out of range."""
    x = tensor_of(x)
    (first,) = axes_of((axis1,), x.ndim, "swapaxes")
    (second,) = axes_of((axis2,), x.ndim, "swapaxes")
    order = list(range(x.ndim))
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
    ndim = x.ndim
    if ndim < 2:
        raise ShapeError(f"matrix_transpose: shape {x.shape} holds no matrix; it takes two axes or more")
    return Transpose((*range(ndim - 2), ndim - 1, ndim - 2))(x)


class AxisMethods:
    """The order of the axes as methods of a Tensor."""

    transpose = transpose
    permute = permute
    swapaxes = swapdims = swapaxes
    moveaxis = movedim = moveaxis

    @property
    def T(self) -> Tensor:  # noqa: N802
        """All axes reversed (NumPy's meaning): of a matrix, its transpose. A view."""
        return Transpose()(self)

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The last two axes swapped: each matrix of a batch transposed. A view."""
        return matrix_transpose(self)
