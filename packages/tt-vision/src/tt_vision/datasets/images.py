"""ImageDataset: images in one array, from which whole batches are taken at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from tt_data.dataset import Dataset
from tt_data.errors import DatasetError
from tt_tensor import Tensor, as_tensor
from tt_tensor.errors import IndexingError
from tt_tensor.tensor import as_array

__all__ = ["ImageDataset", "Images", "Labels", "Transform"]

Images: TypeAlias = npt.NDArray[np.uint8]
Labels: TypeAlias = npt.NDArray[np.int64]
Transform: TypeAlias = Callable[[Any], Any]


class ImageDataset(Dataset):
    """dataset[i] = (image (C, H, W), label);  dataset.__getitems__([i, j, …]) = (images (N, C, H, W), labels (N,)).

    A `transform` is called once for a whole batch, with an array (N, C, H, W) of uint8, and returns the images to
    deliver; a single image is a batch of one. A `target_transform` likewise gets the labels, int64 of shape (N,).
    Without a transform images come as they are: uint8, 0 to 255. What is delivered is Tensors with memory of their
    own (the label of a single image without a target_transform is an int).

    Args:
        data: the images, uint8 (N, C, H, W): an array, a Tensor or what makes one.
        targets: their labels, integers (N,), also as a list, each an index into `classes`.
        classes: the names of the classes.
        transform: what is done to each batch of images.
        target_transform: what is done to each batch of labels.

    Attributes: `data` and `targets`, NumPy arrays; the channels of a pixel lie side by side in memory (channels last),
    as layers want them. `classes`, a tuple; `class_to_idx`, its inverse. `mean` and `std` of a dataset of this package
    are those of the training images' channels on the scale 0 to 1, for `Normalize` after `ToTensor`.

    Raises DatasetError if the arrays do not fit each other.
    """

    mean: ClassVar[tuple[float, ...]] = ()
    std: ClassVar[tuple[float, ...]] = ()

    def __init__(
        self,
        data: Images,
        targets: Labels,
        classes: Sequence[str],
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        name = type(self).__name__
        data, targets = as_array(data, name), as_array(targets, name)
        if data.dtype != np.uint8 or data.ndim != 4:
            raise DatasetError(
                f"{name}: images are uint8 (N, C, H, W), not {data.dtype} of shape {data.shape}"
            )
        if targets.dtype.kind not in "iu" or targets.shape != data.shape[:1]:
            raise DatasetError(
                f"{name}: {len(data)} images need as many labels, integers of shape ({len(data)},), not "
                f"{targets.dtype} of shape {targets.shape}"
            )
        if targets.size and not 0 <= targets.min() <= targets.max() < len(classes):
            raise DatasetError(
                f"{name}: labels go from {targets.min()} to {targets.max()}, but there are {len(classes)} classes"
            )
        self.data, self.targets = data, targets.astype(np.int64, copy=False)
        self.classes = tuple(classes)
        self.transform, self.target_transform = transform, target_transform

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class by its name."""
        return {name: label for label, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        try:
            at = range(len(self))[index]
        except (IndexError, TypeError) as error:
            raise self._wrong(index) from error
        if not isinstance(at, int):
            raise self._wrong(index)
        images, labels = self._transformed(np.array([at]))
        return images[0], labels[0] if self.target_transform is not None else int(self.targets[at])

    def __getitems__(self, indices: Sequence[int]) -> tuple[Any, Any]:
        try:
            return self._transformed(np.asarray(indices, np.intp))
        except IndexError as error:
            raise self._wrong(indices) from error

    def __repr__(self) -> str:
        more = "".join(
            f", {name}={value!r}"
            for name in ("transform", "target_transform")
            if (value := getattr(self, name)) is not None
        )
        return f"{type(self).__name__}({len(self)} images of {tuple(self.data.shape[1:])}{more})"

    def _transformed(self, rows: npt.NDArray[np.intp]) -> tuple[Any, Any]:
        images, labels = self._taken(rows), self.targets[rows]
        found: tuple[Any, Any] = (
            images if self.transform is None else self.transform(images),
            labels if self.target_transform is None else self.target_transform(labels),
        )
        return _as_delivered(found[0]), _as_delivered(found[1])

    def _taken(self, rows: npt.NDArray[np.intp]) -> Images:
        # Whole pixels are copied, in the order in which they lie.
        return self.data.transpose(0, 2, 3, 1)[rows].transpose(0, 3, 1, 2)

    def _wrong(self, index: Any) -> IndexingError:
        return IndexingError(
            f"{type(self).__name__}: {index!r} is no index into {len(self)} images; "
            "take several with dataset.__getitems__([…]), a part with Subset"
        )


def _as_delivered(batch: Any) -> Tensor | Any:
    return as_tensor(batch) if isinstance(batch, np.ndarray) else batch
