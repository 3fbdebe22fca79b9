"""cifar_cnn: the small convolutional network that milestone-cifar10 trains."""

from __future__ import annotations

from collections.abc import Sequence

from tt_nn import Flatten, Linear, Module, ReLU, Sequential
from tt_tensor.errors import ArgumentError
from tt_vision.batch_norm import BatchNorm2d
from tt_vision.conv import Conv2d
from tt_vision.max_pooling import MaxPool2d
from tt_vision.models.weights import fill, settle

__all__ = ["CifarCNN", "cifar_cnn"]

WIDTHS = ((32, 32), (64, 64), (128,))


class CifarCNN(Sequential):
    """Stages of 3×3 convolution – batch norm – ReLU, a 2×2 max pooling after each, then one linear layer.

    See `cifar_cnn`. Layers are called conv1, bn1, relu1, conv2, …, pool1, …, flatten, fc.
    """

    def __init__(
        self,
        num_classes: int = 10,
        widths: Sequence[Sequence[int]] = WIDTHS,
        in_channels: int = 3,
        image_size: int = 32,
    ) -> None:
        if not isinstance(widths, list | tuple) or not all(
            isinstance(stage, list | tuple) for stage in widths
        ):
            raise ArgumentError(
                f"cifar_cnn: widths is a row of stages, each a row of channels, not {widths!r}"
            )
        if not isinstance(image_size, int) or isinstance(image_size, bool) or image_size >> len(widths) < 1:
            raise ArgumentError(
                f"cifar_cnn: images of {image_size!r} pixels cannot be halved {len(widths)} times, once by each stage"
            )
        layers: dict[str, Module] = {}
        channels, number = in_channels, 0
        for stage, of_stage in enumerate(widths, 1):
            for width in of_stage:
                number += 1
                layers[f"conv{number}"] = Conv2d(channels, width, 3, padding=1, bias=False)
                layers[f"bn{number}"] = BatchNorm2d(width)
                layers[f"relu{number}"] = ReLU()
                channels = width
            layers[f"pool{stage}"] = MaxPool2d(2)
        side = image_size >> len(widths)
        layers |= {"flatten": Flatten(), "fc": Linear(channels * side * side, num_classes)}
        super().__init__(layers)


def cifar_cnn(
    num_classes: int | None = None,
    widths: Sequence[Sequence[int]] | None = None,
    in_channels: int | None = None,
    image_size: int | None = None,
    weights: str | None = None,
) -> CifarCNN:
    """Stages of 3×3 convolution – batch norm – ReLU, each ended by a pooling that halves the image, and a linear layer.

    Args:
        num_classes: 10 by default.
        widths: for each stage, the channels of its convolutions; ((32, 32), (64, 64), (128,)) by default.
        in_channels: 3 by default.
        image_size: height and width of the images; 32 by default.
        weights: the name of weights that ship (see `list_cards`); what is left out is then as they have it, and the
            model is in eval mode.

    Input (N, in_channels, image_size, image_size), output (N, num_classes); 160,234 parameters by default.

    Raises ArgumentError where there are more stages than the image can be halved, or an argument contradicts the
    weights.
    """
    given = {
        "num_classes": num_classes,
        "widths": widths,
        "in_channels": in_channels,
        "image_size": image_size,
    }
    usual = {"num_classes": 10, "widths": WIDTHS, "in_channels": 3, "image_size": 32}
    settled, card = settle("cifar_cnn", weights, given, usual)
    return fill(CifarCNN(**settled), card)
