"""Losses for one class out of many: minus the logarithm of the probability of what was true.

The classes are axis 1 of the prediction, (N, C) or (N, C, d₁, …), or axis 0 of a single one, (C,). The target is
either the class's index, of shape (N, d₁, …), or a probability for each class, of the prediction's shape.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from tt_tensor import Function, Tensor, as_tensor, log_softmax
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.ops.reductions import raw

from tt_nn.loss import Loss, check_reduction

if TYPE_CHECKING:
    from tt_tensor import Tensor as TensorType

__all__ = [
    "CrossEntropyFunction",
    "CrossEntropyLoss",
    "NLLFunction",
    "NLLLoss",
    "SoftCrossEntropyFunction",
    "cross_entropy",
    "nll_loss",
]


class _Rows:
    """What losses with class indices share: rows of classes, the weight of each row, the reduction.

    A row's weight is its class's weight, and 0 where the target is `ignore_index`; the mean divides by the sum of
    the weights. Where every row is ignored the mean is 0, and so is its gradient.
    """

    def __init__(self, ignore_index: int = -100, label_smoothing: float = 0.0, reduction: str = "mean") -> None:
        self.ignore_index, self.label_smoothing, self.reduction = ignore_index, label_smoothing, reduction

    def look_at(self, what: str, x: Any, target: Any, weight: Any) -> None:
        """Check the shapes; note the targets as indices, and each row's weight (None: all 1)."""
        self.axis = class_axis(what, x)
        rows = x.shape[: self.axis] + x.shape[self.axis + 1 :]
        if target.shape != rows:
            raise ShapeError(
                f"{what}: a prediction of shape {x.shape} has its classes on axis {self.axis}, so class indices have "
                f"shape {rows}, not {target.shape}"
            )
        check_weight(what, weight, x.shape[self.axis])
        self.index, self.row_weight = checked_index(what, target, x.shape[self.axis], self.ignore_index)
        if weight is not None:
            own = np.take(raw(weight), self.index)
            self.row_weight = own if self.row_weight is None else own * self.row_weight
        if self.row_weight is not None:
            self.row_weight = self.row_weight.astype(x.dtype)

    def reduced(self, losses: Any) -> Any:
        """The rows' losses (weighted by now), reduced."""
        if self.reduction == "none":
            return losses
        total = np.add.reduce(losses, axis=None)
        return total if self.reduction == "sum" else total * self.share()

    def share(self) -> float:
        """What a row of weight 1 counts for in the result."""
        if self.reduction != "mean":
            return 1.0
        if self.row_weight is None:
            return 1.0 / self.index.size if self.index.size else math.nan
        total = float(np.add.reduce(self.row_weight, axis=None, dtype=np.float64))
        return 1.0 / total if total else 0.0

    def at_target(self, x: Any) -> Any:
        """x at the target's class, row by row."""
        index = np.expand_dims(self.index, self.axis)
        return np.squeeze(np.take_along_axis(x, index, self.axis), self.axis)


class NLLFunction(_Rows, Function):
    """-w xₜ of log-probabilities x at the target t: dxₜ = -w grad, 0 elsewhere."""

    def forward(self, x: Any, target: Any, weight: Any = None) -> Any:
        self.look_at("nll_loss", x, raw(target), weight)
        self.shape, self.kind = x.shape, x.dtype
        losses = -self.at_target(x)
        if self.row_weight is not None:
            # Where and not times: an ignored -inf is 0, not NaN.
            losses = np.where(self.row_weight == 0, 0, losses) * self.row_weight
        return self.reduced(losses)

    def backward(self, grad: Any) -> Any:
        grad = grad * -self.share()
        if self.row_weight is not None:
            grad = grad * self.row_weight
        # One-hot times the rows' gradients, so that it also holds for Tensors.
        classes = np.arange(self.shape[self.axis]).reshape(-1, *(1,) * (len(self.shape) - self.axis - 1))
        chosen = (np.expand_dims(self.index, self.axis) == classes).astype(self.kind)
        rows = np.broadcast_to(grad, self.index.shape)
        return (np.expand_dims(rows, self.axis) * chosen,) + (None,) * (len(self.inputs) - 1)


