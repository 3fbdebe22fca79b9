"""Metrics that are right over any cut into batches: they keep sums and counts, never a mean of means.

    accuracy = Accuracy()
    for x, y in batches:
        accuracy.update(model(x), y)
    accuracy.compute()

The Trainer does the same with those that it is given, once in training and once in evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tt_optim.ranges import COUNT
from tt_optim.training.batches import raw
from tt_optim.training.counting import Count, counting
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["Accuracy", "ConfusionMatrix", "Mean", "MeanLoss", "Metric", "Perplexity", "TopKAccuracy"]


class Metric:
    """The base of all metrics: sums that grow with `update`, and a figure that `compute` makes of them.

    A metric of your own names its sums in `zero`, which is all that `reset`, `state_dict` and `load_state_dict` need:

        class MeanError(Metric):
            name, mode = "mae", "min"

            def zero(self):
                return {"total": 0.0, "count": 0}

            def update(self, outputs, targets):
                self.total += float(abs(outputs - targets).sum().item())
                self.count += outputs.size

            def compute(self):
                return self.total / self.count if self.count else math.nan
    """

    name: str = "metric"
    """Under which name it stands in the history."""

    mode: str | None = None
    """"max" where more is better, "min" where less is, None where neither."""

    def zero(self) -> dict[str, Any]:
        """The sums at the start: name → number or array. They become attributes."""
        raise NotImplementedError(f"{type(self).__name__} has no zero(): name there the sums that it keeps")

    def update(self, outputs: Any, targets: Any) -> None:
        """Add one batch."""
        raise NotImplementedError(f"{type(self).__name__} has no update(): add there a batch to its sums")

    def compute(self) -> Any:
        """The figure of all batches so far; nan where there were none."""
        raise NotImplementedError(f"{type(self).__name__} has no compute(): make there a figure of its sums")

    def reset(self) -> None:
        """Forget all batches."""
        self.__dict__.update(self.zero())

    def state_dict(self) -> dict[str, Any]:
        """The sums, for a checkpoint in mid-epoch."""
        return {name: getattr(self, name) for name in self.zero()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from saved sums. Raises ArgumentError where they are another metric's."""
        zero = self.zero()
        if set(state_dict) != set(zero):
            raise ArgumentError(
                f"{type(self).__name__}.load_state_dict: the sums {sorted(state_dict)} were saved, "
                f"but this metric keeps {sorted(zero)}"
            )
        for name, value in zero.items():
            saved = state_dict[name]
            if isinstance(value, np.ndarray):
                saved = np.array(raw(saved), value.dtype)
                if saved.shape != value.shape:
                    raise ArgumentError(
                        f"{type(self).__name__}.load_state_dict: {name} was saved with shape {saved.shape}, "
                        f"here it has {value.shape}"
                    )
            setattr(self, name, saved)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Mean(Metric):
    """Σ value · count / Σ count of means that are known already: `add(value, count)`."""

    total: float
    count: float

    def __init__(self, name: str = "loss") -> None:
        self.name, self.mode = name, "min"
        self.reset()

    def zero(self) -> dict[str, Any]:
        return {"total": 0.0, "count": 0}

    def add(self, value: float, count: float) -> None:
        """Take in a mean over `count` terms; over none, it adds nothing."""
        if count:
            self.total += value * count
            self.count += count

    def compute(self) -> float:
        return self.total / self.count if self.count else math.nan


class MeanLoss(Mean):
    """The mean of a loss over all its terms, elements or labels that are not ignored, whatever the batches were.

    Args:
        loss_fn: the loss, e.g. L1Loss(); reduction "mean" or "sum".
        name: by default that of its class or function.
        count: count(outputs, targets), needed for a loss that is neither tt_nn's nor one of rows; see `counting`.
    """

    def __init__(self, loss_fn: Any, name: str | None = None, count: Count | None = None) -> None:
        self.loss_fn = loss_fn
        self.rule = counting(loss_fn, count=count)
        super().__init__(name or str(getattr(loss_fn, "__name__", type(loss_fn).__name__)))

    def update(self, outputs: Any, targets: Any) -> None:
        count = self.rule.terms(outputs, targets)
        value = float(self.loss_fn(outputs, targets).item())
        self.add(value if self.rule.reduction == "mean" or not count else value / count, count)


