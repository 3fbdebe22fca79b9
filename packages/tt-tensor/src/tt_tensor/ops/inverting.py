"""Matrices, inverted: inverse, solve, det, and their rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.function import Function
from tt_tensor.ops.over_axes import wide
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["Det", "Inverse", "InvertingMethods", "Solve", "det", "inverse", "solve"]


class Inverse(Function):
    """y = x⁻¹, over the last two axes: dx = -yᵀ grad yᵀ."""

    def forward(self, x: Any) -> Any:
        _check_square(x, "inverse")
        self.y = (
            Inverse()(x)
            if hasattr(x, "requires_grad")
            else _narrowed(_done("inverse", np.linalg.inv, wide(x)), x)
        )
        return self.y

    def backward(self, grad: Any) -> Any:
        turned = np.swapaxes(self.y, -1, -2)
        return -np.matmul(np.matmul(turned, grad), turned)


class Solve(Function):
    """y with a y = b, over the last two axes: db = a⁻ᵀ grad, da = -db yᵀ."""

    def forward(self, a: Any, b: Any) -> Any:
        _check_square(a, "solve")
        if b.ndim < 2 or b.shape[-2] != a.shape[-1]:
            raise ShapeError(f"solve: a is (…, n, n) and b (…, n, k), not {a.shape} and {b.shape}")
        self.a = a
        if hasattr(a, "requires_grad") or hasattr(b, "requires_grad"):
            self.y: Any = Solve()(a, b)
        else:
            kind = np.result_type(a, b)
            self.y = _done("solve", np.linalg.solve, wide(a), wide(b))
            if kind == np.float16:
                self.y = self.y.astype(kind)
        return self.y

    def backward(self, grad: Any) -> Any:
        turned = np.swapaxes(self.a, -1, -2)
        on_tensors = hasattr(turned, "requires_grad") or hasattr(grad, "requires_grad")
        db = Solve()(turned, grad) if on_tensors else Solve().forward(turned, grad)
        return -np.matmul(db, np.swapaxes(self.y, -1, -2)), db


class Det(Function):
    """y = det x, over the last two axes: dx = grad y x⁻ᵀ, by cofactors where x is singular."""

    def forward(self, x: Any) -> Any:
        _check_square(x, "det")
        self.x = x
        self.y = Det()(x) if hasattr(x, "requires_grad") else _narrowed(np.linalg.det(wide(x)), x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad[..., None, None] * _cofactors(wide(self.x))

    @staticmethod
    def composite(x: Any) -> Tensor:
        """Laplace's expansion along the first row, for higher orders: n! products, so for small matrices."""
        return _expanded(x)  # type: ignore[no-any-return]


def _cofactors(x: Any) -> Any:
    """c with c[i, j] = (-1)^(i+j) times the determinant without row i and column j: ∂det/∂x, for any x.

    From x = u s vᵀ: det(u) det(v) u c′ vᵀ, c′ diagonal, of the products of all singular values but one.
    """
    n = x.shape[-1]
    u, s, vt = np.linalg.svd(x)
    others = np.where(np.eye(n, dtype=bool), np.ones((), x.dtype), s[..., None, :]).prod(axis=-1)
    sign = np.linalg.det(u) * np.linalg.det(vt)
    return np.matmul(u * (others * sign[..., None])[..., None, :], vt)


def _expanded(x: Any) -> Any:
    n = x.shape[-1]
    if n == 0:
        return x.sum(axis=(-1, -2)) + 1
    if n == 1:
        return x[..., 0, 0]
    total = None
    for j in range(n):
        rest = [k for k in range(n) if k != j]
        term = x[..., 0, j] * _expanded(x[..., 1:, rest])
        term = -term if j % 2 else term
        total = term if total is None else total + term
    return total


def _check_square(x: Any, what: str) -> None:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{what}: a square matrix is wanted, (…, n, n), not {x.shape}")


def _narrowed(y: Any, x: Any) -> Any:
    return np.asarray(y).astype(np.float16) if raw(x).dtype == np.float16 else np.asarray(y)


def _done(what: str, function: Callable[..., Any], *arrays: Any) -> Any:
    try:
        return function(*arrays)
    except np.linalg.LinAlgError as error:
        raise ArgumentError(
            f"{what}: a matrix is singular, so it has no inverse; det() of it is 0"
        ) from error


def inverse(x: Any) -> Tensor:
    """x⁻¹ with x x⁻¹ = 1, of each matrix (…, n, n); integers give float64.

    To solve a y = b, `solve(a, b)` is quicker and loses fewer digits.

    Raises ShapeError for what is not square, ArgumentError for a singular matrix.
    """
    return Inverse()(x)


def solve(a: Any, b: Any) -> Tensor:
    """y with a y = b, for a (…, n, n) and b (…, n, k), or (n,): the shape of b.

    Raises ShapeError where shapes do not fit, ArgumentError for a singular matrix.
    """
    from tt_tensor.tensor import as_tensor

    right = as_tensor(b)
    if right.ndim == 1:
        return Solve()(a, right.reshape((-1, 1))).squeeze(-1)  # type: ignore[no-any-return]
    return Solve()(a, right)


def det(x: Any) -> Tensor:
    """The determinant of each matrix (…, n, n): by how much it stretches volumes; integers give float64.

    Raises ShapeError for what is not square.
    """
    return Det()(x)


class InvertingMethods:
    """Methods of a Tensor."""

    inverse = inverse
    det = det
