"""OnImages: what the Functions on images have in common, the shapes that they take."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor.errors import DTypeError, ShapeError
from tt_tensor.ops.plain import raw

__all__ = ["OnImages", "wide"]


class OnImages:
    """For Functions of images (N, C, H, W) or (C, H, W); with `dims` 1, of rows of samples (N, C, L) or (C, L).

    Inside all of them are (N, C, H, W): rows of samples are images of height 1, one image is a batch of one.
    `what` names the operation in errors.
    """

    what: str
    dims: int = 2
    kinds: str = "f"
    """The kinds of dtypes that it takes, as NumPy's letters."""

    def images(self, x: Any, name: str = "input") -> Any:
        """x, an array or a Tensor's, as (N, C, H, W).

        Raises ShapeError for a wrong number of axes, DTypeError for a kind of numbers that the operation does not take.
        """
        x = raw(x)
        if x.dtype.kind not in self.kinds:
            raise DTypeError(f"{self.what}: the {name} is {x.dtype}; use x.astype('float32') first")
        if x.ndim not in (self.dims + 1, self.dims + 2):
            axes = "(N, C, H, W) or (C, H, W)" if self.dims == 2 else "(N, C, L) or (C, L)"
            raise ShapeError(f"{self.what}: the {name} has shape {x.shape}; it must be {axes}")
        if x.ndim == self.dims + 1:
            x = x[None]
        return x[:, :, None] if self.dims == 1 else x

    def like(self, x: Any, images: Any) -> Any:
        """`images` (N, C, H, W) with the axes that x has."""
        if self.dims == 1:
            images = images[:, :, 0]
        return images[0] if x.ndim == self.dims + 1 else images


def wide(x: Any) -> Any:
    """x, or as float32 where it is float16, in which no sum is worth much."""
    return x.astype(np.float32) if x.dtype == np.float16 else x
