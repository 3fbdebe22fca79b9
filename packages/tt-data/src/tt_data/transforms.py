"""Transforms: functions of a whole batch.

    y = transform(x)        x of shape (N, …): all samples at once; N may be 1

That is the whole protocol: any callable will do. A transform that draws at random draws for each sample of the batch
by itself, from `tt_tensor.default_generator()`, which a DataLoader seeds for each batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tt_tensor import Tensor
from tt_tensor.errors import DTypeError

__all__ = ["Compose", "Lambda", "PerSample", "Transform"]


class Transform:
    """y = transform(x), x of shape (N, …): subclass it and write `__call__(x)`."""

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __call__(x); write one")

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}" for name, value in vars(self).items() if not name.startswith("_")
        )
        return f"{type(self).__name__}({shown})"


class Compose(Transform):
    """y = tₙ(… t₂(t₁(x)))."""

    def __init__(self, transforms: Iterable[Callable[[Any], Any]]) -> None:
        if not isinstance(transforms, Iterable):
            raise DTypeError(f"Compose: takes a list of transforms, not one {type(transforms).__name__}")
        self.transforms = list(transforms)
        for transform in self.transforms:
            _check("Compose", transform)

    def __call__(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x

    def __repr__(self) -> str:
        return f"Compose({self.transforms!r})"


class Lambda(Transform):
    """y = function(x): a function of a batch under a name that shows itself.

    Raises DTypeError for what cannot be called.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        _check("Lambda", function)
        self.function = function

    def __call__(self, x: Any) -> Any:
        return self.function(x)

    def __repr__(self) -> str:
        return f"Lambda({getattr(self.function, '__name__', self.function)})"


class PerSample(Transform):
    """y[i] = function(x[i]): for a function of one sample, called N times. What runs over whole batches is faster."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        _check("PerSample", function)
        self.function = function

    def __call__(self, x: Any) -> Any:
        rows = [self.function(row) for row in (x.array if isinstance(x, Tensor) else x)]
        if not rows:
            return x
        return np.stack([row.array if isinstance(row, Tensor) else np.asarray(row) for row in rows])


def _check(where: str, function: Any) -> None:
    if not callable(function):
        raise DTypeError(f"{where}: a transform is something to call, not {type(function).__name__}")
