"""AdaptiveAvgPool, AdaptiveMaxPool: pools that are told the size of what comes out."""

from __future__ import annotations

from typing import Any

from tt_nn import Module
from tt_tensor import Tensor, as_tensor
from tt_vision.avg_pooling import AvgPoolFunction
from tt_vision.max_pooling import MaxPoolFunction, Ways
from tt_vision.pooling import check_flags, fitted, output_sizes
from tt_vision.shares import AvgBins
from tt_vision.window import Pair, Window

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPoolFunction",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
]


class AdaptiveMaxPoolFunction(MaxPoolFunction):
    """y = the greatest pixel of each of height · width bins of the image; the gradient as in MaxPoolFunction."""

    what = "adaptive_max_pool"

    def __init__(self, height: int | None, width: int | None, dims: int = 2) -> None:
        self.sizes, self.dims = (height, width), dims

    def ways(self, image: Pair) -> Ways:
        fitted(Window((1, 1)), image, False, self.what)
        (tall, rows), (broad, columns) = (
            _bins_as_window(pixels, pixels if size is None else size)
            for pixels, size in zip(image, self.sizes, strict=True)
        )
        return Ways(Window((tall, broad), (tall, broad), dims=self.dims), image, rows, columns)


def _bins_as_window(pixels: int, places: int) -> tuple[int, tuple[int, ...] | None]:
    """The size of a window, and the pixels to put side by side for it; None where it can slide over them as they are.

    A bin that is smaller than the others has its last pixel twice, which wins nothing.
    """
    if pixels % places == 0:
        return pixels // places, None
    starts = [place * pixels // places for place in range(places)]
    stops = [-(-(place + 1) * pixels // places) for place in range(places)]
    size = max(stop - start for start, stop in zip(starts, stops, strict=True))
    return size, tuple(
        min(start + i, stop - 1) for start, stop in zip(starts, stops, strict=True) for i in range(size)
    )


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    """The mean of each of H' · W' bins of the image; see AdaptiveAvgPool2d."""
    return AvgPoolFunction(AvgBins(*output_sizes("adaptive_avg_pool2d", output_size, 2)))(as_tensor(input))


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Tensor:
    """`adaptive_avg_pool2d` for one axis: input (N, C, L) or (C, L)."""
    return AvgPoolFunction(AvgBins(*output_sizes("adaptive_avg_pool1d", output_size, 1), dims=1))(
        as_tensor(input)
    )


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The greatest value of each of H' · W' bins of the image; see AdaptiveMaxPool2d."""
    check_flags("adaptive_max_pool2d", return_indices=return_indices)
    function = AdaptiveMaxPoolFunction(*output_sizes("adaptive_max_pool2d", output_size, 2))
    y = function(as_tensor(input))
    return (y, function.indices()) if return_indices else y


def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` for one axis: input (N, C, L) or (C, L)."""
    check_flags("adaptive_max_pool1d", return_indices=return_indices)
    function = AdaptiveMaxPoolFunction(*output_sizes("adaptive_max_pool1d", output_size, 1), dims=1)
    y = function(as_tensor(input))
    return (y, function.indices()) if return_indices else y


class AdaptiveAvgPool2d(Module):
    """y[n, c, h, w] = the mean of x[n, c] over the rows ⌊h H / H'⌋ … ⌈(h + 1) H / H'⌉ - 1 and likewise the columns.

    x is (N, C, H, W) or (C, H, W), of any size; y is (N, C, H', W').

    Args:
        output_size: H' and W', or one number for both; None keeps the size that comes in.

    Raises ArgumentError for a size below 1, ShapeError for an image without pixels.
    """

    def __init__(self, output_size: Any) -> None:
        self.shares = AvgBins(*output_sizes("AdaptiveAvgPool2d", output_size, 2))
        self.output_size = output_size

    def forward(self, x: Any) -> Tensor:
        return self.compute(AvgPoolFunction(self.shares), x)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(Module):
    """y[n, c, l] = the mean of x[n, c] over ⌊l L / L'⌋ … ⌈(l + 1) L / L'⌉ - 1, L' = output_size.

    AdaptiveAvgPool2d for one axis: x is (N, C, L) or (C, L).
    """

    def __init__(self, output_size: Any) -> None:
        self.shares = AvgBins(*output_sizes("AdaptiveAvgPool1d", output_size, 1), dims=1)
        self.output_size = output_size

    def forward(self, x: Any) -> Tensor:
        return self.compute(AvgPoolFunction(self.shares), x)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(Module):
    """The greatest value of each bin."""

    dims: int

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        name = type(self).__name__
        check_flags(name, return_indices=return_indices)
        self.sizes = output_sizes(name, output_size, self.dims)
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, x: Any) -> Any:
        function = AdaptiveMaxPoolFunction(*self.sizes, dims=self.dims)
        y = self.compute(function, x)
        return (y, function.indices()) if self.return_indices else y

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """y[n, c, h, w] = the greatest of x[n, c] in the rows ⌊h H / H'⌋ … ⌈(h + 1) H / H'⌉ - 1 and likewise the columns.

    Args:
        output_size: H' and W', or one number for both; None keeps the size that comes in.
        return_indices: also give where each came from, h · W + w in its image, int64 of y's shape.

    Raises ArgumentError for a size below 1, ShapeError for an image without pixels.
    """

    dims = 2


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """y[n, c, l] = the greatest of x[n, c] in ⌊l L / L'⌋ … ⌈(l + 1) L / L'⌉ - 1, L' = output_size.

    AdaptiveMaxPool2d for one axis: x is (N, C, L) or (C, L); `return_indices` gives the positions along L.
    """

    dims = 1
