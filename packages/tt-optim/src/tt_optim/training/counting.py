"""How many terms a mean is over: what gradient accumulation has to divide by.

The gradient of one large batch is Σᵢ nᵢ gᵢ / Σᵢ nᵢ over its micro-batches, where gᵢ is the gradient of the mean
of micro-batch i and nᵢ how many terms that mean is over: rows for classes, tokens that are not ignored, elements for
a squared error. The mean of the gᵢ is another number as soon as the nᵢ differ.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tt_nn import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
    functional,
)
from tt_optim.training.batches import raw, rows
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["Count", "Counting", "counting"]

Count: TypeAlias = Callable[[Any, Any], float]
"""count(outputs, targets) → how many terms the mean of this loss is over."""

_CLASS_OF: dict[Any, type[Loss]] = {
    functional.binary_cross_entropy: BCELoss,
    functional.binary_cross_entropy_with_logits: BCEWithLogitsLoss,
    functional.cross_entropy: CrossEntropyLoss,
    functional.huber_loss: HuberLoss,
    functional.kl_div: KLDivLoss,
    functional.l1_loss: L1Loss,
    functional.mse_loss: MSELoss,
    functional.nll_loss: NLLLoss,
    functional.smooth_l1_loss: SmoothL1Loss,
}


class Counting(NamedTuple):
    """What is known of a loss."""

    reduction: str
    """"mean" or "sum"."""
    terms: Count
    known: bool
    """False where the count is a guess: the rows of the targets."""


def counting(loss_fn: Any, reduction: str | None = None, count: Count | None = None) -> Counting:
    """How `loss_fn` reduces and what its mean is over.

    Known are the losses of tt_nn, as modules and as functions of tt_nn.functional (also through functools.partial
    with keywords), and any loss with a method `count(outputs, targets)`. Of others the rows of the targets are taken.

    Raises DTypeError for a loss or a count that cannot be called, ArgumentError for reduction="none", which gives
    no single number to go down.
    """
    if isinstance(loss_fn, type):
        raise DTypeError(
            f"Trainer: loss_fn is the class {loss_fn.__name__}; make a loss of it: {loss_fn.__name__}()"
        )
    if not callable(loss_fn):
        raise DTypeError(f"Trainer: loss_fn must be a module or a function, not {type(loss_fn).__name__}")
    if count is not None and not callable(count):
        raise DTypeError(
            f"Trainer: count must be a function of (outputs, targets), not {type(count).__name__}"
        )
    loss = _as_loss(loss_fn)
    found = reduction if reduction is not None else getattr(loss, "reduction", "mean")
    if found == "batchmean":
        found, count = "mean", count or _batch
    if found not in ("mean", "sum"):
        raise ArgumentError(
            f"Trainer: the loss must be one number, a mean or a sum, but its reduction is {found!r}; "
            "use reduction='mean'"
        )
    rule = count or getattr(loss, "count", None) or _rule(loss)
    return Counting(found, rule or _batch, rule is not None)


def _as_loss(loss_fn: Any) -> Any:
    """The module that stands for a function of tt_nn.functional; any other loss as it is."""
    keywords: dict[str, Any] = {}
    function = loss_fn
    if isinstance(loss_fn, functools.partial) and not loss_fn.args:
        function, keywords = loss_fn.func, loss_fn.keywords
    kind = _CLASS_OF.get(function) if getattr(function, "__hash__", None) else None
    return loss_fn if kind is None else kind(**keywords)


def _rule(loss: Any) -> Count | None:
    if isinstance(loss, CrossEntropyLoss | NLLLoss):
        return functools.partial(_labels, loss.ignore_index, loss.weight)
    return _elements if isinstance(loss, Loss) else None


def _elements(outputs: Any, targets: Any) -> float:
    return raw(outputs).size


def _batch(outputs: Any, targets: Any) -> float:
    return rows(targets)


def _labels(ignore_index: int, weight: Any, outputs: Any, targets: Any) -> float:
    """The labels that are not ignored, or the sum of their classes' weights; of probabilities, the rows."""
    labels, x = raw(targets), raw(outputs)
    if labels.dtype.kind == "f" and labels.shape == x.shape:
        return labels.size // (x.shape[1 if x.ndim > 1 else 0] or 1)
    if weight is not None:
        return float(np.sum(raw(weight)[labels[labels != ignore_index]], dtype=np.float64))
    return labels.size - int(np.count_nonzero(labels == ignore_index))
