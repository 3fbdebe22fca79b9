"""Matrix products, norms and diagonals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.function import Function
from tt_tensor.kernels.matmul import product
from tt_tensor.kernels.reductions import reduce
from tt_tensor.ops.arithmetic import add, mul
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.einsum import einsum
from tt_tensor.ops.indexing import PutAt
from tt_tensor.ops.over_axes import Axes, OverAxes, axes_of, wide
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "LinalgMethods",
    "MatMul",
    "Norm",
    "addmm",
    "bmm",
    "cdist",
    "diag",
    "diagonal",
    "dot",
    "matmul",
    "mm",
    "mv",
    "norm",
    "outer",
    "trace",
]


class MatMul(Function):
    """z = x y, over the last two axes: dx = grad yᵀ, dy = xᵀ grad. A vector is a row on the left, a column
    on the right."""

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return product(x, y)

    def backward(self, grad: Any) -> Any:
        x, y = self.x, self.y
        if x.ndim == y.ndim == 2:
            return (
                product(grad, y.T) if self.wants(0) else None,
                product(x.T, grad) if self.wants(1) else None,
            )
        if x.ndim == 1:
            x, grad = np.expand_dims(x, 0), np.expand_dims(grad, -1 if y.ndim == 1 else -2)
        if y.ndim == 1:
            y, grad = np.expand_dims(y, 1), np.expand_dims(grad, -1)
        dx = dy = None
        if self.wants(0):
            dx = product(grad, np.swapaxes(y, -1, -2))
            if self.x.ndim == 1:
                dx = dx[..., 0, :]
        if self.wants(1):
            if y.ndim == 2 and x.ndim > 2:
                # One product over all rows of the batch; no gradient for each matrix, to be summed after.
                inner, columns = y.shape
                rows = math.prod(x.shape[:-1])  # -1 would not do where a size is 0
                dy = product(np.swapaxes(x.reshape((rows, inner)), 0, 1), grad.reshape((rows, columns)))
            else:
                dy = product(np.swapaxes(x, -1, -2), grad)
            if self.y.ndim == 1:
                dy = dy[..., 0]
        return dx, dy


class Norm(OverAxes, Function):
    """y = (Σ |x|ᵖ)^(1/p) over `axis`: dx = grad · sign(x) (|x| / y)^(p-1), and 0 where y is 0."""

    def __init__(self, order: float = 2.0, axis: Axes = None, keepdims: bool = False) -> None:
        super().__init__(axis, keepdims)
        self.order = order

    def forward(self, x: Any) -> Any:
        self.look_at(x)
        half = x.dtype == np.float16
        self.x = x = wide(x)
        if self.order == 1:
            y = reduce(np.add, np.abs(x), self.axes, self.keepdims)
        else:
            powers = x * x if self.order == 2 else np.abs(x) ** self.order
            total = reduce(np.add, powers, self.axes, self.keepdims)
            # The root has no slope at 0: there it is taken of 1, which sends nothing back.
            zero = raw(total) == 0
            safe = np.where(zero, 1.0, total) if zero.any() else total
            y = np.sqrt(safe) if self.order == 2 else safe ** (1.0 / self.order)
            y = np.where(zero, 0.0, y) if zero.any() else y
        self.y = y
        return y.astype(np.float16) if half else y

    def backward(self, grad: Any) -> Any:
        x, grad = self.x, self.aligned(grad)
        sign = np.sign(raw(x))
        if self.order == 1:
            return grad * sign
        y = self.aligned(self.y)
        zero = raw(y) == 0
        if zero.any():
            y = np.where(zero, 1.0, y)
        if self.order == 2:
            return grad * (x / y)
        # |x|^(p-1) has no finite slope at 0 for p < 2: take it where x is not 0, and 0 elsewhere.
        none = sign == 0
        size = np.abs(np.where(none, 1.0, x)) / y
        return grad * np.where(none, 0.0, sign * size ** (self.order - 1.0))


def matmul(x: Any, y: Any) -> Tensor:
    """x @ y: out[…, i, j] = Σ_k x[…, i, k] · y[…, k, j].

    Shapes: (…, n, k) @ (…, k, m) → (…, n, m), the leading axes broadcast; a vector on the left is a row, on
    the right a column, and its axis is missing in the result: (k) @ (k) → ().

    Raises ShapeError where the shapes do not fit, or one is a single number.
    """
    return MatMul()(x, y)


def mm(x: Any, y: Any) -> Tensor:
    """The product of two matrices and of nothing else: PyTorch's word. Raises ShapeError as `matmul`."""
    return _of_rank(2, "mm", x, y)


