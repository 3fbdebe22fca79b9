"""Where a network looks: class activation maps, for networks that end in global average pooling and one Linear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn import Linear
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.pictures.looking import class_probabilities, looked_at, submodule
from tt_vision.pictures.overlay import chosen_class, overlay
from tt_vision.pictures.tiles import named, one_image
from tt_vision.transforms.functional import resize

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["class_activation", "class_activation_map"]


def class_activation_map(model: Any, image: Any, layer: Any, class_index: int | None = None) -> Any:
    """M[i, j] = Σ_c w[k, c] f[c, i, j], in float64: what each place of the last feature maps says for class k.

    The logit of class k is the mean of M and the bias, which is checked.

    Args:
        model: a network that ends in the global average of `layer`'s output and a Linear.
        image: (C, H, W), as the network takes it.
        layer: what gives the feature maps f, (1, C, h, w): a dotted name or the module itself.
        class_index: k; by default the class with the highest score.

    Raises ArgumentError for a network that does not end so, a layer that is not there or a class that is none,
    ShapeError for a layer that gives no maps. Source: Zhou et al., "Learning Deep Features for Discriminative
    Localization", 2016.
    """
    return _mapped(model, image, layer, class_index)[0]


def class_activation(
    model: Any,
    image: Any,
    layer: Any,
    class_index: int | None = None,
    classes: Sequence[str] | None = None,
    picture: Any = None,
    path: str | PathLike[str] | None = None,
) -> Figure:
    """The image, and over it the class activation map: red speaks for the class, blue against it.

    Args:
        model, image, layer, class_index: as for `class_activation_map`.
        classes: the names of the classes.
        picture: what is shown under the map, (C, H, W); by default `image`.
        path: where to write the picture as PNG.

    Raises as `class_activation_map`, and MissingWheelError without matplotlib.
    """
    found, index, probability = _mapped(model, image, layer, class_index)
    pixels = one_image(image, "class_activation")
    heat = resize(found[None], pixels.shape[2:])[0]
    name = named(classes, len(probability), "class_activation")[index]
    under = pixels[0] if picture is None else picture
    return overlay(
        "class_activation", under, heat, f"{name} {probability[index]:.0%}", "class activation", path
    )


def _mapped(model: Any, image: Any, layer: Any, class_index: int | None) -> tuple[Any, int, Any]:
    """The map, the class and the probabilities of all classes."""
    where = "class_activation"
    features, logits = looked_at(model, one_image(image, where), submodule(model, layer, where), where)
    if features.ndim != 4:
        raise ShapeError(f"{where}: the layer gives {features.shape}, not maps (1, C, h, w)")
    probability = class_probabilities(logits, where)[0]
    index = chosen_class(class_index, probability, where)
    maps = features[0].astype(np.float64)
    last = [module for module in model.modules() if isinstance(module, Linear)][-1:]
    if last and last[0].weight.shape == (len(probability), len(maps)):
        found = np.tensordot(last[0].weight.array[index].astype(np.float64), maps, 1)
        bias = 0.0 if last[0].bias is None else float(last[0].bias.array[index])
        if abs(found.mean() + bias - logits[0, index]) <= 1e-3 * max(1.0, np.abs(found).mean()):
            return found, index, probability
    raise ArgumentError(
        f"{where}: {type(model).__name__} does not end in the global average of this layer's maps "
        f"{features.shape[1:]} and a Linear; name the last layer before the pooling, or use occlusion()"
    )
