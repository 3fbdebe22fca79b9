"""Transforms of images, over whole batches: names, arguments and meaning as torchvision.transforms.v2.

>>> import numpy as np
>>> from tt_vision.transforms import Compose, Normalize, RandomCrop, RandomHorizontalFlip
>>> mean, std = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)
>>> train = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip(), Normalize(mean, std)])
>>> x = train(np.zeros((128, 3, 32, 32), np.uint8))
>>> x.shape, x.dtype
((128, 3, 32, 32), dtype('float32'))

Each takes one image (C, H, W) or a batch (N, C, H, W), an array or a Tensor, uint8 or float, in either memory order,
and gives the same back; the input is never changed. Random ones draw for each image of a batch by itself, from the
generator that `tt_tensor.manual_seed` seeds or from a `generator` of their own. `functional` has those that draw
nothing as functions.
"""

from tt_data.transforms import Compose, Lambda
from tt_vision.transforms import functional
from tt_vision.transforms.applying import RandomApply, RandomChoice
from tt_vision.transforms.blurring import GaussianBlur
from tt_vision.transforms.colour import ColorJitter, Grayscale, RandomGrayscale
from tt_vision.transforms.cropping import CenterCrop, Pad, RandomCrop
from tt_vision.transforms.drawing import ImageTransform, RandomTransform
from tt_vision.transforms.erasing import RandomErasing
from tt_vision.transforms.flips import RandomHorizontalFlip, RandomVerticalFlip
from tt_vision.transforms.random_affine import RandomAffine, RandomRotation
from tt_vision.transforms.resized_crop import RandomResizedCrop
from tt_vision.transforms.resizing import Resize
from tt_vision.transforms.scaling import Normalize, ToDtype, ToTensor

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "GaussianBlur",
    "Grayscale",
    "ImageTransform",
    "Lambda",
    "Normalize",
    "Pad",
    "RandomAffine",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTransform",
    "RandomVerticalFlip",
    "Resize",
    "ToDtype",
    "ToTensor",
    "functional",
]
