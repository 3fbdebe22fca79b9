"""LeNet-5: convolutions that see a small window everywhere, and pooling that forgets where exactly it was."""

from __future__ import annotations

from typing import Any

from tt_nn import Flatten, Linear, Sequential
from tt_tensor.errors import ArgumentError
from tt_vision.avg_pooling import AvgPool2d
from tt_vision.conv import Conv2d
from tt_vision.max_pooling import MaxPool2d
from tt_vision.models.mlp import activation_of
from tt_vision.models.weights import fill, settle

__all__ = ["LeNet5", "lenet5"]

STYLES = {"modern": ("relu", MaxPool2d), "1998": ("tanh", AvgPool2d)}


class LeNet5(Sequential):
    """c1 – s2 – c3 – s4 – c5 – f6 – output, the layers' names in the paper: see `lenet5`."""

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
        padding: Any = (2, 0),
        style: str = "modern",
    ) -> None:
        if style not in STYLES:
            raise ArgumentError(f"lenet5: style {style!r} is not one of {', '.join(STYLES)}")
        if not isinstance(padding, list | tuple) or len(padding) != 2:
            raise ArgumentError(f"lenet5: padding is a pair, of c1 and of c3, not {padding!r}")
        activation, pool = STYLES[style]
        c1 = Conv2d(in_channels, 6, 5, padding=padding[0])
        c3 = Conv2d(6, 16, 5, padding=padding[1])
        if not isinstance(image_size, int) or isinstance(image_size, bool):
            raise ArgumentError(f"lenet5: image_size is a whole number, not {image_size!r}")
        side = image_size
        for around in padding:
            side = (side + 2 * around - 4) // 2  # a 5×5 window takes off 4, pooling halves
        if side < 1:
            raise ArgumentError(
                f"lenet5: nothing is left of images of {image_size}×{image_size} after two 5×5 windows padded by "
                f"{tuple(padding)} and two poolings; pad more, (2, 2) keeps the size"
            )
        super().__init__(
            {
                "c1": c1,
                "act1": activation_of("lenet5", activation),
                "s2": pool(2),
                "c3": c3,
                "act3": activation_of("lenet5", activation),
                "s4": pool(2),
                "flatten": Flatten(),
                "c5": Linear(16 * side * side, 120),
                "act5": activation_of("lenet5", activation),
                "f6": Linear(120, 84),
                "act6": activation_of("lenet5", activation),
                "output": Linear(84, num_classes),
            }
        )


def lenet5(
    num_classes: int | None = None,
    in_channels: int | None = None,
    image_size: int | None = None,
    padding: Any = None,
    style: str | None = None,
    weights: str | None = None,
) -> LeNet5:
    """6@5×5 – pool – 16@5×5 – pool – 120 – 84 – classes; 61,706 parameters on 28×28 images of 10 classes.

    Args:
        num_classes: 10 by default.
        in_channels: 1 by default.
        image_size: height and width of the images; 28 by default.
        padding: of c1 and of c3. (2, 0) by default, which makes 28×28 images the paper's 32×32; (0, 0) is for images
            of 32×32, (2, 2) for small ones.
        style: "modern" (the default) has ReLU and max pooling, "1998" tanh and average pooling as the paper.
        weights: "mnist" or "digits" (see `list_cards`); what is left out is then as they have it, and the model is
            in eval mode.

    Of the paper's network both styles leave out what nobody kept: c3 sees all of s2's maps (there a table says which),
    pooling has no weights of its own, and the output is a linear layer of logits instead of distances to drawn digits.
    c5 is the convolution over all that is left, written as the linear layer that it is.

    Input (N, in_channels, image_size, image_size), output (N, num_classes).

    Raises ArgumentError where nothing is left of the image, or an argument contradicts the weights.
    Source: LeCun, Bottou, Bengio & Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998, fig. 2.
    """
    given = {
        "num_classes": num_classes,
        "in_channels": in_channels,
        "image_size": image_size,
        "padding": padding,
        "style": style,
    }
    usual = {"num_classes": 10, "in_channels": 1, "image_size": 28, "padding": (2, 0), "style": "modern"}
    settled, card = settle("lenet5", weights, given, usual)
    return fill(LeNet5(**settled), card)
