"""Clipping: keep a gradient from being too large, without changing where it points (or each number's size)."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import accumulate

import numpy as np

from tt_nn import shards
from tt_optim import stretches
from tt_optim.ranges import number
from tt_optim.stretches import each_stretch, flat_view, many
from tt_optim.sums import add_up
from tt_tensor import Tensor, memory
from tt_tensor.errors import ArgumentError, DTypeError, GradientError
from tt_tensor.kernels import table
from tt_tensor.tensor import wrap

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]

CHUNK = 1 << 16
"""So many numbers are summed at a time."""

SMALL = 1 << 13
"""Arrays of fewer numbers are joined first: a call of NumPy costs as much as some thousand numbers."""

RUN = 1 << 10
"""So many float32 squares are summed in float32: what their rounding adds to a norm is below that of a float32."""

LEAST, MOST = 1e-30, 1e38
"""Mean and sum of float32 squares between which none overflow, and those that underflow do not count."""


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """g ← g · min(1, max_norm / (‖all g‖ + 1e-6)), in place; the norm is that of all gradients as one vector.

    parameters: Tensors of any shape; those without a gradient are passed over.
    max_norm: ≥ 0. norm_type: p > 0 of the p-norm, inf (or "inf") for the largest absolute value.
    error_if_nonfinite: raise instead of scaling by a norm that is nan or inf.
    foreach: taken for PyTorch's sake, without effect.

    Returns the norm before clipping, shape (), in the gradients' dtype; summed in float64.

    Raises ArgumentError for a value out of range, DTypeError for what is no Tensor, GradientError for a norm that
    is not finite if asked to; then no gradient was changed.
    Source: Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063.
    """
    found = _tensors("clip_grad_norm_", parameters)
    max_norm = number("clip_grad_norm_: max_norm", max_norm)
    if not max_norm >= 0:
        raise ArgumentError(f"clip_grad_norm_: max_norm must be at least 0, not {max_norm}")
    total = get_total_norm([p.grad for p in found if p.grad is not None], norm_type, error_if_nonfinite)
    scale = max_norm / (total.item() + 1e-6)
    if not scale >= 1:  # also for nan, which is to be seen
        _scale(found, scale)
    return total


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """g ← min(max(g, −clip_value), clip_value), in place; `foreach` is taken for PyTorch's sake, without effect.

    Raises ArgumentError for a clip_value that is no number of at least 0, DTypeError for what is no Tensor.
    """
    found = _tensors("clip_grad_value_", parameters)
    limit = number("clip_grad_value_: clip_value", clip_value)
    if not limit >= 0:
        raise ArgumentError(f"clip_grad_value_: clip_value must be at least 0, not {clip_value}")
    _change(found, lambda grad, out=None: np.clip(grad, -limit, limit, out))


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over the numbers of all tensors, as if they were one vector; p = inf: the largest |x|.

    Returns shape (), in the tensors' dtype (float32 for none, which have norm 0); summed in float64.

    Raises ArgumentError for norm_type ≤ 0, GradientError for a norm that is not finite if asked to.
    """
    arrays = [tensor.array for tensor in _tensors("get_total_norm", tensors)]
    p = math.inf if norm_type == "inf" else number("get_total_norm: norm_type", norm_type)
    if not p > 0:
        raise ArgumentError(f"get_total_norm: norm_type must be greater than 0, or inf, not {norm_type}")
    whole = _squares(arrays) if p == 2 else None
    parts = _power_sums(list(_chunks(arrays)), p) if whole is None else [whole]
    if p == math.inf:
        norm = float(np.max(parts)) if parts else 0.0
    else:
        norm = float(np.sum(parts)) ** (1 / p)
    if error_if_nonfinite and not math.isfinite(norm):
        raise GradientError(
            f"get_total_norm: the norm of order {p} is {norm}, so it cannot be clipped; look for the operation "
            "that made it, or pass error_if_nonfinite=False"
        )
    dtype = np.result_type(*arrays) if arrays else np.dtype(np.float32)
    with np.errstate(over="ignore"):
        return wrap(np.array(norm, dtype))


def _squares(arrays: list[np.ndarray]) -> float | None:
    """Σ x² of all arrays in one pass, where the kernel in use has a way to do that."""
    of_many = getattr(table.kernel("sum_of_squares"), "of_many", None)
    if of_many is None or len(arrays) < 2:
        return None
    found: float | None = of_many(arrays)
    return found


