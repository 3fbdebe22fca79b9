"""Losses for yes and no: the probability that the model gave to what was true."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn.loss import Loss, Reduced, check_reduction, constant
from tt_tensor import Function, as_tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.ops.plain import raw
from tt_tensor.ops.special import sigmoid

if TYPE_CHECKING:
    from tt_tensor import Tensor

__all__ = [
    "BCEFunction",
    "BCELoss",
    "BCEWithLogitsFunction",
    "BCEWithLogitsLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
]

LEAST = 9.999999960041972e-13
"""1e-12 in float32, whatever the dtype: PyTorch's."""


class _Weighted(Reduced):
    """A loss of each element with a weight that broadcasts to the elements."""

    def wide(self, what: str, name: str, weight: Any) -> Any:
        """`weight` in the dtype to compute in. Raises ShapeError unless it broadcasts to the prediction."""
        try:
            fits = np.broadcast_shapes(weight.shape, self.shape) == self.shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"{what}: {name} has shape {weight.shape}, which does not broadcast to {self.shape}"
            )
        return weight.astype(np.float32) if weight.dtype == np.float16 else weight


class BCEWithLogitsFunction(_Weighted, Function):
    """With p = sigmoid(z): -w (q t log p + (1 - t) log(1 - p)); dz = w ((q t + 1 - t) p - q t) grad.

    z are the logits, t the targets, w the `weight`, q the `pos_weight` (both 1 if None). With
    L = log(1 + e^(-|z|)), -log p = L + max(-z, 0) and -log(1 - p) = L + max(z, 0): of what is nearly certain and
    true, L alone is left, with all its digits.
    """

    def forward(self, z: Any, t: Any, weight: Any = None, pos_weight: Any = None) -> Any:
        name = "binary_cross_entropy_with_logits"
        z, t = self.look_at(name, z, t)
        self.z, self.t = z, t
        self.weight = weight if weight is None else self.wide(name, "weight", weight)
        self.q = pos_weight if pos_weight is None else self.wide(name, "pos_weight", pos_weight)
        # One number says whether all are finite, and this product does not warn.
        values = raw(z)
        finite = np.vdot(values, values) < math.inf
        self.to_no = None
        if finite and pos_weight is None and z.__class__ is np.ndarray and z.size <= 1024:
            # log(e^(z - zt) + e^(-zt)), the same in one call, which counts while there are few elements.
            losses = z * t
            self.to_no = z - losses
            losses = np.logaddexp(self.to_no, np.negative(losses))
        else:
            losses = self.of_both(finite)
        self.losses = losses
        return self.reduced(losses if weight is None else losses * self.weight)

    def of_both(self, finite: bool) -> Any:
        """q t (-log p) + (1 - t) (-log(1 - p)), where 0 · inf is 0: what is true and certain costs nothing."""
        z, t = self.z, self.t
        if z.__class__ is np.ndarray:
            both = np.asarray(np.abs(z))
            np.negative(both, both)
            np.exp(both, both)
            np.log1p(both, both)
            up = np.maximum(z, 0)
            if finite and self.q is None:
                up = np.asarray(up)
                up -= z * t
                both += up
                return both
            down = np.maximum(-z, 0)
        else:
            # Each side of 0 by a formula without a kink, so that every derivative holds there, too.
            positive = np.greater(raw(z), 0)
            both = np.log1p(np.exp(np.where(positive, -z, z)))
            up, down = np.where(positive, z, 0), np.where(positive, 0, -z)
        self.minus_log_p, self.minus_log_no = both + down, both + up
        yes = t if self.q is None else self.q * t
        if finite:
            return yes * self.minus_log_p + (1 - t) * self.minus_log_no
        with np.errstate(invalid="ignore"):
            at_yes, at_no = yes * self.minus_log_p, (1 - t) * self.minus_log_no
        return np.where(np.equal(raw(yes), 0), 0, at_yes) + np.where(np.equal(raw(t), 1), 0, at_no)

    def backward(self, grad: Any) -> Any:
        plain = grad = self.shared(grad)
        if self.weight is not None:
            grad = grad * self.weight
        if self.to_no is not None and self.losses.__class__ is np.ndarray:
            p = self.to_no - self.losses
            np.exp(p, p)
            if len(self.inputs) == 2 and not self.wants(1):
                p -= self.t
                p *= grad
                return p, None
        else:
            p = sigmoid(self.z)
        if self.q is None:
            dz = (p - self.t) * grad
            dt = -self.z * grad if self.wants(1) else None
        else:
            yes = self.q * self.t
            dz = ((yes + (1 - self.t)) * p - yes) * grad
            dt = (self.q * self.minus_log_p - self.minus_log_no) * grad if self.wants(1) else None
        if len(self.inputs) == 2:
            return dz, dt
        dw = self.losses * plain if self.weight is not None and self.wants(2) else None
        if len(self.inputs) == 3:
            return dz, dt, dw
        return dz, dt, dw, self.t * self.minus_log_p * grad if self.wants(3) else None


