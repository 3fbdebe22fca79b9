"""One batch in several parts that run side by side: forward and backward of each in a thread of its own.

Small layers are too short for threads, but a whole model over half a batch is long. Each part gets a graph of its own
and gradients of its own, which are added up in the order of the parts. So the bits depend on how many parts there are,
and not on threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tt_autograd import leaf_grads
from tt_nn import Module, shards
from tt_optim.ranges import COUNT
from tt_optim.sums import add_up
from tt_optim.training.batches import BatchError, rows
from tt_tensor import Tensor, default_generator, drawing_from, memory
from tt_tensor.errors import ArgumentError
from tt_tensor.tensor import wrap

__all__ = ["Part", "add_gradients_of", "backward_in_shards", "check_shards", "cut_batch", "run_in_shards"]


class Part(NamedTuple):
    """What came of one part of a batch."""

    loss: float
    terms: float
    """How many terms the loss is over."""
    outputs: Any
    targets: Any
    grads: tuple[Tensor | None, ...]
    """∂loss/∂θ for each parameter, times terms where the loss is a mean."""


Work = Callable[[Any], tuple[Tensor, float, Any, Any]]
"""work(part of a batch) → (loss, count, outputs, targets)."""


def backward_in_shards(
    loss_fn: Callable[..., Tensor], parameters: Sequence[Tensor], *arrays: Any, parts: int = 2
) -> float:
    """Add the gradient of loss_fn(*arrays) to `.grad` of the parameters; the loss.

    The arrays are cut along their first axis in `parts` parts, which run side by side. loss_fn gives the mean over the
    rows that it is given. Random numbers (dropout) are drawn from a stream of its own in each part.

    Raises ArgumentError for a number of parts below 1 or arrays of different lengths.

    >>> import numpy as np
    >>> from tt_nn import Linear, functional as F
    >>> layer, x, y = Linear(3, 2), np.ones((8, 3), np.float32), np.zeros((8, 2), np.float32)
    >>> loss = backward_in_shards(lambda x, y: F.mse_loss(layer(x), y), list(layer.parameters()), x, y)
    >>> layer.weight.grad.shape
    (2, 3)
    """
    COUNT(1)("backward_in_shards: parts", parts)
    if not arrays or len({len(array) for array in arrays}) != 1:
        raise ArgumentError(
            "backward_in_shards: takes arrays of one length to cut, not "
            + (", ".join(str(getattr(array, "shape", array)) for array in arrays) or "none")
        )

    def work(part: Any) -> tuple[Tensor, float, Any, Any]:
        return loss_fn(*part), rows(part), None, None

    wanted = [p for p in parameters if p.requires_grad]
    done = run_in_shards(work, tuple(arrays), wanted, parts)
    total = sum(part.terms for part in done)
    before = [p.grad for p in wanted]
    for p in wanted:
        p.grad = None
    add_gradients_of(done, wanted, total)
    for p, g in zip(wanted, before, strict=True):
        if g is not None:
            p.grad = wrap(g.array + p.grad.array) if p.grad is not None else g
    return sum(part.loss * part.terms for part in done) / (total or 1)


def run_in_shards(
    work: Work, batch: Any, parameters: Sequence[Tensor], parts: int, mean: bool = True
) -> list[Part]:
    """`work` on each part of a batch, side by side; the gradients are left in the parts.

    mean: whether losses are means, whose gradients have to be weighted by their terms.
    """
    length = rows(batch)
    count = max(1, min(parts, length))
    cut = [(length * k // count, length * (k + 1) // count) for k in range(count)]
    streams = default_generator().spawn(count)
    done: list[Any] = [None] * count

    def body(start: int, stop: int, part: int) -> None:
        with drawing_from(streams[part]):
            loss, terms, outputs, targets = work(cut_batch(batch, start, stop))
        grads = leaf_grads(loss, parameters, wrap(np.array(terms if mean else 1, loss.dtype)))
        done[part] = Part(loss.item(), terms, outputs, targets, grads)

    shards.run_parts(body, cut)
    return done


def add_gradients_of(done: Sequence[Part], parameters: Sequence[Tensor], total: float = 1.0) -> None:
    """Add the gradients of all parts to the parameters', in their order; then divide them by a `total` but 0.

    Where a parameter has none yet, that of the first part becomes its own.
    """
    sums: list[list[np.ndarray]] = []
    for index, p in enumerate(parameters):
        arrays = [g.array for part in done if (g := part.grads[index]) is not None]
        if not arrays and p._grad is None:
            continue
        if p._grad is None:
            # Nobody has seen it, so nobody need be told that it is written.
            p.grad = wrap(arrays[0] if arrays[0].flags.writeable else arrays[0].copy())
            arrays[0] = p.grad.array
        else:
            if not p._grad.array.flags.writeable:
                p.grad = wrap(p._grad.array.copy())
            arrays.insert(0, p._grad.array)
            memory.mark_written(arrays[0])
        sums.append(arrays)
    add_up(sums, by=total or 1.0)


def cut_batch(batch: Any, start: int, stop: int) -> Any:
    """Rows start to stop of every array in a batch, however deep; views."""
    if isinstance(batch, Tensor):
        return wrap(batch.array[start:stop]) if batch.array.ndim else batch
    if isinstance(batch, np.ndarray):
        return batch[start:stop] if batch.ndim else batch
    if isinstance(batch, Mapping):
        return {name: cut_batch(value, start, stop) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*[cut_batch(value, start, stop) for value in batch])
    if isinstance(batch, list | tuple):
        return type(batch)([cut_batch(value, start, stop) for value in batch])
    raise BatchError(
        f"Trainer: shards cut a batch of Tensors and arrays, but this one holds {type(batch).__name__}; leave shards "
        "out"
    )


def check_shards(parts: int, model: Module) -> None:
    """Raise ArgumentError where a model looks at its batch as a whole: batch statistics of parts are others."""
    if parts == 1:
        return
    for name, module in model.named_modules():
        if hasattr(module, "track_running_stats"):
            raise ArgumentError(
                f"Trainer: shards={parts}, but {name or type(module).__name__} ({type(module).__name__}) looks at the "
                "statistics of the whole batch; leave shards out (layers for images run in shards by themselves)"
            )