class CrossEntropyFunction(_Rows, Function):
    """-w log pₜ with p = softmax(x): dx = w (p - onehot(t)) grad.

    With label smoothing ε over C classes: -(1 - ε) wₜ log pₜ - ε/C Σ_c w_c log p_c.
    """

    def forward(self, x: Any, target: Any, weight: Any = None) -> Any:
        self.look_at("cross_entropy", x, raw(target), weight)
        self.weight = None if weight is None else along(raw(weight), self.axis, x.ndim)
        p, log_p, masked = probabilities(x, self.axis)
        self.p, self.masked = p, masked
        losses = -self.at_target(log_p)
        if self.row_weight is not None:
            losses = np.where(self.row_weight == 0, 0, losses) * self.row_weight
        if self.label_smoothing:
            spread = log_p if self.weight is None else log_p * self.weight
            spread = np.add.reduce(spread, axis=self.axis) * (-self.label_smoothing / x.shape[self.axis])
            if self.row_weight is not None:
                spread = np.where(self.row_weight == 0, 0, spread)
            losses = losses * (1 - self.label_smoothing) + spread
        return self.reduced(losses)

    def backward(self, grad: Any) -> Any:
        grad = np.asarray(grad * self.share())
        kept = 1 - self.label_smoothing
        rows = grad if self.row_weight is None else grad * self.row_weight
        if self.masked is not None:
            rows = np.where(self.masked, 0, rows)
        dx: Any = self.p * np.expand_dims(rows * kept, self.axis) if rows.ndim else self.p * (rows * kept)
        flat = np.moveaxis(dx, self.axis, -1)
        at = (*np.indices(self.index.shape, sparse=True), self.index)
        flat[at] -= rows * kept
        if self.label_smoothing:
            share = self.label_smoothing / self.p.shape[self.axis]
            alive = grad if self.row_weight is None else np.where(self.row_weight == 0, 0, grad)
            if self.masked is not None:
                alive = np.where(self.masked, 0, alive)
            alive = np.expand_dims(np.broadcast_to(alive, self.index.shape), self.axis)
            w = 1.0 if self.weight is None else self.weight
            total = self.p.shape[self.axis] if self.weight is None else np.add.reduce(self.weight, axis=None)
            dx += (self.p * total - w) * (alive * share)
        return (dx,) + (None,) * (len(self.inputs) - 1)

    def composite(self, x: Any, target: Any, weight: Any = None) -> TensorType:
        """The same from simpler Functions, for higher orders."""
        self.look_at("cross_entropy", x, raw(target), weight)
        log_p = log_softmax(x, axis=self.axis)
        nll = NLLFunction(self.ignore_index, 0.0, "none")(log_p, target, *(() if weight is None else (weight,)))
        losses = nll
        if self.label_smoothing:
            w = 1.0 if weight is None else along(raw(weight), self.axis, x.ndim)
            spread = (log_p * w).sum(axis=self.axis) * (-self.label_smoothing / x.shape[self.axis])
            if self.row_weight is not None:
                spread = spread * (self.row_weight != 0).astype(x.dtype)
            losses = nll * (1 - self.label_smoothing) + spread
        if self.reduction == "none":
            return losses
        return losses.sum() if self.reduction == "sum" else losses.sum() * self.share()


