"""The layers as plain functions: `import tt_vision.functional as F`, with PyTorch's names."""

from tt_vision.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
)
from tt_vision.avg_pooling import avg_pool1d, avg_pool2d, global_avg_pool2d
from tt_vision.batch_norm import batch_norm
from tt_vision.conv import conv1d, conv2d
from tt_vision.conv_transpose import conv_transpose1d, conv_transpose2d
from tt_vision.dropout2d import dropout1d, dropout2d
from tt_vision.group_norm import group_norm
from tt_vision.instance_norm import instance_norm
from tt_vision.max_pooling import max_pool1d, max_pool2d
from tt_vision.padding import pad_images
from tt_vision.pixel_shuffle import pixel_shuffle, pixel_unshuffle
from tt_vision.unfold import fold, unfold
from tt_vision.upsample import interpolate

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "dropout1d",
    "dropout2d",
    "fold",
    "global_avg_pool2d",
    "group_norm",
    "instance_norm",
    "interpolate",
    "max_pool1d",
    "max_pool2d",
    "pad_images",
    "pixel_shuffle",
    "pixel_unshuffle",
    "unfold",
]
