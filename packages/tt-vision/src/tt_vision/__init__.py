"""tt_vision: layers for images, image datasets and transforms, convolutional networks and pictures of what they do.

    import tt_nn as nn
    import tt_vision as vision
    model = nn.Sequential(vision.Conv2d(1, 8, 3), nn.ReLU(), vision.GlobalAvgPool2d(), nn.Linear(8, 10))

Layers have PyTorch's names and shapes (N, C, H, W); inside, the channels of a pixel lie side by side, and a batch is
cut in shards for all cores (`tt_nn.shards`). As plain functions they stand in `tt_vision.functional`.
"""

from tt_vision import batch_norm_relu as _batch_norm_relu  # noqa: F401  (lets Sequential run such layers together)
from tt_vision import conv_then as _conv_then  # noqa: F401  (likewise)
from tt_vision import datasets, functional, models, pictures, transforms
from tt_vision import relu_pool as _relu_pool  # noqa: F401  (likewise)
from tt_vision.adaptive_pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
)
from tt_vision.avg_pooling import AvgPool1d, AvgPool2d, GlobalAvgPool2d
from tt_vision.batch_norm import BatchNorm1d, BatchNorm2d
from tt_vision.conv import Conv1d, Conv2d
from tt_vision.conv_transpose import ConvTranspose1d, ConvTranspose2d
from tt_vision.dropout2d import Dropout1d, Dropout2d
from tt_vision.group_norm import GroupNorm
from tt_vision.instance_norm import InstanceNorm1d, InstanceNorm2d
from tt_vision.max_pooling import MaxPool1d, MaxPool2d
from tt_vision.padding import (
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    ZeroPad1d,
    ZeroPad2d,
)
from tt_vision.pixel_shuffle import PixelShuffle, PixelUnshuffle
from tt_vision.unfold import Fold, Unfold
from tt_vision.upsample import Upsample

__version__ = "0.1.0"

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Dropout1d",
    "Dropout2d",
    "Fold",
    "GlobalAvgPool2d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "MaxPool1d",
    "MaxPool2d",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Unfold",
    "Upsample",
    "ZeroPad1d",
    "ZeroPad2d",
    "datasets",
    "functional",
    "models",
    "pictures",
    "transforms",
]
