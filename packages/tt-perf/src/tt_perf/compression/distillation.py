"""Distillation: a small network learns from a large one how likely it finds every class, not only which one is true.

    recipe = Distillation(teacher, temperature=4.0, alpha=0.9)
    trainer = Trainer(student, recipe.loss, optimizer, forward=recipe.forward, metrics=[Accuracy()])

A picture of a cat that looks a bit like a dog is worth more than the label "cat": the teacher says so, at a high
temperature loudly.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from tt_nn import Loss, Module
from tt_nn.losses.categorical import cross_entropy
from tt_nn.losses.divergence import kl_div
from tt_nn.losses.rows import checked_index
from tt_perf.compression.layers import check_module, share
from tt_tensor import Function, Tensor, as_tensor, log_softmax, recorder
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tt_tensor.ops.plain import raw

__all__ = ["Distillation", "DistillationFunction", "DistillationLoss", "distillation_loss", "soft_targets"]


class DistillationFunction(Function):
    """mean over rows of α T² KL(q ‖ p) + (1 - α) (-log softmax(x)_t), p = softmax(x / T), q = softmax(z / T).

    dx = (α T (p - q) + (1 - α) (softmax(x) - onehot(t))) / N. The teacher's z is a constant, and so is t.
    T² keeps the first part's gradient at one size, whatever T is: p - q falls as 1 / T, and 1 / T comes from x / T.
    """

    def __init__(self, temperature: float, alpha: float, label_smoothing: float = 0.0) -> None:
        self.temperature, self.alpha, self.label_smoothing = temperature, alpha, label_smoothing

    def forward(self, x: Any, teacher: Any, target: Any) -> Any:
        index, columns = _checked(x, teacher, target)
        t, alpha = self.temperature, self.alpha
        kind = np.dtype(np.float32) if x.dtype == np.float16 else x.dtype  # float16 is computed in float32
        rows, z = (_rows(part).astype(kind, copy=False) for part in (x, teacher))
        n, classes = rows.shape
        log_p, log_q = _log_softmax(rows / t), _log_softmax(z / t)
        q = np.exp(log_q)
        # A class that the teacher rules out (-inf) costs nothing: 0 log 0 is 0.
        with np.errstate(invalid="ignore"):
            soft = np.where(q == 0, 0, q * (log_q - log_p)).sum(axis=1)
        log_hard = log_p if t == 1 else _log_softmax(rows)
        wanted = np.full((n, classes), self.label_smoothing / max(classes, 1), kind)
        wanted[np.arange(n), index] += 1 - self.label_smoothing
        with np.errstate(invalid="ignore"):
            hard = -np.where(wanted == 0, 0, wanted * log_hard).sum(axis=1)
        self.slope = alpha * t * (np.exp(log_p) - q) + (1 - alpha) * (np.exp(log_hard) - wanted)
        self.shape, self.columns = x.shape, columns
        return np.asarray((alpha * t * t * soft + (1 - alpha) * hard).sum() * self.part(n), x.dtype)

    @staticmethod
    def part(n: int) -> float:
        """What a row counts; the mean over none is NaN."""
        return 1.0 / n if n else float("nan")

    def backward(self, grad: Any) -> Any:
        dx = self.slope * (grad * self.part(len(self.slope)))
        if len(self.shape) != 2:
            front = (self.shape[0], *self.shape[2:], self.shape[1])
            dx = np.moveaxis(dx.reshape(front), -1, 1)
        return dx, None, None

    def composite(self, x: Any, teacher: Any, target: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        _checked(raw(x), raw(teacher), raw(target))
        t = self.temperature
        q = log_softmax(as_tensor(raw(teacher)).astype(x.dtype) / t, axis=1)
        soft = kl_div(log_softmax(x / t, axis=1), q, "sum", log_target=True)
        hard = cross_entropy(x, target, reduction="sum", label_smoothing=self.label_smoothing)
        return (soft * (self.alpha * t * t) + hard * (1 - self.alpha)) * self.part(raw(target).size)


def distillation_loss(
    input: Any,
    teacher: Any,
    target: Any,
    temperature: float = 4.0,
    alpha: float = 0.9,
    label_smoothing: float = 0.0,
) -> Tensor:
    """α T² KL(softmax(teacher / T) ‖ softmax(input / T)) + (1 - α) cross_entropy(input, target), mean over the rows.

    Args:
        input: the student's logits, (N, C) or (N, C, d₁, …).
        teacher: the teacher's, of the same shape. No gradient goes to them.
        target: the class of each row, integers (N, d₁, …).
        temperature: T > 0.
        alpha: the share of the teacher, 0 to 1.
        label_smoothing: of the second part.

    Raises ShapeError, DTypeError, IndexingError for logits and targets that do not fit; ArgumentError for numbers out
    of range; GradientError for a teacher that requires a gradient.
    Source: Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv:1503.02531.
    """
    loss = DistillationLoss(temperature, alpha, label_smoothing)
    return loss(input, (target, teacher))


class DistillationLoss(Loss):
    """`distillation_loss` as a module: loss(student's logits, (labels, teacher's logits)).

    For batches that bring the teacher's logits along, computed once by `soft_targets`. `Distillation` computes them on
    the way.
    """

    def __init__(self, temperature: float = 4.0, alpha: float = 0.9, label_smoothing: float = 0.0) -> None:
        number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
        if not number or not 0 < temperature < float("inf"):
            raise ArgumentError(f"distillation: temperature is a number above 0, not {temperature!r}")
        self.temperature = float(temperature)
        self.alpha = share("distillation", "alpha", alpha)
        self.label_smoothing = share("distillation", "label_smoothing", label_smoothing)
        self.reduction = "mean"

    def forward(self, input: Any, targets: Any) -> Tensor:
        if not isinstance(targets, tuple | list) or len(targets) != 2:
            raise ArgumentError(
                "DistillationLoss: targets are a pair (labels, teacher's logits); to have the teacher called on the "
                "way, use Distillation(teacher).loss with its forward"
            )
        target, teacher = targets
        if getattr(teacher, "requires_grad", False):
            raise GradientError(
                "distillation: the teacher is a constant, but its logits require a gradient; pass logits.detach()"
            )
        function = DistillationFunction(self.temperature, self.alpha, self.label_smoothing)
        return self.compute(function, input, as_tensor(teacher), as_tensor(target))

    def count(self, outputs: Any, targets: Any) -> float:
        """How many terms the mean is over, for a Trainer that accumulates."""
        labels = targets[0] if isinstance(targets, tuple | list) else targets
        return float(np.size(raw(as_tensor(labels))))

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, alpha={self.alpha}, label_smoothing={self.label_smoothing}"


class Distillation:
    """What a Trainer needs to let `teacher` teach: `forward` and `loss`.

        Trainer(student, recipe.loss, optimizer, forward=recipe.forward, metrics=[Accuracy()])

    Batches stay (inputs, labels). `forward` asks the teacher, in eval mode and unrecorded, about the very inputs that
    the student sees, augmented as they are; `loss` takes its answer up. Evaluation measures the same loss.

    Args:
        teacher: any Module that gives logits of the student's shape.
        temperature, alpha, label_smoothing: see `distillation_loss`.
    """

    def __init__(
        self, teacher: Module, temperature: float = 4.0, alpha: float = 0.9, label_smoothing: float = 0.0
    ) -> None:
        self.teacher = check_module("Distillation", teacher)
        self.loss = _RememberedLoss(self, temperature, alpha, label_smoothing)
        # Whole-model shards run forward and loss in one thread each.
        self._asked = threading.local()

    def forward(self, model: Module, batch: Any) -> tuple[Any, Any]:
        """(the student's logits, the labels), and the teacher's logits kept for `loss`."""
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ArgumentError("Distillation: a batch is a pair (inputs, labels)")
        inputs, labels = batch
        outputs = model(inputs)
        self._asked.pair = (outputs, ask(self.teacher, inputs))
        return outputs, labels

    def taught(self, outputs: Any) -> Any:
        """The teacher's logits for the inputs that gave `outputs`."""
        asked, logits = getattr(self._asked, "pair", (None, None))
        if asked is not outputs:
            raise ArgumentError(
                "Distillation.loss: the teacher was not asked about these outputs; give the Trainer "
                "forward=recipe.forward, too"
            )
        return logits

    def __repr__(self) -> str:
        return f"Distillation({type(self.teacher).__name__}, {self.loss.extra_repr()})"


class _RememberedLoss(DistillationLoss):
    """loss(student's logits, labels): the teacher's are those that the recipe's forward kept."""

    def __init__(
        self, recipe: Distillation, temperature: float, alpha: float, label_smoothing: float
    ) -> None:
        super().__init__(temperature, alpha, label_smoothing)
        self._recipe = recipe

    def forward(self, input: Any, targets: Any) -> Tensor:
        return super().forward(input, (targets, self._recipe.taught(input)))


def ask(teacher: Module, inputs: Any) -> Any:
    """teacher(inputs) as an array, in eval mode and unrecorded."""
    # Only where it is not in eval mode already: threads may ask at the same time.
    if any(module.training for module in teacher.modules()):
        teacher.eval()
    with recorder.paused():
        return raw(as_tensor(teacher(inputs)))


def soft_targets(teacher: Module, inputs: Any, batch: int = 250) -> Any:
    """The teacher's logits for all of `inputs` (N, …), as an array (N, C, …), for `DistillationLoss`.

    Raises ArgumentError for a batch below 1, DTypeError for what is no Module.
    """
    check_module("soft_targets", teacher)
    batch = whole_number("soft_targets", "batch", batch, 1)
    x = as_tensor(inputs).array
    starts = range(0, max(len(x), 1), batch)
    return np.concatenate([ask(teacher, as_tensor(x[start : start + batch])) for start in starts])


def _checked(x: Any, teacher: Any, target: Any) -> tuple[Any, Any]:
    """The class of each row; raises for shapes, dtypes, labels that do not fit."""
    if x.ndim < 2 or x.dtype.kind != "f":
        kind = ShapeError if x.ndim < 2 else DTypeError
        raise kind(f"distillation: logits are floats of shape (N, C) or (N, C, …), not {x.dtype} {x.shape}")
    if teacher.shape != x.shape:
        raise ShapeError(
            f"distillation: the student gives logits of shape {x.shape}, the teacher {teacher.shape}; they must agree"
        )
    shape = (x.shape[0], *x.shape[2:])
    if target.shape != shape:
        raise ShapeError(f"distillation: logits {x.shape} need classes of shape {shape}, not {target.shape}")
    index, _ = checked_index("distillation", target, x.shape[1], -1 - x.shape[1])
    return index.reshape(-1), shape


def _rows(x: Any) -> Any:
    """(N, C, d…) as rows of classes (N·d…, C)."""
    return x if x.ndim == 2 else np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def _log_softmax(x: Any) -> Any:
    """Row by row, shifted by the maximum, so that nothing overflows."""
    if not x.size:
        return x
    off = x - x.max(axis=1, keepdims=True)
    return off - np.log(np.exp(off).sum(axis=1, keepdims=True))
