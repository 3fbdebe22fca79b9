"""Upsample: images of another size, each pixel the nearest one or mixed from its neighbours."""

from __future__ import annotations

import math
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np

from tt_nn import Module
from tt_tensor import Tensor, as_tensor
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.axis_map import AxisMap, copies
from tt_vision.resampling import ResampleFunction
from tt_vision.window import Pair, pair

__all__ = ["InterpolateFunction", "Upsample", "interpolate"]

MODES = {"nearest": (1, 2), "nearest-exact": (1, 2), "linear": (1,), "bilinear": (2,)}
"""Each mode, and for how many axes there is one by this name."""

Factors = tuple[float | None, float | None]


class InterpolateFunction(ResampleFunction):
    """y = x in another size, by nearest pixels or by lines between pixels: linear, the matrices are in maps().

    `size` is (height, width) of what comes out, or None; then `factors` says how many times the size it is.
    """

    what = "interpolate"
    kinds = "fiu"

    def __init__(
        self,
        size: Pair | None,
        factors: Factors,
        mode: str = "nearest",
        align_corners: bool = False,
        recompute: bool = False,
        dims: int = 2,
    ) -> None:
        self.size, self.factors, self.mode, self.dims = size, factors, mode, dims
        self.align_corners, self.recompute = align_corners, recompute
        if mode in ("linear", "bilinear"):
            self.kinds = "f"

    def maps(self, image: Pair) -> tuple[AxisMap, AxisMap]:
        found = []
        for axis, pixels in enumerate(image):
            factor = None if self.size is not None else self.factors[axis]
            places = self.size[axis] if self.size is not None else math.floor(pixels * (factor or 1.0))
            if self.dims == 1 and axis == 0:
                places, factor = 1, None
            if pixels == 0 or places == 0:
                raise ShapeError(
                    f"interpolate: an image of {image} pixels would get {places} along axis {axis} (of 2); sizes are "
                    "at least 1, before and after"
                )
            found.append(
                _along(
                    self.mode,
                    pixels,
                    places,
                    None if self.recompute else factor,
                    self.align_corners,
                    self.dims,
                )
            )
        return found[0], found[1]


@lru_cache(maxsize=256)
def _along(
    mode: str, pixels: int, places: int, factor: float | None, align_corners: bool, dims: int
) -> AxisMap:
    """Which pixels stand at each place along one axis, with PyTorch's rounding for the nearest ones."""
    at = np.arange(places)
    # As PyTorch, which rounds the factor to what it comes to here, but not for rows of nearest samples.
    if places == pixels and (mode in ("linear", "bilinear") or (mode == "nearest" and dims == 2)):
        return copies(tuple(range(pixels)), pixels)
    if mode == "nearest" and dims == 2 and places == 2 * pixels:
        factor = 2.0
    if mode.startswith("nearest"):
        scale = np.float32(1 / factor) if factor else np.float32(pixels) / np.float32(places)
        shift = np.float32(0.5 if mode == "nearest-exact" else 0.0)
        nearest = np.floor((at.astype(np.float32) + shift) * scale).astype(np.intp)
        return copies(tuple(np.minimum(nearest, pixels - 1).tolist()), pixels)
    if align_corners:
        source = at * ((pixels - 1) / (places - 1) if places > 1 else 0.0)
    else:
        source = np.maximum((at + 0.5) * (1 / factor if factor else pixels / places) - 0.5, 0)
    low = np.minimum(np.floor(source).astype(np.intp), pixels - 1)
    share = np.where(low < pixels - 1, source - low, 0.0)
    entries = []
    for place, pixel, part in zip(at.tolist(), low.tolist(), share.tolist(), strict=True):
        # A neighbour without a share is left out: an infinite one would make NaN of it.
        entries += [(place, pixel, 1 - part)] + ([(place, pixel + 1, part)] if part else [])
    return AxisMap(places, pixels, tuple(entries))


def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """`input` in another size: (N, C, H, W) gives (N, C, H', W'), (N, C, L) gives (N, C, L').

    See Upsample for the arguments, which are the same.
    """
    settings = _Settings("interpolate", size, scale_factor, mode, align_corners, recompute_scale_factor)
    x = as_tensor(input)
    return settings.function(x)(x)


