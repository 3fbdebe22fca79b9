"""RandomApply and RandomChoice: other transforms, for some images of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tt_data.transforms import Compose
from tt_tensor import Generator, drawing_from
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.generator import rng_of
from tt_vision.transforms.arguments import share_of
from tt_vision.transforms.drawing import RandomTransform, checked_generator
from tt_vision.transforms.images import opened

__all__ = ["RandomApply", "RandomChoice"]


class _OfOthers(RandomTransform):
    """One that calls other transforms; they draw from its generator, so far as they have none of their own."""

    def __call__(self, images: Any) -> Any:
        if self.generator is None:
            return super().__call__(images)
        name = type(self).__name__
        given, rng = opened(images, name), rng_of(self.generator, name)
        draws = self.draw(given.pixels.shape, rng)
        with drawing_from(Generator(int(rng.integers(1 << 63)))):
            return given.close(self.apply(given.pixels, *draws))


class RandomApply(_OfOthers):
    """Each image, with probability `p`, through all of `transforms`.

    Each must keep size and dtype, since the others of the batch do.

    Raises ArgumentError for a p that is no probability, DTypeError for what is no list of transforms.
    """

    def __init__(
        self, transforms: Iterable[Callable[[Any], Any]], p: float = 0.5, *, generator: Any = None
    ) -> None:
        self.transforms = Compose(transforms).transforms
        self.p = share_of("RandomApply", "p", p)
        self.generator = checked_generator("RandomApply", generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """Whether each image goes through: bools (N,)."""
        return (rng.random(shape[0]) < self.p,)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """A copy with those images changed."""
        out = pixels.copy(order="K")
        _change("RandomApply", out, draws[0], Compose(self.transforms))
        return out


class RandomChoice(_OfOthers):
    """Each image through one of `transforms`, drawn by the weights `p`; all alike by default.

    Each must keep size and dtype, since the others of the batch do.

    Raises ArgumentError for weights that are none, DTypeError for what is no list of transforms.
    """

    def __init__(
        self,
        transforms: Iterable[Callable[[Any], Any]],
        p: Sequence[float] | None = None,
        *,
        generator: Any = None,
    ) -> None:
        self.transforms = Compose(transforms).transforms
        count = len(self.transforms)
        if not count:
            raise ArgumentError("RandomChoice: takes at least one transform to choose from")
        self.p = None if p is None else list(p)
        weights = np.ones(count) if self.p is None else np.asarray(self.p)
        fits = weights.shape == (count,) and weights.dtype.kind in "fiu"
        if not fits or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
            raise ArgumentError(
                f"RandomChoice: p has a weight from 0 up for each of {count} transforms, not {p!r}"
            )
        self._ends = np.cumsum(weights / weights.sum())
        self.generator = checked_generator("RandomChoice", generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """The transform of each image: whole numbers (N,)."""
        which = np.searchsorted(self._ends, rng.random(shape[0]), "right")
        return (np.minimum(which, len(self.transforms) - 1),)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """A copy, each image changed by its transform."""
        out = pixels.copy(order="K")
        for at, transform in enumerate(self.transforms):
            _change("RandomChoice", out, draws[0] == at, transform)
        return out


def _change(where: str, pixels: Any, which: Any, transform: Callable[[Any], Any]) -> None:
    """Write what `transform` makes of the images of the mask `which` in their place."""
    some = pixels[which]
    if not len(some):
        return
    changed = np.asarray(transform(some))
    if changed.shape != some.shape:
        raise ShapeError(
            f"{where}: the transform made {changed.shape[1:]} of images of {some.shape[1:]}, and those that it was not "
            "applied to stay so; put what changes the size before or behind"
        )
    if changed.dtype != some.dtype:
        raise DTypeError(
            f"{where}: the transform made {changed.dtype} of {some.dtype}, and the other images stay so; put what "
            "changes the dtype before or behind"
        )
    pixels[which] = changed
