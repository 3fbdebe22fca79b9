"""Where a network looks, for any network: hide a part of the image, and see whether it still knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn import Module
from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError, DTypeError
from tt_tensor.tensor import wrap
from tt_vision.pictures.looking import class_probabilities, evaluating
from tt_vision.pictures.overlay import chosen_class, overlay
from tt_vision.pictures.tiles import named, one_image

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["occlusion", "occlusion_map"]

BATCH = 64


def occlusion_map(
    model: Any,
    image: Any,
    class_index: int | None = None,
    size: int | None = None,
    stride: int | None = None,
    fill: float | None = None,
) -> Any:
    """M[i, j] = p - the mean of p′ over all patches that hide (i, j), with p the probability of the class, (H, W).

    Args:
        model: a network that gives scores (N, K); it runs in evaluation and is left in the mode in which it was.
        image: (C, H, W), as the network takes it.
        class_index: the class; by default the likeliest.
        size: the side of the square patch; by default a quarter of the shorter side.
        stride: the step from patch to patch; by default half the size.
        fill: what hides; by default the mean of the image.

    Raises ArgumentError for other arguments. Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional
    Networks", 2014.
    """
    return _mapped(model, image, class_index, size, stride, fill)[0]


def occlusion(
    model: Any,
    image: Any,
    class_index: int | None = None,
    size: int | None = None,
    stride: int | None = None,
    fill: float | None = None,
    classes: Sequence[str] | None = None,
    picture: Any = None,
    path: str | PathLike[str] | None = None,
) -> Figure:
    """The image, and over it the occlusion map: hiding what is red costs the class its probability.

    Args:
        model, image, class_index, size, stride, fill: as for `occlusion_map`.
        classes: the names of the classes.
        picture: what is shown under the map, (C, H, W); by default `image`.
        path: where to write the picture as PNG.

    Raises as `occlusion_map`, and MissingWheelError without matplotlib.
    """
    found, index, probability = _mapped(model, image, class_index, size, stride, fill)
    name = named(classes, len(probability), "occlusion")[index]
    under = one_image(image, "occlusion")[0] if picture is None else picture
    return overlay("occlusion", under, found, f"{name} {probability[index]:.0%}", "lost when hidden", path)


def _mapped(
    model: Any, image: Any, class_index: int | None, size: int | None, stride: int | None, fill: float | None
) -> tuple[Any, int, Any]:
    """The map, the class and the probabilities of all classes."""
    if not isinstance(model, Module):
        raise DTypeError(f"occlusion: the model is a Module, not {type(model).__name__}")
    pixels = one_image(image, "occlusion")
    h, w = pixels.shape[2:]
    side = max(1, min(h, w) // 4) if size is None else size
    step = max(1, side // 2) if stride is None else stride
    for name, value, most in (("size", side, min(h, w)), ("stride", step, side)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ArgumentError(f"occlusion: {name} is an integer from 1 to {most}, not {value!r}")
    hiding = pixels.mean() if fill is None else number("occlusion", "fill", fill)
    # The last row and column of patches end with the image.
    corners = [(top, left) for top in _starts(h, side, step) for left in _starts(w, side, step)]
    with evaluating(model):
        probability = class_probabilities(model(wrap(pixels)).array, "occlusion")[0]
        index = chosen_class(class_index, probability, "occlusion")
        total, times = np.zeros((h, w)), np.zeros((h, w))
        for start in range(0, len(corners), BATCH):
            some = corners[start : start + BATCH]
            hidden = np.repeat(pixels, len(some), axis=0)
            for one, (top, left) in zip(hidden, some, strict=True):
                one[:, top : top + side, left : left + side] = hiding
            left_over = class_probabilities(model(wrap(hidden)).array, "occlusion")[:, index]
            for chance, (top, left) in zip(left_over, some, strict=True):
                total[top : top + side, left : left + side] += probability[index] - chance
                times[top : top + side, left : left + side] += 1
    return total / times, index, probability


def _starts(length: int, side: int, step: int) -> list[int]:
    return sorted({*range(0, length - side + 1, step), length - side})
