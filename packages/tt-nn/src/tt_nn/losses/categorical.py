"""Losses for one class out of many: minus the logarithm of the probability of what was true.

The classes are axis 1 of the prediction, (N, C) or (N, C, d₁, …), or axis 0 of a single one, (C,). The target is
either the class's index, of shape (N, d₁, …), or a probability for each class, of the prediction's shape (in
soft.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn.loss import Loss, check_reduction, constant
from tt_nn.losses import picked
from tt_nn.losses.rows import ClassRows, column
from tt_nn.losses.soft import SoftCrossEntropyFunction
from tt_nn.sums import over_classes
from tt_tensor import Function, as_tensor, log_softmax
from tt_tensor.errors import ArgumentError
from tt_tensor.kernels import table
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor import Tensor

__all__ = [
    "CrossEntropyFunction",
    "CrossEntropyLoss",
    "NLLFunction",
    "NLLLoss",
    "cross_entropy",
    "nll_loss",
]


class NLLFunction(ClassRows, Function):
    """-w xₜ of log-probabilities x at the target t: dxₜ = -w grad, 0 elsewhere."""

    def __init__(self, ignore_index: int = -100, reduction: str = "mean", weight: Any = None) -> None:
        super().__init__(ignore_index, reduction, weight)

    def forward(self, x: Any, target: Any) -> Any:
        self.look_at_both("nll_loss", x, target)
        self.kind = np.float32 if self.half else x.dtype
        return self.result(self.weighted(-self.flattened(x).reshape(-1)[self.at]))

    def backward(self, grad: Any) -> Any:
        grad = -self.shared(grad)
        if self.row_weight is not None:
            grad = grad * self.row_weight
        elif self.ignored is not None:
            grad = np.where(self.ignored, 0, grad)
        dx = np.zeros(self.flat, self.kind)
        dx.reshape(-1)[self.at] = grad
        return dx if dx.ndim == 2 and self.rows else dx.reshape(self.shape), None

    def composite(self, x: Any, target: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        self.look_at_both("nll_loss", x, raw(target))
        picked = (x.astype(np.float32) if self.half else x).reshape(-1)[self.at]
        if self.row_weight is not None:
            losses = np.where(self.row_weight == 0, 0.0, -picked) * self.row_weight
        else:
            losses = -picked if self.ignored is None else np.where(self.ignored, 0.0, -picked)
        return self.result(losses)


class CrossEntropyFunction(ClassRows, Function):
    """-w log pₜ with p = softmax(x): dx = w (p - onehot(t)) grad.

    With label smoothing ε over C classes: -(1 - ε) wₜ log pₜ - ε/C Σ_c w_c log p_c,
    dx = ((1 - ε) wₜ (p - onehot(t)) + ε/C (p Σ_c w_c - w)) grad.
    """

    def __init__(
        self,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        weight: Any = None,
    ) -> None:
        super().__init__(ignore_index, reduction, weight)
        self.label_smoothing = label_smoothing

    def forward(self, x: Any, target: Any) -> Any:
        self.look_at_both("cross_entropy", x, target)
        x = self.flattened(x)
        # p is e · inverse; e is kept, and no pass is spent on the product.
        if not self.label_smoothing:
            losses, self.e, self.inverse = table.kernel("cross_entropy")(x, self.at)
            losses = self.weighted(losses)
        else:
            spread = np.empty(self.at.shape, x.dtype)

            def see(here: slice, inverse: Any, top: Any) -> None:
                spread[here] = self.spread(x[here], inverse, top)

            losses, self.e, self.inverse = picked.in_blocks(x, self.at, see)
            if self.ignored is not None:
                spread[self.ignored] = 0
            losses = self.weighted(losses)
            losses = (losses * (1 - self.label_smoothing) if self.label_smoothing < 1 else 0) + spread
        self.dead = self.ignored
        if not self.inverse.all():
            lost = self.inverse == 0
            self.dead = lost if self.dead is None else self.dead | lost
        if self.dead is not None:
            # No gradient goes through; not even NaN times 0.
            np.moveaxis(self.e, 1, -1)[self.dead] = 0
            self.inverse[self.dead] = 0
        return self.result(losses)

    def spread(self, x: Any, inverse: Any, top: Any) -> Any:
        """-ε/C Σ_c w_c log p_c; a class of weight 0 costs nothing, even if it is masked."""
        log_total = -np.log(np.where(inverse == 0, 1, inverse))
        with np.errstate(invalid="ignore"):
            log_p = x - column(log_total) if top is None else x - top - column(log_total)
        if self.w is not None:
            w = self.along(self.w)
            with np.errstate(invalid="ignore"):
                log_p = np.where(w == 0, 0, log_p * w)
        return over_classes(log_p) * (-self.label_smoothing / self.flat[1])

    def backward(self, grad: Any) -> Any:
        grad = self.shared(grad)
        if self.dead is not None:
            grad = np.where(self.dead, 0, grad)
        smoothing, classes = self.label_smoothing, self.flat[1]
        onto = grad if self.row_weight is None else grad * self.row_weight
        if not smoothing:
            dx = table.kernel("cross_entropy_backward")(self.e, self.inverse, self.at, onto)
        else:
            total = classes if self.w is None else float(np.add.reduce(self.w))
            even = grad * (smoothing / classes)
            onto = onto * (1 - smoothing)
            dx = self.e * column(self.inverse * (onto + even * total))
            even = column(even) if even.ndim else even
            dx -= even if self.w is None else even * self.along(self.w)
            dx.reshape(-1)[self.at] -= onto
        return dx if dx.ndim == 2 and self.rows else dx.reshape(self.shape), None

    def composite(self, x: Any, target: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        self.look_at_both("cross_entropy", x, raw(target))
        log_p = log_softmax((x.astype(np.float32) if self.half else x).reshape(self.flat), axis=1)
        nll = NLLFunction(self.ignore_index, "none", self.w).composite(
            log_p, raw(target).reshape(self.flat[:1] + self.flat[2:])
        )
        if not self.label_smoothing:
            return self.result(nll)
        costs = log_p
        if self.w is not None:
            w = self.along(self.w)
            costs = np.where(np.broadcast_to(w == 0, self.flat), 0.0, log_p) * w
        spread = np.add.reduce(costs, axis=1) * (-self.label_smoothing / self.flat[1])
        if self.ignored is not None:
            spread = np.where(self.ignored, 0.0, spread)
        return self.result((nll * (1 - self.label_smoothing) if self.label_smoothing < 1 else 0) + spread)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target], for logits of any size.

    Args:
        input: logits (C,), (N, C) or (N, C, d₁, …); -inf masks a class.
        target: class indices () or (N,) or (N, d₁, …), integers; or probabilities of input's shape.
        weight: (C,) what each class counts, a constant; the mean over indices divides by the sum of the targets'
            weights, the mean over probabilities by the number of rows.
        ignore_index: an index that adds nothing and does not count in the mean.
        reduction: "mean", "sum", or "none" for a loss for each row.
        label_smoothing: ε, the part of the target that is spread over all classes.

    Where PyTorch gives NaN: if all targets are ignored (or weigh 0) the loss is 0; a row of nothing but -inf has
    an infinite loss; neither sends a gradient back. What counts 0 (an ignored row, a class of weight 0, a
    probability of 0) costs 0 even where it is masked. As in PyTorch, a masked class that does count makes the
    loss inf: the target itself, and with label smoothing any; the gradient stays finite.

    Raises ShapeError where shapes do not fit, DTypeError for indices that are no integers, IndexingError for an
    index out of range, GradientError for a weight that requires a gradient, ArgumentError for other options.
    Source of label smoothing: Szegedy et al., 2015, arXiv:1512.00567.
    """
    weight = constant("cross_entropy", "weight", weight)
    options = (
        _check_index(ignore_index),
        _check_smoothing(label_smoothing),
        check_reduction(reduction),
        weight,
    )
    input, target = as_tensor(input), as_tensor(target)
    return _cross_entropy(input, target, *options)(input, target)


