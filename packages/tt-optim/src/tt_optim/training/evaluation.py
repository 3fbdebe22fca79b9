"""Evaluating and predicting: without a tape, in eval mode, and everything as it was afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tt_autograd import no_grad
from tt_nn import Module
from tt_nn.fusions import one_way
from tt_optim.training.batches import BatchError, Forward, batches_of
from tt_optim.training.counting import Counting
from tt_optim.training.metrics import Mean, Metric
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.tensor import as_array, wrap

__all__ = ["evaluating", "measure", "outputs_of"]


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Inside, nothing is recorded and every module is in eval mode; afterwards each has the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with no_grad(), one_way():
            yield
    finally:
        for module, mode in modes:
            if module.training != mode:
                module.training = mode


def measure(
    model: Module,
    data: Any,
    forward: Forward,
    loss_fn: Callable[..., Any],
    rule: Counting,
    metrics: Sequence[Metric],
    look: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """{"loss": mean over all terms, metric's name: its figure} of all batches of `data`.

    `look` is called before each batch and may raise. Raises ArgumentError for data without a batch.
    """
    loss = Mean()
    for metric in metrics:
        metric.reset()
    empty = True
    with evaluating(model):
        for batch in batches_of(data):
            empty = False
            look()
            outputs, targets = forward(model, batch)
            count = rule.terms(outputs, targets)
            found = loss_fn(outputs, targets)
            if not isinstance(found, Tensor):
                raise BatchError(f"Trainer: the loss must be a Tensor, not {type(found).__name__}")
            value = float(found.item())
            loss.add(value if rule.reduction == "mean" or not count else value / count, count)
            for metric in metrics:
                metric.update(outputs, targets)
    if empty:
        raise ArgumentError(
            "evaluate: the data gave no batch; is the iterable empty, or a one-shot iterator that was used already?"
        )
    return {"loss": loss.compute(), **{metric.name: metric.compute() for metric in metrics}}


def outputs_of(model: Module, data: Any, forward: Callable[[Module, Any], Any]) -> Any:
    """The outputs of all batches, joined along the first axis; of outputs that are tuples or dicts, each part.

    Raises ArgumentError for data without a batch, ShapeError where the parts do not join.
    """
    with evaluating(model):
        found = [forward(model, batch) for batch in batches_of(data)]
    if not found:
        raise ArgumentError("predict: the data gave no batch; is the iterable empty, or used up?")
    return _joined(found)


def _joined(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, tuple | list):
        return tuple(_joined(list(column)) for column in zip(*parts, strict=True))
    if isinstance(first, Mapping):
        return {name: _joined([part[name] for part in parts]) for name in first}
    arrays = [part.array if isinstance(part, Tensor) else as_array(part, "predict") for part in parts]
    try:
        return wrap(np.concatenate(arrays) if arrays[0].ndim else np.stack(arrays))
    except ValueError as error:
        shapes = sorted({array.shape for array in arrays})
        raise ShapeError(f"predict: outputs of shapes {shapes} do not join along the first axis") from error
