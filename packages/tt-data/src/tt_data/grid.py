"""A look at a batch: its images under their labels, as PNG.

Made of matplotlib's Figure alone: pyplot is never used, so there is no window and no global state. matplotlib is
imported when a picture is drawn.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_data.arguments import count
from tt_data.pictures import finished, house_style, new_picture, png
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_batch", "show_batch"]


def show_batch(
    batch: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    classes: Sequence[str] | None = None,
    columns: int = 8,
    mean: Any = None,
    std: Any = None,
    limit: int = 64,
) -> bytes | Path:
    """A grid of images, each under its label, as a PNG file; without a path, its bytes.

    Args:
        batch: (images, labels), {"inputs": images, "targets": labels}, images alone, or a loader, whose first batch
            is taken. Images are (N, C, H, W) with one channel (grey) or three (red, green, blue), or (N, H, W): uint8
            from 0 to 255, or floats from 0 to 1; floats beyond that are stretched, where neither mean nor std is given.
        path: where to write; written whole or not at all. An existing file is replaced.
        classes: the name of each label.
        columns: images in a row.
        mean, std: what the images were normalised with, a number or one for each channel; undone before they are shown.
        limit: at most so many images.

    Raises ShapeError, DTypeError or ArgumentError for what is no batch of images, MissingWheelError without matplotlib.
    """
    figure = draw_batch(batch, classes=classes, columns=columns, mean=mean, std=std, limit=limit)
    if path is None:
        return png(figure)
    finished(figure, path)
    return Path(path)


def draw_batch(
    batch: Any,
    *,
    classes: Sequence[str] | None = None,
    columns: int = 8,
    mean: Any = None,
    std: Any = None,
    limit: int = 64,
) -> Figure:
    """The figure that `show_batch` writes. Arguments and errors as there."""
    images, labels = _parts(batch)
    pixels = _pixels(images, mean, std)[: count("show_batch", "limit", limit, least=1)]
    names = _names(labels, classes, len(images))[: len(pixels)]
    columns = min(count("show_batch", "columns", columns, least=1), len(pixels))
    rows = -(-len(pixels) // columns)
    with house_style("show_batch"):
        width, height = 1.05 * columns, (1.3 if any(names) else 1.05) * rows
        figure, axes = new_picture(rows, columns, width, height)
        for axis in axes:
            axis.set_axis_off()
        for axis, image, name in zip(axes, pixels, names, strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            if name:
                axis.set_title(name, fontsize=9, pad=3)
    return figure


def _parts(batch: Any) -> tuple[np.ndarray, Any]:
    """(images, labels or None) of what is one of several things."""
    if isinstance(batch, Mapping):
        if "inputs" not in batch:
            raise DTypeError(
                f"show_batch: a batch that is a dict has 'inputs', this one has {sorted(map(str, batch))}"
            )
        images, labels = batch["inputs"], batch.get("targets")
    elif isinstance(batch, tuple | list) and len(batch) == 2:
        images, labels = batch
    elif isinstance(batch, tuple | list) and len(batch) == 1:
        (images,), labels = batch, None
    elif isinstance(batch, Tensor | np.ndarray):
        images, labels = batch, None
    elif hasattr(batch, "__iter__") and not isinstance(batch, tuple | list | str | bytes):
        first = next(iter(batch), None)
        if first is None:
            raise ArgumentError("show_batch: the loader gave no batch")
        return _parts(first)
    else:
        raise DTypeError(
            f"show_batch: takes (images, labels), images, or a loader, not {type(batch).__name__} of another form"
        )
    return np.asarray(images), labels


def _pixels(images: np.ndarray, mean: Any, std: Any) -> np.ndarray:
    """(N, H, W) or (N, H, W, 3), from 0 to 1."""
    if images.dtype.kind not in "fiub":
        raise DTypeError(f"show_batch: images are numbers, not {images.dtype}")
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise ShapeError(
            f"show_batch: images are (N, C, H, W) with 1 or 3 channels, or (N, H, W), at least one; not {images.shape}"
        )
    shown = images.astype(np.float64) / (255 if images.dtype == np.uint8 else 1)
    if mean is not None or std is not None:
        shown = shown * _channels("std", std, 1.0, shown) + _channels("mean", mean, 0.0, shown)
    elif images.dtype != np.uint8 and np.isfinite(shown).any():
        low, high = np.nanmin(shown), np.nanmax(shown)
        if low < 0 or high > 1:
            shown = (shown - low) / ((high - low) or 1)
    shown = np.nan_to_num(shown, nan=0, posinf=1, neginf=0).clip(0, 1).transpose(0, 2, 3, 1)
    return shown[..., 0] if shown.shape[-1] == 1 else shown


def _channels(name: str, value: Any, otherwise: float, images: np.ndarray) -> np.ndarray:
    """(C, 1, 1), or a number."""
    found = np.asarray(otherwise if value is None else value, np.float64)
    if found.ndim == 0:
        return found
    if found.shape[0] != images.shape[1] or found.size != found.shape[0]:
        raise ShapeError(
            f"show_batch: {name} of shape {found.shape} for images of {images.shape[1]} channels"
        )
    return found.reshape(-1, 1, 1)


def _names(labels: Any, classes: Sequence[str] | None, images: int) -> list[str]:
    if labels is None:
        return [""] * images
    values = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    if len(values) != images:
        raise ShapeError(f"show_batch: {len(values)} labels for {images} images")
    if classes is None:
        return [f"{value:.3g}" if isinstance(value, float) else str(value) for value in values]
    try:
        return [str(classes[value]) for value in values]
    except (IndexError, TypeError, KeyError) as error:
        raise ArgumentError(f"show_batch: {len(classes)} classes do not name the labels: {error}") from error
