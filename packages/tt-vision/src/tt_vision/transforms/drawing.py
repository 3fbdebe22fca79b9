"""What all random transforms share: every image gets draws of its own, and a batch is one call of the generator.

`draw` says what happens to each image, `apply` does it and draws nothing. So the same draws give the same images,
one by one or all at once.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from tt_data.transforms import Transform
from tt_tensor import Generator
from tt_tensor.errors import DTypeError
from tt_tensor.generator import rng_of
from tt_vision.transforms.images import opened

__all__ = ["ImageTransform", "RandomTransform", "checked_generator"]


class ImageTransform(Transform):
    """Called with images (C, H, W) or (N, C, H, W), gives images; the repr shows what differs from the defaults."""

    def __repr__(self) -> str:
        shown = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = repr(getattr(self, name))
            if value != repr(parameter.default):
                shown.append(f"{name}={value}")
        return f"{type(self).__name__}({', '.join(shown)})"


class RandomTransform(ImageTransform):
    """A transform that draws.

    It draws from the generator that `tt_tensor.manual_seed` seeds, which a DataLoader seeds for each batch, so that
    batches do not depend on the number of workers. With a `generator` of its own it draws from that.
    """

    generator: Generator | np.random.Generator | None = None

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """What to do to each of `shape` = (N, C, H, W): arrays or lists whose first axis is N."""
        raise NotImplementedError

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """The pixels (N, C, H, W) after what was drawn."""
        raise NotImplementedError

    def __call__(self, images: Any) -> Any:
        given = opened(images, type(self).__name__)
        draws = self.draw(given.pixels.shape, rng_of(self.generator, type(self).__name__))
        return given.close(self.apply(given.pixels, *draws))


def checked_generator(where: str, generator: Any) -> Any:
    """`generator`, if it is one or None. Raises DTypeError otherwise."""
    if generator is None or isinstance(generator, Generator | np.random.Generator):
        return generator
    raise DTypeError(
        f"{where}: generator is a Generator, not {type(generator).__name__}; use Generator(seed)"
    )
