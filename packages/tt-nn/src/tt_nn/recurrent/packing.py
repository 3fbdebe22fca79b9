"""Sequences of different lengths in one batch: padded to the longest, or packed without what pads.

a b c        packed, step after step:  a d f | b e | c      3, 2 and 1 sequences go on at steps 0, 1 and 2
d e
f
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tt_tensor import Tensor, as_tensor, stack, swapaxes
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.ops.plain import raw
from tt_tensor.tensor import wrap

__all__ = [
    "PackedSequence",
    "again_like",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "side_by_side",
]


class PackedSequence(NamedTuple):
    """Sequences step after step, the longest first: what `pack_padded_sequence` gives, and RNN, LSTM and GRU take."""

    data: Tensor
    """All steps of all sequences, (sum of the lengths, …)."""

    batch_sizes: Tensor
    """How many sequences go on at each step, int64 (steps,), falling."""

    sorted_indices: Tensor | None = None
    """Which sequence of the batch stands at each place; None where they came sorted."""

    unsorted_indices: Tensor | None = None
    """At which place each sequence of the batch stands."""


def pad_sequence(
    sequences: Sequence[Any],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (Tᵢ, …) in one Tensor (T, N, …), T the longest, or (N, T, …); what is short is filled with a value.

    Args:
        batch_first: whether N comes first.
        padding_value: what fills.
        padding_side: "right", after the end, or "left".

    Raises ArgumentError for no sequence or another side, ShapeError where they differ in other axes than the first.

    >>> pad_sequence([[1, 2, 3], [4]], batch_first=True).tolist()
    [[1, 2, 3], [4, 0, 0]]
    """
    found = [as_tensor(sequence) for sequence in sequences]
    if not found:
        raise ArgumentError("pad_sequence: takes at least one sequence")
    if padding_side not in ("right", "left"):
        raise ArgumentError(f"pad_sequence: padding_side is 'right' or 'left', not {padding_side!r}")
    if not all(x.ndim and x.shape[1:] == found[0].shape[1:] for x in found):
        raise ShapeError(
            f"pad_sequence: sequences differ in their first axis only, not {', '.join(str(x.shape) for x in found)}"
        )
    longest = max(map(len, found))
    rows = []
    for x in found:
        missing = longest - len(x)
        ends = (missing, 0) if padding_side == "left" else (0, missing)
        rows.append(x.pad((ends, *[(0, 0)] * (x.ndim - 1)), constant_values=padding_value) if missing else x)
    return stack(rows, 0 if batch_first else 1)


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The first lengths[n] steps of each sequence of input (T, N, …), or (N, T, …) with batch_first, without the rest.

    Args:
        lengths: N whole numbers from 1 to T.
        enforce_sorted: the longest come first; otherwise they are sorted here, and put back by what unpacks.

    Raises ArgumentError for lengths that are none, or not sorted, ShapeError where there are not N.
    """
    x = as_tensor(input)
    if x.ndim < 2:
        raise ShapeError(f"pack_padded_sequence: the input is (steps, batch, …), not of shape {x.shape}")
    x = swapaxes(x, 0, 1) if batch_first else x
    sizes = np.asarray(raw(lengths))
    if sizes.dtype.kind not in "iu":
        raise DTypeError(f"pack_padded_sequence: lengths are whole numbers, not {sizes.dtype}")
    if sizes.shape != (x.shape[1],) or not sizes.size:
        raise ShapeError(
            f"pack_padded_sequence: for {x.shape[1]} sequences there are lengths of shape {sizes.shape}; one for each, "
            "and at least one"
        )
    if sizes.min() < 1 or sizes.max() > len(x):
        raise ArgumentError(f"pack_padded_sequence: lengths are from 1 to {len(x)}, not {sizes.tolist()}")
    order = None
    if enforce_sorted:
        if (np.diff(sizes.astype(np.int64)) > 0).any():
            raise ArgumentError(
                f"pack_padded_sequence: the longest come first, not lengths {sizes.tolist()}; sort the batch, or pass "
                "enforce_sorted=False"
            )
    else:
        order = np.argsort(-sizes.astype(np.int64), kind="stable")
        sizes = sizes[order]
    batch = (sizes[None] > np.arange(sizes[0])[:, None]).sum(axis=1).astype(np.int64)
    times, places = _steps(batch)
    data = x[times, places if order is None else order[places]]
    if order is None:
        return PackedSequence(data, wrap(batch))
    return PackedSequence(data, wrap(batch), wrap(order), wrap(np.argsort(order)))


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (Tᵢ, …), packed: `pad_sequence` and `pack_padded_sequence` in one. Raises as they do."""
    return pack_padded_sequence(
        pad_sequence(sequences), [len(as_tensor(x)) for x in sequences], enforce_sorted=enforce_sorted
    )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The sequences (T, N, …), or (N, T, …), in the order in which they were packed, and their lengths, int64 (N,).

    Args:
        padding_value: what stands behind the end of each.
        total_length: T, if not that of the longest.

    Raises ArgumentError for a total_length below the longest.
    """
    x, last = side_by_side(sequence)
    lengths = last + 1
    real = np.arange(len(x))[:, None] < lengths
    x = np.where(real.reshape(*real.shape, *(1,) * (x.ndim - 2)), x, np.asarray(padding_value, x.dtype))  # type: ignore[assignment]
    if total_length is not None:
        missing = whole_number("pad_packed_sequence", "total_length", total_length) - len(x)
        if missing < 0:
            raise ArgumentError(
                f"pad_packed_sequence: total_length {total_length} is below the longest sequence, {len(x)}"
            )
        x = x.pad(((0, missing), *[(0, 0)] * (x.ndim - 1)), constant_values=padding_value)
    if sequence.unsorted_indices is not None:
        back = sequence.unsorted_indices.array
        x, lengths = x[:, back], lengths[back]
    return (swapaxes(x, 0, 1) if batch_first else x), wrap(lengths)


def side_by_side(packed: PackedSequence) -> tuple[Tensor, Any]:
    """The sequences (T, N, …), the longest first, with anything behind their ends; and the last step of each, (N,)."""
    batch = packed.batch_sizes.array
    starts = np.cumsum(batch) - batch
    places = np.arange(batch[0])
    there = places < batch[:, None]
    # What is behind an end is the first step of all: finite, and of no consequence.
    return packed.data[np.where(there, starts[:, None] + places, 0)], there.sum(axis=0) - 1


def again_like(packed: PackedSequence, x: Tensor) -> PackedSequence:
    """x (T, N, …), packed as `packed` is."""
    return packed._replace(data=x[_steps(packed.batch_sizes.array)])


def _steps(batch: Any) -> tuple[Any, Any]:
    """Step and place of each row of what is packed."""
    there = np.arange(batch[0]) < batch[:, None]
    times, places = there.nonzero()
    return times, places