def bmm(x: Any, y: Any) -> Tensor:
    """The products of the matrices of two batches, (b, n, k) with (b, k, m): PyTorch's word. Raises as `matmul`."""
    return _of_rank(3, "bmm", x, y)


def mv(x: Any, y: Any) -> Tensor:
    """The product of a matrix and a vector and of nothing else: PyTorch's word. Raises ShapeError as `matmul`."""
    if np.ndim(raw(x)) != 2 or np.ndim(raw(y)) != 1:
        raise ShapeError(
            f"mv: takes a matrix and a vector, not shapes {np.shape(raw(x))} and {np.shape(raw(y))}"
        )
    return MatMul()(x, y)


def addmm(x: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta · x + alpha · a @ b, where x broadcasts to the product: PyTorch's word. Raises ShapeError as `mm`."""
    return add(x if beta == 1 else mul(x, beta), mm(a, b), alpha=alpha)


def cdist(x: Any, y: Any, p: float = 2) -> Tensor:
    """out[…, i, j] = ‖xᵢ - y_j‖, the `norm` of order p: how far each row of x is from each row of y.

    (…, n, d) and (…, m, d) give (…, n, m), by way of all n · m differences. The gradient of a distance 0 is 0.

    Raises ShapeError where the shapes do not fit, ArgumentError unless p > 0.
    """
    x, y = tensor_of(x), tensor_of(y)
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            f"cdist: takes rows of one length, (…, n, d) and (…, m, d), not {x.shape} and {y.shape}"
        )
    return norm(x[..., :, None, :] - y[..., None, :, :], p, axis=-1)


def _of_rank(rank: int, what: str, x: Any, y: Any) -> Tensor:
    shapes = np.shape(raw(x)), np.shape(raw(y))
    if not len(shapes[0]) == len(shapes[1]) == rank or shapes[0][:-2] != shapes[1][:-2]:
        kind = "two matrices" if rank == 2 else "two batches of as many matrices"
        raise ShapeError(f"{what}: takes {kind}, not shapes {shapes[0]} and {shapes[1]}; matmul() broadcasts")
    return MatMul()(x, y)


def dot(x: Any, y: Any) -> Tensor:
    """The product of two vectors, Σ_k x_k y_k, or of matrices; a single number multiplies. As np.dot, up to rank 2.

    Raises ShapeError where the shapes do not fit, and where np.dot would pair every matrix of `x` with every
    one of `y`: say tensordot or einsum for that, matmul for batches.
    """
    ranks = np.ndim(raw(x)), np.ndim(raw(y))
    if 0 in ranks:
        from tt_tensor.ops.arithmetic import mul

        return mul(x, y)
    if ranks[0] > 1 and ranks[1] > 2:
        raise ShapeError(
            f"dot: shapes {np.shape(raw(x))} and {np.shape(raw(y))}: beyond matrices np.dot pairs all with all; "
            "use matmul for batches, tensordot or einsum to say which axes are summed"
        )
    return MatMul()(x, y)


def outer(x: Any, y: Any) -> Tensor:
    """out[i, j] = xᵢ · y_j, of shape (x.size, y.size); inputs of other ranks are read in row-major order."""
    from tt_tensor.tensor import as_tensor

    return as_tensor(x).reshape((-1, 1)) * as_tensor(y).reshape((1, -1))  # type: ignore[no-any-return]


