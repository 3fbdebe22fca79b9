"""The mistakes that a network was surest of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_data.pictures import finished, new_picture
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.tensor import as_array
from tt_vision.pictures.style import WRONG, bare, style
from tt_vision.pictures.tiles import named, visible

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["worst_mistakes"]


def worst_mistakes(
    images: Any,
    targets: Any,
    logits: Any,
    classes: Sequence[str] | None = None,
    count: int = 16,
    *,
    probabilities: bool = False,
    title: str | None = None,
    path: str | PathLike[str] | None = None,
) -> Figure:
    """The `count` images whose true class got the lowest probability, among those taken for another: worst first.

    Above each image its class, what it was taken for and with which probability.

    Args:
        images: (N, C, H, W), uint8 or floats; normalised ones are stretched to what can be seen.
        targets: true class numbers, (N,).
        logits: (N, K), what the network gives; with `probabilities=True`, its softmax.
        classes: K names.
        title: by default how many mistakes there are.
        path: where to write the picture as PNG.

    Raises ShapeError, DTypeError or ArgumentError for what does not fit together, MissingWheelError without
    matplotlib.
    """
    pixels, true, scores = (as_array(given, "worst_mistakes") for given in (images, targets, logits))
    if pixels.ndim != 4 or scores.ndim != 2 or true.shape != (len(pixels),) or len(scores) != len(pixels):
        raise ShapeError(
            f"worst_mistakes: needs images (N, C, H, W), targets (N,) and logits (N, K), got {pixels.shape}, "
            f"{true.shape} and {scores.shape}"
        )
    if true.dtype.kind not in "iu":
        raise DTypeError(f"worst_mistakes: targets are class numbers, not {true.dtype}")
    if true.size and not (true.min() >= 0 and true.max() < scores.shape[1]):
        raise ArgumentError(
            f"worst_mistakes: targets go from {true.min()} to {true.max()}, "
            f"classes from 0 to {scores.shape[1] - 1}"
        )
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"worst_mistakes: count is an integer from 1, not {count!r}")
    names = named(classes, scores.shape[1], "worst_mistakes")
    chances = _probabilities(scores, probabilities)
    said = chances.argmax(axis=1) if chances.size else np.zeros(0, np.int64)
    wrong = np.flatnonzero(said != true)
    worst = wrong[np.argsort(chances[wrong, true[wrong]], kind="stable")][:count]
    columns = min(max(len(worst), 1), max(4, math.ceil(math.sqrt(count))))
    rows = max(1, -(-len(worst) // columns))
    heading = f"{len(wrong):,} mistakes among {len(true):,} images" if title is None else title
    with style("worst_mistakes"):
        figure, axes = new_picture(rows, columns, max(1.35 * columns, 4), 1.75 * rows + 0.5, heading)
        for axis in axes:
            bare(axis)
        for axis, index in zip(axes, worst.tolist(), strict=False):
            axis.imshow(visible(pixels[index], "worst_mistakes"), cmap="gray", vmin=0, vmax=1)
            taken = f"{names[said[index]]} {chances[index, said[index]]:.0%}"
            bare(axis, f"{names[true[index]]}\n→ {taken}", WRONG)
            axis.title.set_fontsize(8)
        return finished(figure, path)


def _probabilities(scores: Any, given: bool) -> Any:
    """softmax(scores) along axis 1, or the scores, if they are probabilities already."""
    values = scores.astype(np.float64)
    if not np.all(np.isfinite(values)):
        raise ArgumentError("worst_mistakes: the logits are not all finite")
    if given:
        if np.any(values < 0) or not np.allclose(values.sum(axis=1), 1, atol=1e-3):
            raise ArgumentError(
                "worst_mistakes: probabilities are not negative and add up to 1; are these logits?"
            )
        return values
    powers = np.exp(values - values.max(axis=1, keepdims=True, initial=-np.inf))
    return powers / powers.sum(axis=1, keepdims=True)
