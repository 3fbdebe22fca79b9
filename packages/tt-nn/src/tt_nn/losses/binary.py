"""Losses for yes and no: the probability that the model gave to what was true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tt_tensor import Function, Tensor, as_tensor
from tt_tensor.errors import ArgumentError
from tt_tensor.ops.reductions import raw

from tt_nn.loss import Loss, Reduced, check_reduction, check_same

if TYPE_CHECKING:
    from tt_tensor import Tensor as TensorType

__all__ = [
    "BCEFunction",
    "BCELoss",
    "BCEWithLogitsFunction",
    "BCEWithLogitsLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
]


def softplus(z: Any) -> Any:
    """log(1 + eᶻ), for any z without overflow."""
    if z.__class__ is np.ndarray and z.size < 1024:
        return np.logaddexp(0, z)  # one call, which counts while there are few elements
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


class BCEWithLogitsFunction(Reduced, Function):
    """With p = sigmoid(z): -w (q t log p + (1 - t) log(1 - p)); dz = w ((q t + 1 - t) p - q t) grad.

    z are the logits, t the targets, w the `weight`, q the `pos_weight` (both 1 if None). From
    log p = z - softplus(z) and log(1 - p) = -softplus(z), the loss is w ((q t + 1 - t) softplus(z) - q t z).
    """

    def forward(self, z: Any, t: Any, weight: Any = None, pos_weight: Any = None) -> Any:
        check_same("binary_cross_entropy_with_logits", z, t)
        self.z, self.t, self.weight, self.q = z, t, weight, pos_weight
        self.softplus = softplus(z)
        if pos_weight is None:
            self.losses = self.softplus - z * t
        else:
            yes = pos_weight * t
            self.losses = (yes + (1 - t)) * self.softplus - yes * z
        return self.reduced(self.losses if weight is None else self.losses * weight)

    def backward(self, grad: Any) -> Any:
        plain = grad = grad * self.share()
        if self.weight is not None:
            grad = grad * self.weight
        p = np.exp(self.z - self.softplus)
        if self.q is None:
            dz = (p - self.t) * grad
            dt = -self.z * grad if self.wants(1) else None
        else:
            yes = self.q * self.t
            dz = ((yes + (1 - self.t)) * p - yes) * grad
            dt = ((self.q - 1) * self.softplus - self.q * self.z) * grad if self.wants(1) else None
        if len(self.inputs) == 2:
            return dz, dt
        dw = self.losses * plain if self.weight is not None and self.wants(2) else None
        if len(self.inputs) == 3:
            return dz, dt, dw
        return dz, dt, dw, self.t * (self.softplus - self.z) * grad if self.wants(3) else None


class BCEFunction(Reduced, Function):
    """-w (t log p + (1 - t) log(1 - p)), logs no lower than -100; dp = w (p - t) / (p (1 - p)) grad."""

    def forward(self, p: Any, t: Any, weight: Any = None) -> Any:
        check_same("binary_cross_entropy", p, t)
        values = raw(p)
        inside = (values >= 0) & (values <= 1)
        if not inside.all():
            at = tuple(map(int, np.argwhere(~inside)[0]))
            raise ArgumentError(
                f"binary_cross_entropy: the prediction at {at} is {values[at]}, which is no probability; apply a "
                "sigmoid first, or use BCEWithLogitsLoss on the logits"
            )
        self.p, self.t, self.weight = p, t, weight
        with np.errstate(divide="ignore"):
            self.log_yes = np.maximum(np.log(p), -100)
            self.log_no = np.maximum(np.log1p(-p), -100)
        self.losses = -(t * self.log_yes + (1 - t) * self.log_no)
        return self.reduced(self.losses if weight is None else self.losses * weight)

    def backward(self, grad: Any) -> Any:
        plain = grad = grad * self.share()
        if self.weight is not None:
            grad = grad * self.weight
        # The least denominator is PyTorch's: finite where p is 0 or 1.
        dp = (self.p - self.t) / np.maximum(self.p * (1 - self.p), 1e-12) * grad
        dt = (self.log_no - self.log_yes) * grad if self.wants(1) else None
        if len(self.inputs) == 2:
            return dp, dt
        return dp, dt, self.losses * plain if self.wants(2) else None


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> TensorType:
    """-(q t log σ(z) + (1 - t) log(1 - σ(z))), times `weight`, for logits z and targets t of one shape.

    Args:
        input: logits z, any numbers; right and finite for any of them.
        target: t from 0 to 1.
        weight: of each element's loss; broadcasts.
        pos_weight: q, what the positive targets count; broadcasts (one for each class, usually).

    Raises ShapeError where input and target differ in shape.
    """
    function = BCEWithLogitsFunction(check_reduction(reduction))
    return function(input, target, *_optional(input, weight, pos_weight))


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> TensorType:
    """-(t log p + (1 - t) log(1 - p)), times `weight`, for probabilities p and targets t of one shape.

    Logarithms stop at -100, as in PyTorch, so the loss of a certain mistake is finite.

    Raises ArgumentError where an input is outside of [0, 1], ShapeError where the shapes differ.
    """
    return BCEFunction(check_reduction(reduction))(input, target, *_optional(input, weight))


def _optional(like: Any, *weights: Any) -> tuple[Any, ...]:
    """Weights in the dtype of the prediction, up to the last that is given."""
    dtype = getattr(like, "dtype", np.float32)
    found = [w if w is None or getattr(w, "dtype", None) == dtype else as_tensor(w, dtype) for w in weights]
    while found and found[-1] is None:
        found.pop()
    return tuple(found)


class BCEWithLogitsLoss(Loss):
    """Binary cross entropy on logits: see `functional.binary_cross_entropy_with_logits`."""

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", None if weight is None else Tensor(weight), persistent=False)
        self.register_buffer("pos_weight", None if pos_weight is None else Tensor(pos_weight), persistent=False)

    def forward(self, input: Any, target: Any) -> TensorType:
        if self.weight is None and self.pos_weight is None:
            return self.compute(BCEWithLogitsFunction(self.reduction), input, target)
        weights = _optional(input, self.weight, self.pos_weight)
        return self.compute(BCEWithLogitsFunction(self.reduction), input, target, *weights)


class BCELoss(Loss):
    """Binary cross entropy on probabilities: see `functional.binary_cross_entropy`."""

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", None if weight is None else Tensor(weight), persistent=False)

    def forward(self, input: Any, target: Any) -> TensorType:
        return self.compute(BCEFunction(self.reduction), input, target, *_optional(input, self.weight))