class SoftCrossEntropyFunction(Function):
    """-Σ_c w_c t_c log p_c with p = softmax(x), t a probability for each class: dx = (p Σ_c w_c t_c - w t) grad.

    With label smoothing ε, t is (1 - ε) t + ε/C. The mean is over the rows.
    """

    def __init__(self, label_smoothing: float = 0.0, reduction: str = "mean") -> None:
        self.label_smoothing, self.reduction = label_smoothing, reduction

    def forward(self, x: Any, target: Any, weight: Any = None) -> Any:
        self.axis = class_axis("cross_entropy", x)
        check_weight("cross_entropy", weight, x.shape[self.axis])
        classes = x.shape[self.axis]
        t = target
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + self.label_smoothing / classes
        if weight is not None:
            t = t * along(weight, self.axis, x.ndim)
        self.count = x.size // classes if classes else 0
        self.t, self.weight = t, None if weight is None else along(weight, self.axis, x.ndim)
        self.p, self.log_p, self.masked = probabilities(x, self.axis)
        # A class of probability 0 that is given none costs nothing: 0 · log 0 is 0.
        products = t * np.where(t == 0, 0, self.log_p)
        losses = -np.add.reduce(products, axis=self.axis)
        if self.reduction == "none":
            return losses
        total = np.add.reduce(losses, axis=None)
        return total if self.reduction == "sum" else total * self.share()

    def share(self) -> float:
        """What one row counts for in the result."""
        if self.reduction != "mean":
            return 1.0
        return 1.0 / self.count if self.count else math.nan

    def backward(self, grad: Any) -> Any:
        grad = grad * self.share()
        if grad.ndim:
            grad = np.expand_dims(grad, self.axis)
        dx = (self.p * np.add.reduce(self.t, axis=self.axis, keepdims=True) - self.t) * grad
        if self.masked is not None:
            dx = np.where(np.expand_dims(self.masked, self.axis), 0, dx)
        dt = None
        if self.wants(1):
            dt = self.log_p * (-grad * (1 - self.label_smoothing))
            dt = dt if self.weight is None else dt * self.weight
        return (dx, dt) + (None,) * (len(self.inputs) - 2)

    def composite(self, x: Any, target: Any, weight: Any = None) -> TensorType:
        """The same from simpler Functions, for higher orders."""
        axis, classes = class_axis("cross_entropy", x), x.shape[class_axis("cross_entropy", x)]
        t = target * (1 - self.label_smoothing) + self.label_smoothing / classes
        if weight is not None:
            t = t * along(raw(weight), axis, x.ndim)
        log_p = log_softmax(x, axis=axis)
        losses = -(t * np.where(raw(t) == 0, 0.0, log_p)).sum(axis=axis)
        if self.reduction == "none":
            return losses
        self.count = x.size // classes if classes else 0
        return losses.sum() if self.reduction == "sum" else losses.sum() * self.share()


def probabilities(x: Any, axis: int) -> tuple[Any, Any, Any]:
    """softmax(x), log softmax(x), and which rows are all -inf (None: none): those get zeros and -inf."""
    top = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-math.inf)
    masked = None
    if top.size and not top.min() > -math.inf:
        masked = np.squeeze(top == -math.inf, axis)
        top = np.where(top == -math.inf, 0, top)
    log_p = x - top
    p = np.exp(log_p)
    total = np.add.reduce(p, axis=axis, keepdims=True)
    if masked is not None:
        total = np.maximum(total, np.finfo(total.dtype).tiny)
    log_p -= np.log(total)
    p /= total
    return p, log_p, masked


def class_axis(what: str, x: Any) -> int:
    """1, or 0 for a single prediction. Raises ShapeError for a number, DTypeError for integers."""
    if x.ndim == 0:
        raise ShapeError(f"{what}: the prediction is a single number; it needs an axis of classes, (C,) or (N, C)")
    if x.dtype.kind != "f":
        raise DTypeError(f"{what}: the prediction is {x.dtype}; a loss takes floats: astype('float32')")
    return 1 if x.ndim > 1 else 0


def check_weight(what: str, weight: Any, classes: int) -> None:
    """Raise ShapeError unless there is one weight for each class."""
    if weight is not None and weight.shape != (classes,):
        raise ShapeError(f"{what}: weight has shape {weight.shape}; it needs one number for each of {classes} classes")


def along(weight: Any, axis: int, ndim: int) -> Any:
    """One weight for each class, so shaped that it broadcasts along the class axis."""
    return weight.reshape((-1,) + (1,) * (ndim - 1 - axis))


