"""The transforms that draw nothing, as functions; names and arguments as torchvision.transforms.v2.functional.

Each takes one image (C, H, W) or a batch (N, C, H, W), an array or a Tensor. Where a number says how much (an angle, a
factor), an array (N,) with one for each image does, too.
"""

from __future__ import annotations

from tt_vision.transforms.affine import affine, rotate
from tt_vision.transforms.blurring import gaussian_blur
from tt_vision.transforms.colour import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    rgb_to_grayscale,
)
from tt_vision.transforms.cropping import center_crop, crop, pad
from tt_vision.transforms.erasing import erase
from tt_vision.transforms.flips import horizontal_flip, vertical_flip
from tt_vision.transforms.resized_crop import resized_crop
from tt_vision.transforms.resizing import resize
from tt_vision.transforms.scaling import normalize, to_dtype, to_tensor

__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "affine",
    "center_crop",
    "crop",
    "erase",
    "gaussian_blur",
    "horizontal_flip",
    "normalize",
    "pad",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "to_dtype",
    "to_tensor",
    "vertical_flip",
]
