"""cifar_cnn: the small convolutional network that milestone-cifar10 trains, chosen for accuracy in little time.

Its first layer is not trained but computed: filters that turn the pixels of a patch into numbers that do not depend
on each other and vary equally. That spares the optimizer the part of the work at which it is slowest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_nn import Flatten, Linear, Module, ReLU, Sequential
from tt_tensor import as_tensor
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.adaptive_pooling import AdaptiveMaxPool2d
from tt_vision.batch_norm import BatchNorm2d
from tt_vision.conv import Conv2d
from tt_vision.max_pooling import MaxPool2d
from tt_vision.models.weights import fill, settle

__all__ = ["CifarCNN", "cifar_cnn", "whitening"]

STEM = (4, 2, 1, 24)
BLOCKS = ((48, True), (96, True), (96, False))
CHUNK = 250
"""Images whose patches are held at a time."""


class CifarCNN(Sequential):
    """stem – relu0 – conv1 (– pool1) – bn1 – relu1 – … – pool – flatten – fc: see `cifar_cnn`."""

    def __init__(
        self,
        num_classes: int = 10,
        stem: Sequence[int] | None = STEM,
        blocks: Sequence[Sequence[Any]] = BLOCKS,
        in_channels: int = 3,
    ) -> None:
        layers: dict[str, Module] = {}
        channels = in_channels
        if stem is not None:
            kernel, stride, padding, components = _numbers("stem", stem, 4)
            channels = 2 * components
            layers["stem"] = Conv2d(in_channels, channels, kernel, stride, padding, bias=False)
            layers["stem"].requires_grad_(False)
            layers["relu0"] = ReLU()
        if not isinstance(blocks, list | tuple):
            raise ArgumentError(f"cifar_cnn: blocks is a row of (channels, halve), not {blocks!r}")
        for number, block in enumerate(blocks, 1):
            width, halve = _numbers("a block", block, 2)
            layers[f"conv{number}"] = Conv2d(channels, width, 3, padding=1, bias=False)
            if halve:
                layers[f"pool{number}"] = MaxPool2d(2)
            layers[f"bn{number}"] = BatchNorm2d(width)
            layers[f"relu{number}"] = ReLU()
            channels = width
        layers |= {"pool": AdaptiveMaxPool2d(1), "flatten": Flatten(), "fc": Linear(channels, num_classes)}
        super().__init__(layers)

    def whiten(self, images: Any, eps: float = 5e-4) -> CifarCNN:
        """Set the stem's filters to the `whitening` of `images`, and return the network.

        Args:
            images: (N, C, H, W), prepared as the network will see them; some thousands will do.
            eps: see `whitening`.

        Raises ArgumentError for a network without a stem, ShapeError for images that do not fit it.
        """
        stem = dict(self.named_children()).get("stem")
        if not isinstance(stem, Conv2d):
            raise ArgumentError("CifarCNN.whiten: this network was built with stem=None")
        shape = as_tensor(images).shape
        if shape[1:2] != (stem.in_channels,):
            raise ShapeError(
                f"CifarCNN.whiten: images of shape {shape} must have {stem.in_channels} channels"
            )
        stem.weight.write(whitening(images, stem.kernel_size[0], stem.out_channels // 2, eps))
        return self


def whitening(images: Any, kernel: int, components: int, eps: float = 5e-4) -> Any:
    """Filters Wᵢ = vᵢ / √(λᵢ + eps) and then -Wᵢ, (2·components, C, kernel, kernel), as a NumPy array.

    vᵢ, λᵢ are the eigenvectors of the patches' second moment Σ p pᵀ / n, those of the greatest eigenvalues first. So
    over these images the outputs of the first half are uncorrelated, with mean square λᵢ / (λᵢ + eps). Both signs,
    since a ReLU follows, which would keep half of each.

    Args:
        images: (N, C, H, W), floats; patches are taken two pixels apart.
        kernel: height and width of a patch.
        components: how many eigenvectors.
        eps: keeps directions in which patches hardly vary from being blown up.

    Raises ShapeError for images smaller than a patch, ArgumentError for more components than a patch has numbers.
    Source: Coates & Ng, "Learning Feature Representations with K-means", 2012; as a first layer that stays: Jordan,
    "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, arXiv:2404.00498.
    """
    x = as_tensor(images).array
    if x.ndim != 4 or min(x.shape[2:]) < kernel or not len(x):
        raise ShapeError(
            f"whitening: images of shape {x.shape} have no patches of {kernel}×{kernel}; they must be (N, C, H, W)"
        )
    size = x.shape[1] * kernel * kernel
    if not 0 < components <= size:
        raise ArgumentError(
            f"whitening: patches of {size} numbers have 1 to {size} components, not {components}"
        )
    moment, count = np.zeros((size, size)), 0
    for start in range(0, len(x), CHUNK):
        # (images, C, rows, columns, kernel, kernel), every second row and column
        windows = np.lib.stride_tricks.sliding_window_view(
            x[start : start + CHUNK], (kernel, kernel), axis=(2, 3)
        )
        patches = windows[:, :, ::2, ::2].transpose(0, 2, 3, 1, 4, 5).reshape(-1, size)
        moment += patches.T @ patches
        count += len(patches)
    values, vectors = np.linalg.eigh(moment / count)  # rising
    values, vectors = values[::-1][:components], vectors[:, ::-1][:, :components]
    filters = (vectors / np.sqrt(values + eps)).T.reshape(components, x.shape[1], kernel, kernel)
    return np.concatenate([filters, -filters]).astype(x.dtype)


def cifar_cnn(
    num_classes: int | None = None,
    stem: Sequence[int] | None = None,
    blocks: Sequence[Sequence[Any]] | None = None,
    in_channels: int | None = None,
    weights: str | None = None,
) -> CifarCNN:
    """A stem that whitens patches, then blocks of 3×3 convolution (– 2×2 max pooling) – batch norm – ReLU, then the
    greatest value of each channel and a linear layer.

    Args:
        num_classes: 10 by default.
        stem: (kernel, stride, padding, components) of the first layer, which has twice as many filters as components
            and is not trained: call `whiten` before training. (4, 2, 1, 24) by default. `CifarCNN` takes None, too:
            then the first block sees the images.
        blocks: (channels, whether it halves the image) of each block; ((48, True), (96, True), (96, False)) by
            default. Pooling comes before batch norm, which then has a quarter of the work.
        in_channels: 3 by default.
        weights: the name of weights that ship (see `list_cards`); what is left out is then as they have it, and the
            model is in eval mode.

    Input (N, in_channels, H, W), output (N, num_classes); 148,906 parameters by default, 2,304 of them the stem's.

    Raises ArgumentError for a stem or blocks that are none, or an argument that contradicts the weights.
    """
    given = {"num_classes": num_classes, "stem": stem, "blocks": blocks, "in_channels": in_channels}
    usual = {"num_classes": 10, "stem": STEM, "blocks": BLOCKS, "in_channels": 3}
    settled, card = settle("cifar_cnn", weights, given, usual)
    return fill(CifarCNN(**settled), card)


def _numbers(name: str, row: Any, count: int) -> tuple[int, ...]:
    """`count` whole numbers from 0 up (a bool is one)."""
    if not isinstance(row, list | tuple) or len(row) != count:
        wanted = "(kernel, stride, padding, components)" if count == 4 else "(channels, halve)"
        raise ArgumentError(f"cifar_cnn: {name} is {wanted}, not {row!r}")
    if not all(isinstance(part, int | np.integer) and part >= 0 for part in row):
        raise ArgumentError(f"cifar_cnn: {name} has whole numbers from 0 up, not {row!r}")
    return tuple(int(part) for part in row)
