"""RandomRotation and RandomAffine: the same thing, held a little differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError
from tt_vision.transforms.affine import MODES, from_middle, sampled, way_back
from tt_vision.transforms.arguments import chosen, interval_of, share_of, spread_of
from tt_vision.transforms.drawing import RandomTransform, checked_generator

__all__ = ["RandomAffine", "RandomRotation"]


class RandomRotation(RandomTransform):
    """Each image turned by an angle of its own, uniform in `degrees`, against the clock.

    Args:
        degrees: (least, most), or one number d for -d to d.
        interpolation: "nearest" or "bilinear".
        expand: must be False: the images of a batch have one size.
        center: (x, y) of the pixel that stays; by default the middle.
        fill: what is outside, in the units of the images.
        generator: where the angles are drawn from; see RandomTransform.

    Raises ArgumentError for other arguments; when called, as `functional.rotate`.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: str = "nearest",
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
        *,
        generator: Any = None,
    ) -> None:
        if expand:
            raise ArgumentError(
                "RandomRotation: expand=True would give images of different sizes; pad them first"
            )
        self.degrees = _around("RandomRotation", "degrees", degrees)
        self.interpolation = chosen("RandomRotation", "interpolation", interpolation, MODES)
        self.expand, self.center, self.fill = False, center, fill
        self.generator = checked_generator("RandomRotation", generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """The angles in degrees, (N,)."""
        return (rng.uniform(*self.degrees, shape[0]),)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """Each image turned by its angle."""
        center = from_middle("RandomRotation", self.center, pixels.shape)
        back = way_back(-draws[0], center=center)
        return sampled("RandomRotation", pixels, back, self.interpolation, self.fill)


class RandomAffine(RandomTransform):
    """Each image turned, shifted, scaled and sheared by numbers of its own.

    Args:
        degrees: (least, most), or one number d for -d to d; 0 for none.
        translate: (a, b): shifts of at most a W to the left or right and b H up or down, in whole pixels.
        scale: (least, most) factor.
        shear: one number s for -s to s degrees along x; (least, most) along x; or four, along x and along y.
        interpolation, fill, center: as for RandomRotation.
        generator: where the numbers are drawn from; see RandomTransform.

    `RandomAffine(0, translate=(0.1, 0.1))` shifts digits a little, `RandomAffine(10, (0.1, 0.1), (0.9, 1.1))` does
    what the handwriting of another person would.

    Raises ArgumentError for other arguments; when called, as `functional.affine`.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: str = "nearest",
        fill: Any = 0,
        center: Sequence[float] | None = None,
        *,
        generator: Any = None,
    ) -> None:
        name = "RandomAffine"
        self.degrees = _around(name, "degrees", degrees)
        self.translate = None if translate is None else _shares(translate)
        self.scale = None if scale is None else interval_of(name, "scale", scale, np.nextafter(0, 1))
        self.shear = None if shear is None else _shear(shear)
        self.interpolation = chosen(name, "interpolation", interpolation, MODES)
        self.fill, self.center = fill, center
        self.generator = checked_generator(name, generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """Angle, shift along x and along y, scale, shear along x and along y: six arrays (N,)."""
        share_x, share_y = self.translate or (0.0, 0.0)
        shift_x, shift_y = share_x * shape[3], share_y * shape[2]
        shear = self.shear or (0.0, 0.0, 0.0, 0.0)
        ends = np.array(
            [
                self.degrees,
                (-shift_x, shift_x),
                (-shift_y, shift_y),
                self.scale or (1.0, 1.0),
                shear[:2],
                shear[2:],
            ]
        )
        drawn = ends[:, :1] + rng.random((len(ends), shape[0])) * (ends[:, 1:] - ends[:, :1])
        drawn[1:3] = np.rint(drawn[1:3])
        return tuple(drawn)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """Each image looked up along its own way back."""
        angle, to_x, to_y, scale, shear_x, shear_y = draws
        center = from_middle("RandomAffine", self.center, pixels.shape)
        back = way_back(angle, (to_x, to_y), scale, (shear_x, shear_y), center)
        return sampled("RandomAffine", pixels, back, self.interpolation, self.fill)


def _around(where: str, name: str, value: Any) -> tuple[float, float]:
    """(-v, v) for a number v, or the pair itself."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return interval_of(where, name, value)
    spread = spread_of(where, name, value)
    return 0 - spread, spread


def _shares(translate: Any) -> tuple[float, float]:
    """(a, b), both from 0 to 1."""
    if not isinstance(translate, Sequence) or len(translate) != 2:
        raise ArgumentError(
            f"RandomAffine: translate is a pair, the shares of width and height, not {translate!r}"
        )
    across, down = (share_of("RandomAffine", "translate", share) for share in translate)
    return across, down


def _shear(shear: Any) -> tuple[float, ...]:
    """(least, most) along x and (least, most) along y."""
    if isinstance(shear, Sequence) and len(shear) == 4:
        along_x, along_y = shear[:2], shear[2:]
    else:
        along_x, along_y = _around("RandomAffine", "shear", shear), (0.0, 0.0)
    pairs = (interval_of("RandomAffine", "shear", pair, -89, 89) for pair in (along_x, along_y))
    return tuple(end for pair in pairs for end in pair)
