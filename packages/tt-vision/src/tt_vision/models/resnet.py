"""ResNet: each block adds to what it was given, so a signal, and a gradient, finds a short way through any depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tt_nn import Flatten, Linear, Module, ReLU, Sequential, init
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError
from tt_tensor.ops.indexing import GetItem
from tt_tensor.ops.padding import Pad
from tt_vision.adaptive_pooling import AdaptiveAvgPool2d
from tt_vision.batch_norm import BatchNorm2d
from tt_vision.conv import Conv2d
from tt_vision.max_pooling import MaxPool2d
from tt_vision.models.weights import fill, settle

__all__ = ["BasicBlock", "ResNet", "resnet18", "resnet20", "resnet34"]

STEMS = ("imagenet", "cifar")
SHORTCUTS = ("A", "B")


class BasicBlock(Module):
    """y = relu(bn2(conv2(relu(bn1(conv1(x))))) + x), and where the shapes differ, downsample(x) in the place of x.

    Args:
        inplanes, planes: channels that come in and go out.
        stride: of conv1.
        downsample: a module for the short way, or None.

    Names as torchvision's, except that the second ReLU is a module of its own, `relu2`: a layer that is applied
    twice has no gradient by hand.
    """

    def __init__(self, inplanes: int, planes: int, stride: int = 1, downsample: Module | None = None) -> None:
        self.conv1 = Conv2d(inplanes, planes, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(planes)
        self.relu = ReLU()
        self.conv2 = Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(planes)
        self.downsample = downsample
        self.relu2 = ReLU()

    def forward(self, x: Any) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(y + (x if self.downsample is None else self.downsample(x)))

    def backward(self, grad: Any) -> Any:
        """By hand: the gradient goes both ways back, and at x the two are added."""
        grad = self.relu2.backward(grad)
        around = grad if self.downsample is None else self.downsample.backward(grad)
        for layer in (self.bn2, self.conv2, self.relu, self.bn1, self.conv1):
            grad = layer.backward(grad)
        return grad + around


class ResNet(Sequential):
    """conv1 – bn1 – relu – maxpool – layer1 … layerₙ – avgpool – flatten – fc, under torchvision's names.

    Args:
        layers: how many blocks each stage has.
        widths: the channels of each stage; from the second on, a stage halves height and width.
        num_classes: size of the output.
        stem: "imagenet": a 7×7 convolution with stride 2 and a max pooling, for large images, so what the first stage
            sees has a quarter of their height and width; "cifar": a 3×3 convolution, for images of 32×32.
        shortcut: where a stage begins, "B" is a 1×1 convolution and a batch norm; "A" takes every second pixel and
            sets the new channels to 0, without parameters.
        zero_init_residual: whether the last batch norm of each block begins at 0, so that blocks begin as identities.
        in_channels: of the images.

    Convolutions begin by `init.kaiming_normal_(mode="fan_out")`, batch norms at 1 and 0, as torchvision's.
    Source: He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385.
    """

    def __init__(
        self,
        layers: Sequence[int],
        widths: Sequence[int] = (64, 128, 256, 512),
        num_classes: int = 1000,
        stem: str = "imagenet",
        shortcut: str = "B",
        zero_init_residual: bool = False,
        in_channels: int = 3,
    ) -> None:
        if len(layers) != len(widths) or not layers:
            raise ArgumentError(
                f"ResNet: layers {tuple(layers)} and widths {tuple(widths)} must have one number for each stage"
            )
        for name, value, allowed in (("stem", stem, STEMS), ("shortcut", shortcut, SHORTCUTS)):
            if value not in allowed:
                raise ArgumentError(f"ResNet: {name} {value!r} is not one of {', '.join(map(repr, allowed))}")
        large = stem == "imagenet"
        size, stride, padding = (7, 2, 3) if large else (3, 1, 1)
        parts: dict[str, Module] = {
            "conv1": Conv2d(in_channels, widths[0], size, stride, padding, bias=False),
            "bn1": BatchNorm2d(widths[0]),
            "relu": ReLU(),
        }
        if large:
            parts["maxpool"] = MaxPool2d(3, stride=2, padding=1)
        before = widths[0]
        for number, (blocks, width) in enumerate(zip(layers, widths, strict=True), 1):
            parts[f"layer{number}"] = _stage(blocks, before, width, 1 if number == 1 else 2, shortcut)
            before = width
        parts |= {"avgpool": AdaptiveAvgPool2d(1), "flatten": Flatten(), "fc": Linear(before, num_classes)}
        super().__init__(parts)
        for module in self.modules():
            if isinstance(module, Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock) and zero_init_residual and module.bn2.weight is not None:
                init.zeros_(module.bn2.weight)


def _stage(blocks: int, before: int, width: int, stride: int, shortcut: str) -> Sequential:
    if blocks < 1:
        raise ArgumentError(f"ResNet: a stage has one block or more, not {blocks}")
    downsample: Module | None = None
    if stride != 1 or before != width:
        if shortcut == "B":
            downsample = Sequential(Conv2d(before, width, 1, stride, bias=False), BatchNorm2d(width))
        else:
            downsample = Sequential(_EverySecond(stride), _MoreChannels(width - before))
    first = BasicBlock(before, width, stride, downsample)
    return Sequential(first, *(BasicBlock(width, width) for _ in range(blocks - 1)))


class _EverySecond(Module):
    """y[n, c, h, w] = x[n, c, h s, w s]."""

    def __init__(self, stride: int) -> None:
        self.stride = stride

    def forward(self, x: Any) -> Tensor:
        step = slice(None, None, self.stride)
        return self.compute(GetItem((..., step, step)), x)


class _MoreChannels(Module):
    """x, with `more` channels of zeros behind its own."""

    def __init__(self, more: int) -> None:
        if more < 0:
            raise ArgumentError("ResNet: shortcut 'A' adds channels, so widths must not fall; use 'B'")
        self.more = more

    def forward(self, x: Any) -> Tensor:
        return self.compute(Pad(((0, 0), (0, self.more), (0, 0), (0, 0))), x)


def resnet18(
    num_classes: int | None = None,
    stem: str | None = None,
    weights: str | None = None,
    *,
    shortcut: str | None = None,
    zero_init_residual: bool = False,
    in_channels: int | None = None,
) -> ResNet:
    """Four stages of two blocks: 11,689,512 parameters with 1000 classes.

    Args:
        num_classes: 1000 by default.
        stem: "imagenet" (the default) for large images, or "cifar" for 32×32.
        weights: the name of weights that ship (see `list_cards`); what is left out is then as they have it, and the
            model is in eval mode.
        shortcut: "B" by default; see `ResNet`, as for the others.

    Parameters have torchvision's names: its state dict loads with `load_state_dict`.
    Input (N, in_channels, H, W), output (N, num_classes). Source: He et al., 2015, table 1.
    """
    given = {"num_classes": num_classes, "stem": stem, "shortcut": shortcut, "in_channels": in_channels}
    usual = {"num_classes": 1000, "stem": "imagenet", "shortcut": "B", "in_channels": 3}
    settled, card = settle("resnet18", weights, given, usual)
    return fill(ResNet((2, 2, 2, 2), zero_init_residual=zero_init_residual, **settled), card)


def resnet34(
    num_classes: int | None = None,
    stem: str | None = None,
    weights: str | None = None,
    *,
    shortcut: str | None = None,
    zero_init_residual: bool = False,
    in_channels: int | None = None,
) -> ResNet:
    """Four stages of 3, 4, 6 and 3 blocks: 21,797,672 parameters with 1000 classes; otherwise as `resnet18`."""
    given = {"num_classes": num_classes, "stem": stem, "shortcut": shortcut, "in_channels": in_channels}
    usual = {"num_classes": 1000, "stem": "imagenet", "shortcut": "B", "in_channels": 3}
    settled, card = settle("resnet34", weights, given, usual)
    return fill(ResNet((3, 4, 6, 3), zero_init_residual=zero_init_residual, **settled), card)


def resnet20(
    num_classes: int | None = None,
    shortcut: str | None = None,
    weights: str | None = None,
    *,
    zero_init_residual: bool = False,
    in_channels: int | None = None,
) -> ResNet:
    """The paper's network for CIFAR-10: three stages of three blocks with 16, 32, 64 channels; 269,722 parameters.

    Args:
        num_classes: 10 by default.
        shortcut: "A" (the default), as the paper uses for CIFAR: identities, without parameters. "B" has projections
            where a stage begins, 272,474 parameters.
        weights, zero_init_residual, in_channels: as for `resnet18`.

    Input (N, in_channels, 32, 32), output (N, num_classes). torchvision has no such model; the names follow its
    others. Source: He et al., 2015, section 4.2.
    """
    given = {"num_classes": num_classes, "shortcut": shortcut, "in_channels": in_channels}
    usual = {"num_classes": 10, "shortcut": "A", "in_channels": 3}
    settled, card = settle("resnet20", weights, given, usual)
    network = ResNet((3, 3, 3), (16, 32, 64), stem="cifar", zero_init_residual=zero_init_residual, **settled)
    return fill(network, card)