class BCEFunction(_Weighted, Function):
    """-w (t log p + (1 - t) log(1 - p)), logs no lower than -100; dp = w (p - t) / (p (1 - p)) grad."""

    def forward(self, p: Any, t: Any, weight: Any = None) -> Any:
        name = "binary_cross_entropy"
        p, t = self.look_at(name, p, t)
        check_probabilities(name, "prediction", raw(p))
        check_probabilities(name, "target", raw(t))
        self.p, self.t = p, t
        self.weight = weight if weight is None else self.wide(name, "weight", weight)
        with np.errstate(divide="ignore"):
            self.log_yes = np.maximum(np.log(p), -100)
            self.log_no = np.maximum(np.log1p(-p), -100)
        self.losses = -(t * self.log_yes + (1 - t) * self.log_no)
        return self.reduced(self.losses if weight is None else self.losses * self.weight)

    def backward(self, grad: Any) -> Any:
        plain = grad = self.shared(grad)
        if self.weight is not None:
            grad = grad * self.weight
        # Finite where p is 0 or 1.
        dp = (self.p - self.t) / np.maximum(self.p * (1 - self.p), LEAST) * grad
        # Of the loss as it is, logs that stop at -100 included (PyTorch's is infinite where p is 0 or 1).
        dt = (self.log_no - self.log_yes) * grad if self.wants(1) else None
        if len(self.inputs) == 2:
            return dp, dt
        return dp, dt, self.losses * plain if self.wants(2) else None


def check_probabilities(what: str, name: str, values: Any) -> None:
    """Raise ArgumentError where one is outside of [0, 1], or NaN."""
    if not values.size or (values.min() >= 0 and values.max() <= 1):
        return
    at = tuple(map(int, np.argwhere(~((values >= 0) & (values <= 1)))[0]))
    advice = "; apply a sigmoid first, or use BCEWithLogitsLoss on the logits" if name == "prediction" else ""
    raise ArgumentError(f"{what}: the {name} at {at} is {values[at]}, which is no probability{advice}")


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """-(q t log σ(z) + (1 - t) log(1 - σ(z))), times `weight`, for logits z and targets t of one shape.

    Args:
        input: logits z, any numbers. At ±inf, too, what is true costs 0 (PyTorch: NaN) and what is wrong inf.
        target: t from 0 to 1 (as in PyTorch, that is not checked).
        weight: of each element's loss; broadcasts.
        reduction: "mean" over all elements (the weights do not count), "sum", or "none".
        pos_weight: q, what the positive targets count; broadcasts (one for each class, usually).

    Raises ShapeError where input and target differ in shape, or a weight does not broadcast to it; DTypeError
    for logits of integers; ArgumentError for another reduction.
    """
    function = BCEWithLogitsFunction(check_reduction(reduction))
    return function(input, target, *_optional(input, weight, pos_weight))


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """-(t log p + (1 - t) log(1 - p)), times `weight`, for probabilities p and targets t of one shape.

    Logarithms stop at -100, as in PyTorch, so the loss of a certain mistake is finite. Arguments as for
    `binary_cross_entropy_with_logits`, which is the more accurate: float32 has no probability between 1 - 6e-8
    and 1.

    Raises ArgumentError where an input or a target is outside of [0, 1] or NaN, ShapeError and DTypeError as there.
    """
    return BCEFunction(check_reduction(reduction))(input, target, *_optional(input, weight))


def _optional(like: Any, *weights: Any) -> tuple[Any, ...]:
    """Weights in the dtype of the prediction, up to the last that is given."""
    found = list(weights)
    while found and found[-1] is None:
        found.pop()
    if not found:
        return ()
    dtype = getattr(like, "dtype", np.dtype(np.float32))
    if dtype.kind != "f":
        raise DTypeError(
            f"binary_cross_entropy: the prediction is {dtype}; a loss takes floats: astype('float32')"
        )
    # astype, not as_tensor with a dtype: a weight may want its gradient.
    tensors = [w if w is None else as_tensor(w) for w in found]
    return tuple(w if w is None or w.dtype == dtype else w.astype(dtype) for w in tensors)


class BCEWithLogitsLoss(Loss):
    """Binary cross entropy on logits: see `functional.binary_cross_entropy_with_logits`."""

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", constant("BCEWithLogitsLoss", "weight", weight))
        self.register_buffer("pos_weight", constant("BCEWithLogitsLoss", "pos_weight", pos_weight))

    def forward(self, input: Any, target: Any) -> Tensor:
        if self.weight is None and self.pos_weight is None:
            return self.compute(BCEWithLogitsFunction(self.reduction), input, target)
        weights = _optional(input, self.weight, self.pos_weight)
        return self.compute(BCEWithLogitsFunction(self.reduction), input, target, *weights)


class BCELoss(Loss):
    """Binary cross entropy on probabilities: see `functional.binary_cross_entropy`."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", constant("BCELoss", "weight", weight))

    def forward(self, input: Any, target: Any) -> Tensor:
        return self.compute(BCEFunction(self.reduction), input, target, *_optional(input, self.weight))