class _Settings:
    """The arguments of Upsample, checked."""

    def __init__(
        self, what: str, size: Any, scale_factor: Any, mode: Any, align_corners: Any, recompute: Any
    ) -> None:
        if not isinstance(mode, str) or mode not in MODES:
            raise ArgumentError(f"{what}: mode {mode!r} is not one of {', '.join(MODES)}")
        if (size is None) == (scale_factor is None):
            raise ArgumentError(
                f"{what}: give size or scale_factor, one of them; not {size!r} and {scale_factor!r}"
            )
        for name, flag in (("align_corners", align_corners), ("recompute_scale_factor", recompute)):
            if flag is not None and not isinstance(flag, bool):
                raise ArgumentError(f"{what}: {name} is True, False or None, not {flag!r}")
        if align_corners is not None and mode.startswith("nearest"):
            raise ArgumentError(
                f"{what}: align_corners is for the modes linear and bilinear; leave it out for {mode!r}"
            )
        if recompute and size is not None:
            raise ArgumentError(
                f"{what}: recompute_scale_factor makes sense with scale_factor only, not with size"
            )
        factors = scale_factor if isinstance(scale_factor, tuple | list) else [scale_factor]
        if scale_factor is not None and not all(
            isinstance(f, Real) and not isinstance(f, bool) and 0 < float(f) < math.inf for f in factors
        ):
            raise ArgumentError(
                f"{what}: scale_factor is a positive number, or one for each axis, not {scale_factor!r}"
            )
        self.what, self.size, self.mode = what, size, mode
        self.factors = None if scale_factor is None else [float(f) for f in factors]
        self.align_corners, self.recompute = bool(align_corners), bool(recompute)

    def function(self, x: Tensor) -> InterpolateFunction:
        """The Function for an input of these axes. Raises ShapeError where the mode is not for them."""
        dims = x.ndim - 2
        if dims not in MODES[self.mode]:
            wanted = " or ".join({1: "(N, C, L)", 2: "(N, C, H, W)"}[d] for d in MODES[self.mode])
            raise ShapeError(
                f"{self.what}: mode {self.mode!r} takes {wanted}, not shape {x.shape}; x[None] is a batch of one"
            )
        size = None if self.size is None else pair(self.size, f"{self.what}: size", 1, dims)
        factors: Factors = (None, None)
        if self.factors is not None:
            given = self.factors * dims if len(self.factors) == 1 else self.factors
            if len(given) != dims:
                raise ArgumentError(
                    f"{self.what}: {len(given)} scale factors for the {dims} axes of an input of shape {x.shape}"
                )
            factors = (None, given[0]) if dims == 1 else (given[0], given[1])
        return InterpolateFunction(size, factors, self.mode, self.align_corners, self.recompute, dims)


class Upsample(Module):
    """x (N, C, H, W) in another size, (N, C, H', W'); or rows of samples, (N, C, L) to (N, C, L').

    - "nearest": y[h] = x[⌊h H / H'⌋]; "nearest-exact": y[h] = x[⌊(h + ½) H / H'⌋];
    - "bilinear" ("linear" for rows): with s = (h + ½) H / H' - ½, or s = h (H - 1) / (H' - 1) with `align_corners`,
      y[h] = (1 - f) x[⌊s⌋] + f x[⌊s⌋ + 1], f = s - ⌊s⌋; and the same along the width.

    Args:
        size: H' and W', or one number for both.
        scale_factor: how many times larger, instead of `size`; a number, or one for each axis. H' = ⌊H · factor⌋, and
            in the formulas 1 / factor stands for H / H', unless `recompute_scale_factor`.
        mode: "nearest", "nearest-exact", "bilinear" or "linear".
        align_corners: whether the outermost pixels lie on each other; None for the nearest modes.

    As in PyTorch, three axes are (N, C, L); an image (C, H, W) needs a batch axis, x[None].

    Raises ArgumentError for settings that do not go together, ShapeError for shapes that the mode does not take.
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        self.settings = _Settings("Upsample", size, scale_factor, mode, align_corners, recompute_scale_factor)
        self.size, self.scale_factor, self.mode = size, scale_factor, mode

    def forward(self, x: Any) -> Tensor:
        x = as_tensor(x)
        return self.compute(self.settings.function(x), x)

    def extra_repr(self) -> str:
        size = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"