def nll_loss(
    input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-input[target] for log-probabilities: cross entropy after a log_softmax of your own. All else as there."""
    weight = raw(constant("nll_loss", "weight", weight))
    function = NLLFunction(_check_index(ignore_index), check_reduction(reduction), weight)
    return function(as_tensor(input), as_tensor(target))


def _cross_entropy(
    input: Tensor, target: Tensor, ignore_index: int, smoothing: float, reduction: str, weight: Tensor | None
) -> Function:
    values = target.array
    w = None if weight is None else weight.array
    if values.dtype.kind != "f" or values.shape != input.array.shape:
        return CrossEntropyFunction(ignore_index, smoothing, reduction, w)
    if ignore_index >= 0:
        raise ArgumentError(
            f"cross_entropy: ignore_index = {ignore_index} names a class index, but the target holds probabilities; "
            "leave it out, or pass indices"
        )
    return SoftCrossEntropyFunction(smoothing, reduction, w)


def _check_smoothing(value: Any) -> float:
    if not isinstance(value, int | float | np.floating) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ArgumentError(f"cross_entropy: label_smoothing must be from 0 to 1, not {value!r}")
    return float(value)


def _check_index(value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise ArgumentError(f"ignore_index must be an integer, not {value!r}")
    return int(value)


class NLLLoss(Loss):
    """Negative log-likelihood of class indices: see `functional.nll_loss`."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.ignore_index = _check_index(ignore_index)
        self.register_buffer("weight", constant("NLLLoss", "weight", weight))

    def forward(self, input: Any, target: Any) -> Tensor:
        function = NLLFunction(self.ignore_index, self.reduction, raw(self.weight))
        return self.compute(function, as_tensor(input), as_tensor(target))


class CrossEntropyLoss(Loss):
    """Cross entropy of logits with class indices or probabilities: see `functional.cross_entropy`."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.ignore_index, self.label_smoothing = (
            _check_index(ignore_index),
            _check_smoothing(label_smoothing),
        )
        self.register_buffer("weight", constant("CrossEntropyLoss", "weight", weight))

    def forward(self, input: Any, target: Any) -> Tensor:
        input, target = as_tensor(input), as_tensor(target)
        function = _cross_entropy(
            input, target, self.ignore_index, self.label_smoothing, self.reduction, self.weight
        )
        return self.compute(function, input, target)
