"""VGG: nothing but 3×3 convolutions and poolings, deeper than before, and most of the weights in the classifier."""

from __future__ import annotations

from collections.abc import Sequence

from tt_nn import Dropout, Flatten, Linear, Module, ReLU, Sequential, init
from tt_tensor.errors import ArgumentError
from tt_vision.adaptive_pooling import AdaptiveAvgPool2d
from tt_vision.batch_norm import BatchNorm2d
from tt_vision.conv import Conv2d
from tt_vision.max_pooling import MaxPool2d
from tt_vision.models.weights import fill, settle

__all__ = ["VGG", "vgg11", "vgg11_bn"]

VGG11 = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
"""Configuration A of the paper: the channels of a convolution, or M for a max pooling."""


class VGG(Sequential):
    """features – avgpool – flatten – classifier, under torchvision's names.

    Args:
        configuration: the channels of each convolution, "M" for a max pooling.
        num_classes: size of the output.
        batch_norm: whether one follows each convolution.
        dropout: of the two hidden layers of the classifier.
        init_weights: whether weights begin as torchvision's: convolutions by
            `init.kaiming_normal_(mode="fan_out")`, linear ones from N(0, 0.01²), biases at 0. Without, each layer
            begins its own way, which is quicker where weights are loaded anyhow.
        in_channels: of the images.

    Source: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014,
    arXiv:1409.1556.
    """

    def __init__(
        self,
        configuration: Sequence[int | str] = VGG11,
        num_classes: int = 1000,
        batch_norm: bool = False,
        dropout: float = 0.5,
        init_weights: bool = True,
        in_channels: int = 3,
    ) -> None:
        features: list[Module] = []
        channels = in_channels
        for entry in configuration:
            if isinstance(entry, str):
                if entry != "M":
                    raise ArgumentError(f"VGG: a layer is a number of channels or 'M', not {entry!r}")
                features.append(MaxPool2d(2))
                continue
            features.append(Conv2d(channels, entry, 3, padding=1))
            features += [BatchNorm2d(entry)] if batch_norm else []
            features.append(ReLU())
            channels = entry
        classifier = Sequential(
            Linear(channels * 7 * 7, 4096),
            ReLU(),
            Dropout(dropout),
            Linear(4096, 4096),
            ReLU(),
            Dropout(dropout),
            Linear(4096, num_classes),
        )
        super().__init__(
            {
                "features": Sequential(*features),
                "avgpool": AdaptiveAvgPool2d(7),
                "flatten": Flatten(),
                "classifier": classifier,
            }
        )
        if init_weights:
            self.apply(_begin)


def _begin(module: Module) -> None:
    if isinstance(module, Conv2d):
        init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, Linear):
        init.normal_(module.weight, 0, 0.01)
    else:
        return
    if module.bias is not None:
        init.zeros_(module.bias)


def vgg11(
    num_classes: int | None = None,
    batch_norm: bool | None = None,
    weights: str | None = None,
    *,
    dropout: float | None = None,
    in_channels: int | None = None,
    init_weights: bool = True,
) -> VGG:
    """Eight convolutions, three linear layers: 132,863,336 parameters with 1000 classes, 102,764,544 in one of them.

    Args:
        num_classes: 1000 by default.
        batch_norm: False by default; True is `vgg11_bn`.
        weights: the name of weights that ship (see `list_cards`); what is left out is then as they have it, and the
            model is in eval mode.
        dropout, in_channels, init_weights: see `VGG`.

    Parameters have torchvision's names: its state dict loads with `load_state_dict`.
    Input (N, in_channels, H, W) with 32 pixels or more each way, output (N, num_classes).
    Source: Simonyan & Zisserman, 2014, table 1, column A.
    """
    given = {
        "num_classes": num_classes,
        "batch_norm": batch_norm,
        "dropout": dropout,
        "in_channels": in_channels,
    }
    usual = {"num_classes": 1000, "batch_norm": False, "dropout": 0.5, "in_channels": 3}
    settled, card = settle("vgg11", weights, given, usual)
    return fill(VGG(init_weights=init_weights and card is None, **settled), card)


def vgg11_bn(
    num_classes: int | None = None,
    weights: str | None = None,
    *,
    dropout: float | None = None,
    in_channels: int | None = None,
    init_weights: bool = True,
) -> VGG:
    """`vgg11` with a batch norm after each convolution: 132,868,840 parameters with 1000 classes."""
    return vgg11(
        num_classes, True, weights, dropout=dropout, in_channels=in_channels, init_weights=init_weights
    )