class _Labelled(Metric):
    """What is counted label by label: classes on axis 1 (axis 0 of a single sample), as in the losses."""

    ignore_index: int | None

    def _labels(self, outputs: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
        """Scores (M, C) and labels (M,) of what is not ignored."""
        scores, labels = raw(outputs), raw(targets)
        who = type(self).__name__
        if labels.dtype.kind not in "iu":
            raise DTypeError(
                f"{who}: the targets are {labels.dtype}; it takes integer labels, astype('int64') first"
            )
        axis = 1 if scores.ndim > 1 else 0
        if scores.ndim != labels.ndim + 1 or scores.shape[:axis] + scores.shape[axis + 1 :] != labels.shape:
            raise ShapeError(
                f"{who}: outputs of shape {scores.shape} and targets of shape {labels.shape} do not fit; "
                "outputs have the targets' shape with the classes as axis 1"
            )
        classes = scores.shape[axis]
        if scores.ndim != 2:
            scores, labels = np.moveaxis(scores, axis, -1).reshape(-1, classes), labels.reshape(-1)
        if self.ignore_index is not None:
            kept = labels != self.ignore_index
            if not kept.all():
                scores, labels = scores[kept], labels[kept]
        if labels.size and not (labels.min() >= 0 and labels.max() < classes):
            raise ArgumentError(
                f"{who}: a target names class {labels.min() if labels.min() < 0 else labels.max()}, "
                f"but there are {classes}, from 0; pass ignore_index for labels that do not count"
            )
        return scores, labels


class _Hits(_Labelled):
    """A share: how many of those that count were right."""

    hits: int
    count: int
    mode = "max"

    def zero(self) -> dict[str, Any]:
        return {"hits": 0, "count": 0}

    def compute(self) -> float:
        return self.hits / self.count if self.count else math.nan


class Accuracy(_Hits):
    """The share of right answers, Σ right / Σ counted.

    Outputs (N, C, d₁, …) with integer targets (N, d₁, …): right where the largest output is the target's (the first
    of several). Outputs and targets of one shape: yes or no for each element, right where `output > threshold`
    is the target, 0 or 1.

    Args:
        threshold: 0 for logits, 0.5 for probabilities; for yes and no only.
        ignore_index: a target that does not count; -100 as in the losses.
        name: in the history.

    Raises ShapeError, DTypeError, ArgumentError for outputs and targets that do not fit each other.
    """

    def __init__(
        self, threshold: float = 0.0, ignore_index: int | None = -100, name: str = "accuracy"
    ) -> None:
        self.threshold, self.ignore_index, self.name = threshold, ignore_index, name
        self.reset()

    def update(self, outputs: Any, targets: Any) -> None:
        x, t = raw(outputs), raw(targets)
        if x.shape == t.shape:
            if self.ignore_index is not None:
                kept = t != self.ignore_index
                x, t = x[kept], t[kept]
            self.hits += int(np.count_nonzero((x > self.threshold) == yes(type(self).__name__, t)))
            self.count += t.size
            return
        scores, labels = self._labels(outputs, targets)
        if scores.shape[1] == 1:
            raise ShapeError(
                f"Accuracy: outputs of shape {x.shape} have a single class; for yes and no the targets have the "
                "outputs' shape, so reshape one of them"
            )
        if labels.size:
            self.hits += int(np.count_nonzero(scores.argmax(1) == labels))
            self.count += labels.size


class TopKAccuracy(_Hits):
    """The share of rows whose target is among the k largest outputs (of equal ones, those of lower index).

    Args:
        k: at least 1 and at most the number of classes.
        ignore_index: a target that does not count.
        name: in the history; by default top{k}_accuracy.

    Raises as Accuracy does. A row whose target has the output nan is wrong.
    """

    def __init__(self, k: int = 5, ignore_index: int | None = -100, name: str | None = None) -> None:
        self.k = COUNT(1)("TopKAccuracy: k", k)
        self.ignore_index, self.name = ignore_index, name or f"top{self.k}_accuracy"
        self.reset()

    def update(self, outputs: Any, targets: Any) -> None:
        scores, labels = self._labels(outputs, targets)
        if self.k > scores.shape[1]:
            raise ArgumentError(
                f"TopKAccuracy: the top {self.k} of {scores.shape[1]} classes are all of them"
            )
        own = scores[np.arange(len(labels)), labels][:, None]
        before = np.arange(scores.shape[1]) < labels[:, None]
        rank = np.count_nonzero((scores > own) | ((scores == own) & before), axis=1)
        self.hits += int(np.count_nonzero((rank < self.k) & ~np.isnan(own[:, 0])))
        self.count += labels.size


class Perplexity(_Labelled):
    """exp(Σ nll / Σ tokens), nll = log Σ_c exp(x_c) - x_target of logits x.

    From the logits themselves, so that label smoothing or weights of the loss do not enter. In float64.

    Args:
        ignore_index: a target that does not count; -100 as in the losses.
        name: in the history.

    Raises as Accuracy does for outputs (N, C, d₁, …) and integer targets (N, d₁, …).
    """

    nll: float
    count: int
    mode = "min"

    def __init__(self, ignore_index: int | None = -100, name: str = "perplexity") -> None:
        self.ignore_index, self.name = ignore_index, name
        self.reset()

    def zero(self) -> dict[str, Any]:
        return {"nll": 0.0, "count": 0}

    def update(self, outputs: Any, targets: Any) -> None:
        scores, labels = self._labels(outputs, targets)
        if labels.size:
            x = scores.astype(np.float64)
            x -= x.max(axis=1, keepdims=True)
            own = x[np.arange(len(labels)), labels]
            self.nll += float(np.sum(np.log(np.exp(x).sum(axis=1)) - own))
            self.count += labels.size

    def compute(self) -> float:
        if not self.count:
            return math.nan
        try:
            return math.exp(self.nll / self.count)
        except OverflowError:
            return math.inf


class ConfusionMatrix(_Labelled):
    """counts[t, p]: how often class t was taken for class p, (C, C) integers.

    Args:
        num_classes: C; 2 for yes and no (outputs and targets of one shape).
        threshold: for yes and no: what is above it is a yes.
        ignore_index: a target that does not count.
        name: in the history.

    Raises as Accuracy does.
    """

    counts: np.ndarray

    def __init__(
        self,
        num_classes: int,
        threshold: float = 0.0,
        ignore_index: int | None = -100,
        name: str = "confusion_matrix",
    ) -> None:
        self.num_classes = COUNT(2)("ConfusionMatrix: num_classes", num_classes)
        self.threshold, self.ignore_index, self.name = threshold, ignore_index, name
        self.reset()

    def zero(self) -> dict[str, Any]:
        return {"counts": np.zeros((self.num_classes, self.num_classes), np.int64)}

    def update(self, outputs: Any, targets: Any) -> None:
        x, t = raw(outputs), raw(targets)
        classes = self.num_classes
        if x.shape == t.shape:
            if classes != 2:
                raise ShapeError(
                    f"ConfusionMatrix: outputs and targets of one shape, {x.shape}, are yes and no, two classes, "
                    f"not {classes}"
                )
            if self.ignore_index is not None:
                kept = t != self.ignore_index
                x, t = x[kept], t[kept]
            true, taken = yes("ConfusionMatrix", t).reshape(-1), (x > self.threshold).reshape(-1)
        else:
            scores, true = self._labels(outputs, targets)
            if scores.shape[1] != classes:
                raise ShapeError(
                    f"ConfusionMatrix: outputs of {scores.shape[1]} classes, but num_classes is {classes}"
                )
            taken = scores.argmax(1)
        pairs = true.astype(np.int64) * classes + taken
        self.counts += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)

    def compute(self) -> np.ndarray:
        return self.counts.copy()


def yes(who: str, targets: np.ndarray) -> np.ndarray:
    """Targets of 0 and 1 as bools. Raises ArgumentError for others."""
    true = targets == 1
    if not (true | (targets == 0)).all():
        raise ArgumentError(
            f"{who}: outputs and targets have one shape, so the targets must be 0 or 1 for each element; for "
            "classes, pass integer labels without the axis of the classes"
        )
    return true
