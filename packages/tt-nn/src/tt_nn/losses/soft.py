"""Cross entropy where the target is a probability for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn.losses.rows import Rows, column, exponentials
from tt_nn.sums import over_classes
from tt_tensor import Function, log_softmax
from tt_tensor.errors import ShapeError
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor import Tensor

__all__ = ["SoftCrossEntropyFunction"]


class SoftCrossEntropyFunction(Rows, Function):
    """-Σ_c w_c t_c log p_c with p = softmax(x), t a probability for each class: dx = (p Σ_c w_c t_c - w t) grad.

    With label smoothing ε, t is (1 - ε) t + ε/C. dt_c = -(1 - ε) w_c log p_c grad. The mean is over the rows.
    """

    def __init__(self, label_smoothing: float = 0.0, reduction: str = "mean", weight: Any = None) -> None:
        super().__init__(reduction, weight)
        self.label_smoothing = label_smoothing

    def forward(self, x: Any, target: Any) -> Any:
        self.look_at_both(x, target)
        x = self.flattened(x)
        self.t = self.expected(target.reshape(self.flat).astype(x.dtype, copy=False))
        self.e, total, top = exponentials(x)
        self.masked = None
        if top is None:
            log_p = x - column(np.log(total))
        else:
            self.masked = total == 0
            total[self.masked] = 1
            # In this order: at 1e4, the sum of the two would have lost the digits of the second.
            with np.errstate(invalid="ignore"):
                log_p = x - top
                log_p -= column(np.log(total))
            self.masked = self.masked if self.masked.any() else None
        self.inverse, self.log_p = np.reciprocal(total), log_p
        return self.result(0 - over_classes(self.costs(log_p, top is None)))

    def look_at_both(self, x: Any, target: Any) -> None:
        self.look_at("cross_entropy", x)
        if target.shape != x.shape:
            raise ShapeError(
                f"cross_entropy: probabilities have the shape of the prediction, {x.shape}, not {target.shape}"
            )

    def expected(self, t: Any) -> Any:
        """The targets as they count: smoothed, and weighted."""
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + self.label_smoothing / self.flat[1]
        return t if self.w is None else t * self.along(self.w)

    def costs(self, log_p: Any, finite: bool) -> Any:
        """t log p; a class that is given no probability costs nothing: 0 · log 0 is 0."""
        if finite:
            return self.t * log_p
        with np.errstate(invalid="ignore"):
            return np.where(self.t == 0, 0, self.t * log_p)

    def backward(self, grad: Any) -> Any:
        grad = self.shared(grad)
        live = grad if self.masked is None else np.where(self.masked, 0, grad)
        dx = self.e * column(self.inverse * over_classes(self.t) * live)
        dx -= self.t * (column(live) if live.ndim else live)
        if not self.wants(1):
            return dx.reshape(self.shape), None
        grad = grad * (self.label_smoothing - 1)
        dt = self.log_p * (column(grad) if grad.ndim else grad)
        dt = dt if self.w is None else dt * self.along(self.w)
        return dx.reshape(self.shape), dt.reshape(self.shape)

    def composite(self, x: Any, target: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        self.look_at_both(x, target)
        kind = np.dtype(np.float32) if self.half else x.dtype
        t = self.expected(target.reshape(self.flat).astype(kind))
        log_p = log_softmax(x.reshape(self.flat).astype(kind), axis=1)
        losses = -np.add.reduce(t * np.where(raw(t) == 0, 0.0, log_p), axis=1)
        return self.result(losses)