def _power_sums(chunks: list[np.ndarray], p: float) -> list[float]:
    """Σ |x|ᵖ of each chunk (inf: the largest |x|), side by side where they are many."""
    sums, offsets = [0.0] * len(chunks), [0, *accumulate(chunk.size for chunk in chunks)]
    squares = table.kernel("sum_of_squares") if p == 2 else None

    def body(start: int, stop: int, part: int) -> None:
        # Whole chunks, so that the bits do not depend on the number of threads.
        for k in range(bisect_left(offsets, start), bisect_left(offsets, stop)):
            chunk = chunks[k]
            sums[k] = _power_sum(chunk.astype(np.float64), p) if squares is None else squares(chunk)

    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        shards.run(body, offsets[-1], stretches.WORTH)
    return sums


def _power_sum(chunk: np.ndarray, p: float) -> float:
    """Σ |x|ᵖ of a float64 chunk, which is overwritten (inf: the largest |x|)."""
    np.abs(chunk, chunk)
    if p == math.inf:
        return float(np.max(chunk))
    return float(np.sum(chunk if p == 1 else np.power(chunk, p, chunk)))


def loops(chunk: np.ndarray) -> float:
    """Σ x² of a 1-D chunk in float64, one number after the other: the operation "sum_of_squares"."""
    total = 0.0
    for value in chunk.tolist():
        total += value * value
    return total


def numpy(chunk: np.ndarray) -> float:
    """The same, of runs that BLAS sums in the chunk's dtype: one pass, without a copy."""
    if chunk.dtype.char in "fd":
        whole = chunk.size - chunk.size % RUN
        runs, rest = chunk[:whole].reshape(-1, RUN), chunk[whole:]
        total = float(np.add.reduce(np.vecdot(runs, runs), 0, np.float64))
        if rest.size:
            total += float(np.vecdot(rest, rest))
        if chunk.dtype.char == "d" or LEAST * chunk.size < total < MOST:
            return total
    return numpy(chunk.astype(np.float64))


table.register("sum_of_squares", "loops", loops)
table.register("sum_of_squares", "numpy", numpy, default=True)


def _chunks(arrays: list[np.ndarray]) -> Iterable[np.ndarray]:
    """All numbers in 1-D pieces of one dtype each: small arrays joined, large ones cut."""
    waiting: list[np.ndarray] = []
    count = 0
    for array in arrays:
        if array.size >= SMALL:
            flat = array.ravel("K")
            for start in range(0, flat.size, CHUNK):
                yield flat[start : start + CHUNK]
        elif array.size:
            waiting.append(array)
            count += array.size
            if count > CHUNK:
                yield np.concatenate(waiting, axis=None)
                waiting, count = [], 0
    if waiting:
        yield np.concatenate(waiting, axis=None)


def _scale(parameters: list[Tensor], scale: float) -> None:
    """g ← g · scale for each gradient once; in place where memory may be written."""
    add_up([(array,) for array in _writeable(parameters, lambda grad: np.multiply(grad, scale))], times=scale)


def _change(parameters: list[Tensor], rule: Callable[..., np.ndarray]) -> None:
    """Apply `rule`, which computes number by number, to each gradient once; in place where memory may be written."""
    arrays = _writeable(parameters, rule)
    flat = [flat_view(array) for array in arrays] if many(sum(array.size for array in arrays)) else []
    shared = [view for view in flat if view is not None]
    for array, view in zip(arrays, flat or [None] * len(arrays), strict=True):
        if view is None:
            rule(array, array)

    def work(k: int, low: int, high: int) -> None:
        rule(shared[k][low:high], shared[k][low:high])

    if shared:
        each_stretch(work, [view.size for view in shared])


def _writeable(parameters: list[Tensor], rule: Callable[..., np.ndarray]) -> list[np.ndarray]:
    """The gradients to write, each once, counted as written; one of read-only memory is replaced by rule(of it)."""
    found: dict[int, np.ndarray] = {}
    for p in parameters:
        if p.grad is None or id(p.grad.array) in found:
            continue
        array = p.grad.array
        if array.flags.writeable:
            found[id(array)] = array
            memory.mark_written(array)
        else:
            p.grad = wrap(rule(array))
    return list(found.values())


def _tensors(who: str, tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(tensors, Tensor):
        return [tensors]
    if not isinstance(tensors, Iterable):
        raise DTypeError(f"{who}: takes a Tensor or an iterable of Tensors, not {type(tensors).__name__}")
    found = list(tensors)
    for tensor in found:
        if not isinstance(tensor, Tensor):
            raise DTypeError(f"{who}: takes Tensors, not {type(tensor).__name__}")
    return found
