"""TransformedDataset: a dataset with its inputs and targets transformed, a whole batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tt_data.collate import collate, like
from tt_data.dataset import Dataset, fetch_many
from tt_data.whole_batch import samples_of
from tt_tensor import Tensor
from tt_tensor.errors import DTypeError, ShapeError

__all__ = ["TransformedDataset"]


class TransformedDataset(Dataset):
    """sample[i] = (transform(x), target_transform(y), …) of the dataset's (x, y, …).

    Args:
        dataset: its samples are tuples or lists with the inputs first and the targets second, dicts with "inputs" and
            "targets", or the inputs alone.
        transform: called once for a batch with an array (N, …), gives an array or a Tensor (N, …).
        target_transform: the same for the targets.

    A single sample is a batch of one: `dataset[i]` is the first row of `dataset.__getitems__([i])`, with the same
    random numbers. Where the inputs of a batch have different shapes, each of them is a batch of one.

    Raises DTypeError for other samples, ShapeError where a transform changes the number of samples.
    """

    def __init__(
        self,
        dataset: Any,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        for name, given in (("transform", transform), ("target_transform", target_transform)):
            if given is not None and not callable(given):
                raise DTypeError(
                    f"TransformedDataset: {name} is something to call, not {type(given).__name__}"
                )
        self.dataset, self.transform, self.target_transform = dataset, transform, target_transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        return self._one(self.dataset[index])

    def __getitems__(self, indices: Sequence[Any]) -> Any:
        found = fetch_many(self.dataset, indices)
        if isinstance(found, list):
            if len({np.shape(_inputs(sample)) for sample in found}) > 1:
                return [self._one(sample) for sample in found]
            found = collate(found, indices)
        return self._changed(found)

    def _one(self, sample: Any) -> Any:
        return samples_of(self._changed(collate([sample])), 1)[0]

    def _changed(self, batch: Any) -> Any:
        """The batch with both transforms applied to their parts."""
        if isinstance(batch, Mapping):
            changed = dict(batch)
            changed["inputs"] = _apply(self.transform, _part(batch, "inputs"))
            if self.target_transform is not None:
                changed["targets"] = _apply(self.target_transform, _part(batch, "targets"))
            return changed
        if isinstance(batch, tuple | list):
            parts = list(batch)
            parts[0] = _apply(self.transform, parts[0])
            if self.target_transform is not None:
                if len(parts) < 2:
                    raise DTypeError(
                        "TransformedDataset: there are no targets to transform; samples have one part"
                    )
                parts[1] = _apply(self.target_transform, parts[1])
            return like(batch, parts)
        if self.target_transform is not None:
            raise DTypeError(
                "TransformedDataset: there are no targets to transform; samples are inputs alone"
            )
        return _apply(self.transform, batch)


def _part(batch: Mapping[str, Any], name: str) -> Any:
    if name not in batch:
        raise DTypeError(
            f"TransformedDataset: a sample that is a dict has {name!r}, this one has {sorted(batch)}"
        )
    return batch[name]


def _apply(transform: Callable[[Any], Any] | None, part: Any) -> Any:
    if transform is None:
        return part
    given = part.array if isinstance(part, Tensor) else np.asarray(part)
    changed = transform(given)
    shape = np.shape(changed)
    if shape[:1] != given.shape[:1]:
        raise ShapeError(
            f"TransformedDataset: {transform!r} made {shape} of {given.shape}; axis 0 counts the samples and stays. "
            "A function of one sample goes into PerSample(function)"
        )
    return changed


def _inputs(sample: Any) -> Any:
    if isinstance(sample, Mapping):
        return _part(sample, "inputs")
    return sample[0] if isinstance(sample, tuple | list) else sample