def checked_index(what: str, target: Any, classes: int, ignored: int) -> tuple[Any, Any]:
    """The targets, 0 in place of ignored ones, and the rows' weights: None, or 0 where ignored and 1 elsewhere.

    Raises DTypeError for indices that are no integers, ArgumentError for one out of range.
    """
    if target.dtype.kind not in "iu":
        raise DTypeError(
            f"{what}: class indices are integers, not {target.dtype}; probabilities for each class have the "
            "shape of the prediction"
        )
    index = target.astype(np.int64, copy=False)
    # As unsigned, a negative number is a huge one, so one comparison sees both ends.
    if not index.size or (index.view(np.uint64).max() < classes and not 0 <= ignored < classes):
        return index, None
    keep = index != ignored
    wrong = keep & ((index < 0) | (index >= classes))
    if wrong.any():
        at = tuple(map(int, np.argwhere(wrong)[0]))
        raise ArgumentError(
            f"{what}: the target at {at} is {index[at]}, but there are {classes} classes, 0 to {classes - 1} "
            f"(and {ignored} to be ignored)"
        )
    return np.where(keep, index, 0), None if keep.all() else keep.astype(np.float64)


def _smoothing(label_smoothing: Any) -> float:
    if not isinstance(label_smoothing, int | float) or not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"cross_entropy: label_smoothing must be from 0 to 1, not {label_smoothing!r}")
    return float(label_smoothing)


def _inputs(input: Any, target: Any, weight: Any) -> tuple[Any, ...]:
    input, target = as_tensor(input), as_tensor(target)
    if weight is None:
        return input, target
    return input, target, as_tensor(weight, input.dtype if input.dtype.kind == "f" else np.float32)


def _cross_entropy(
    input: TensorType, target: TensorType, ignore_index: int, smoothing: float, reduction: str
) -> Function:
    if target.dtype.kind == "f" and target.shape == input.shape:
        return SoftCrossEntropyFunction(smoothing, reduction)
    return CrossEntropyFunction(ignore_index, smoothing, reduction)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> TensorType:
    """-log softmax(input)[target], for logits of any size.

    Args:
        input: logits (C,), (N, C) or (N, C, d₁, …); -inf masks a class.
        target: class indices () or (N,) or (N, d₁, …), integers; or probabilities of input's shape.
        weight: (C,) what each class counts; the mean over indices divides by the sum of the targets' weights.
        ignore_index: a target that adds nothing and does not count in the mean; if all are ignored the loss is 0
            (PyTorch: NaN).
        label_smoothing: ε, the part of the target that is spread over all classes.

    A row of nothing but -inf has an infinite loss and no gradient (PyTorch: NaN).

    Raises ShapeError where shapes do not fit, DTypeError for indices that are no integers, ArgumentError for an
    index out of range. Source of label smoothing: Szegedy et al., 2015, arXiv:1512.00567.
    """
    smoothing = _smoothing(label_smoothing)
    inputs = _inputs(input, target, weight)
    return _cross_entropy(inputs[0], inputs[1], ignore_index, smoothing, check_reduction(reduction))(*inputs)


def nll_loss(
    input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> TensorType:
    """-input[target] for log-probabilities: cross entropy after a log_softmax of your own. Shapes as there."""
    return NLLFunction(ignore_index, 0.0, check_reduction(reduction))(*_inputs(input, target, weight))


class NLLLoss(Loss):
    """Negative log-likelihood of class indices: see `functional.nll_loss`."""

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.ignore_index = ignore_index
        self.register_buffer("weight", None if weight is None else Tensor(weight), persistent=False)

    def forward(self, input: Any, target: Any) -> TensorType:
        inputs = _inputs(input, target, self.weight)
        return self.compute(NLLFunction(self.ignore_index, 0.0, self.reduction), *inputs)


class CrossEntropyLoss(Loss):
    """Cross entropy of logits with class indices or probabilities: see `functional.cross_entropy`."""

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.ignore_index, self.label_smoothing = ignore_index, _smoothing(label_smoothing)
        self.register_buffer("weight", None if weight is None else Tensor(weight), persistent=False)

    def forward(self, input: Any, target: Any) -> TensorType:
        inputs = _inputs(input, target, self.weight)
        function = _cross_entropy(inputs[0], inputs[1], self.ignore_index, self.label_smoothing, self.reduction)
        return self.compute(function, *inputs)
