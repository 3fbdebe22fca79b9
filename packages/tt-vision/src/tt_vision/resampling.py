"""ResampleFunction: what enlarging and padding are, each place a weighted sum of pixels."""

from __future__ import annotations

from typing import Any

from tt_tensor import Function, Tensor, kernels
from tt_tensor.errors import ShapeError
from tt_vision.axis_map import AxisMap
from tt_vision.kernels import separable
from tt_vision.on_images import OnImages, wide
from tt_vision.window import Pair

__all__ = ["ResampleFunction", "resampled"]

kernels.register("separable", "loops", separable.separable_loops)
kernels.register("separable", "numpy", separable.separable, default=True)


def resampled(images: Any, rows: AxisMap, columns: AxisMap) -> Any:
    """R x Cᵀ of images (N, C, H, W) on the kernel in use, in their dtype."""
    return kernels.kernel("separable")(wide(images), rows, columns).astype(images.dtype, copy=False)


class ResampleFunction(OnImages, Function):
    """y = R x Cᵀ for every image and channel: dx = Rᵀ grad C, the same Function with the matrices transposed."""

    what = "resample"

    def __init__(self, rows: AxisMap, columns: AxisMap, dims: int = 2) -> None:
        self.given, self.dims = (rows, columns), dims

    def maps(self, image: Pair) -> tuple[AxisMap, AxisMap]:
        """R and C for images of this size. Raises ShapeError where they are for another."""
        rows, columns = self.given
        if (rows.pixels, columns.pixels) != image:
            raise ShapeError(
                f"{self.what}: the matrices are for images of {(rows.pixels, columns.pixels)} pixels, not of {image}"
            )
        return self.given

    def forward(self, x: Any) -> Any:
        images = self.images(x)
        self.rows, self.columns = self.maps(images.shape[2:])
        return self.like(x, resampled(images, self.rows, self.columns))

    def backward(self, grad: Any) -> Any:
        rows, columns = self.rows.transposed, self.columns.transposed
        if isinstance(grad, Tensor):
            return ResampleFunction(rows, columns, self.dims)(grad)
        return self.like(grad, resampled(self.images(grad, "gradient"), rows, columns))