def norm(x: Any, ord: float = 2, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over `axis` (all axes by default), p = `ord`: 2 Euclid, 1 sum, inf the largest |x|.

    A vector norm whatever the axes, as np.linalg.vector_norm; of a matrix with axis=None it is Frobenius'.
    The gradient at 0 is 0, as in PyTorch. Floats keep their dtype.

    Raises ArgumentError unless p > 0, AxisError for an axis out of range or named twice, ShapeError for the
    largest of nothing.
    """
    if isinstance(ord, bool) or not isinstance(ord, int | float | np.integer | np.floating) or not ord > 0:
        raise ArgumentError(f"norm: ord is a number above 0 (1, 2, inf …), not {ord!r}")
    if ord == math.inf:
        from tt_tensor.ops.reductions import max as largest
        from tt_tensor.tensor import as_tensor

        x = as_tensor(x)
        return largest(abs(x), axes_of(axis, x.ndim, "norm"), keepdims)
    return Norm(float(ord), axis, keepdims)(x)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """out[…, i] = x[…, i, …, i + offset, …]: the diagonal of two axes, which becomes the last axis.

    `offset` > 0 starts to the right of the corner, < 0 below it.

    Raises ShapeError for fewer than two axes, AxisError for axes out of range or the same twice.
    """
    from tt_tensor.tensor import as_tensor

    x = as_tensor(x)
    if x.ndim < 2:
        raise ShapeError(f"diagonal: a tensor of shape {x.shape} has no two axes")
    if not isinstance(offset, int | np.integer):
        raise DTypeError(f"diagonal: offset is an integer, not {offset!r}")
    rows, columns = axes_of((axis1, axis2), x.ndim, "diagonal")
    down, right = max(-offset, 0), max(offset, 0)
    length = max(min(x.shape[rows] - down, x.shape[columns] - right), 0)
    square = [slice(None)] * x.ndim
    square[rows], square[columns] = slice(down, down + length), slice(right, right + length)
    letters = [chr(ord("a") + 2 + axis) for axis in range(x.ndim)]
    letters[rows] = letters[columns] = "a"
    rest = "".join(letter for letter in letters if letter != "a")
    return einsum(f"{''.join(letters)}->{rest}a", x[tuple(square)])


def diag(x: Any, k: int = 0) -> Tensor:
    """The matrix with the vector `x` on its k-th diagonal and 0 elsewhere; of a matrix, its k-th diagonal.

    Raises ShapeError for other ranks.
    """
    x = tensor_of(x)
    if x.ndim != 1:
        if x.ndim == 2:
            return diagonal(x, k)
        raise ShapeError(f"diag: takes a vector or a matrix, not a tensor of shape {x.shape}; see diagonal()")
    if not isinstance(k, int | np.integer):
        raise DTypeError(f"diag: k is an integer, not {k!r}")
    n, places = len(x) + int(np.abs(k)), np.arange(len(x))
    return PutAt((places + max(-k, 0), places + max(k, 0)), (n, n))(x)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Σᵢ x[…, i, …, i + offset, …]: the sum of a diagonal. Arguments and errors as for `diagonal`."""
    return diagonal(x, offset, axis1, axis2).sum(axis=-1)


class LinalgMethods:
    """Matrix products and what belongs to them, as operators and methods of a Tensor."""

    def __matmul__(self, other: Any) -> Tensor:
        return MatMul()(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return MatMul()(other, self)

    def __imatmul__(self, other: Any) -> Tensor:
        return MatMul().in_place(self, other)  # type: ignore[arg-type]

    matmul = matmul
    mm = mm
    bmm = bmm
    mv = mv
    addmm = addmm
    dot = dot
    outer = outer
    norm = norm
    diag = diag
    diagonal = diagonal
    trace = trace
