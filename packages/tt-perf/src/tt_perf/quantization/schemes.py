"""Scheme: how weights, and perhaps activations, are stored and multiplied.

name            weights                 activations             products
int8            int8, a scale a row     float32                 float32
int8-dynamic    int8, a scale a row     uint8, a scale a sample int8 · uint8 → int32
int8-static     int8, a scale a row     uint8, a scale a layer  int8 · uint8 → int32
int16           int16, a scale a row    float32                 float32
float16         float16                 float32                 float32
bfloat16        bfloat16                float32                 float32
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tt_perf.quantization.halves import HalfArray, half_array
from tt_perf.quantization.integers import QuantizedArray, quantize_array
from tt_perf.quantization.ranges import OBSERVERS
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError

__all__ = ["SCHEMES", "Scheme", "StoredArray", "scheme_of"]

StoredArray = QuantizedArray | HalfArray

WEIGHTS = ("int8", "int16", "float16", "bfloat16")
ACTIVATIONS = ("dynamic", "static")


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ArgumentError(f"Scheme: {name} is one of {', '.join(known)}, not {value!r}")


@dataclass(frozen=True)
class Scheme:
    """What `quantize` does to a layer.

    Raises ArgumentError for settings that are none, or that do not go together.
    """

    weights: str = "int8"
    """ "int8", "int16", "float16" or "bfloat16"."""
    activations: str | None = None
    """None: as they are. "dynamic": uint8, each row by its own range. "static": uint8, by a range that calibration
    found for the layer. Both need int8 weights."""
    symmetric: bool = True
    """Whether the weight 0.0 is the integer 0; else each scale has a zero point."""
    group_size: int | None = None
    """So many weights of a row share a scale; None: all."""
    per: str = "channel"
    """ "channel", or "tensor" for one scale for all weights of a layer."""
    observer: str = "minmax"
    """Which range the weights' integers cover: "minmax", "percentile" or "mse"."""
    activation_observer: str = "minmax"
    """Which range those of static activations cover."""

    def __post_init__(self) -> None:
        _one_of("weights", self.weights, WEIGHTS)
        _one_of("per", self.per, ("channel", "tensor"))
        _one_of("observer", self.observer, OBSERVERS)
        _one_of("activation_observer", self.activation_observer, OBSERVERS)
        if self.activations is not None:
            _one_of("activations", self.activations, ACTIVATIONS)
            if self.weights != "int8":
                raise ArgumentError(
                    f"Scheme: {self.activations} activations are multiplied with int8 weights, not {self.weights}"
                )
        if not isinstance(self.symmetric, bool):
            raise ArgumentError(f"Scheme: symmetric is True or False, not {self.symmetric!r}")
        size = self.group_size
        if size is not None:
            object.__setattr__(self, "group_size", whole_number("Scheme", "group_size", size, 1))
            if self.per == "tensor":
                raise ArgumentError(f'Scheme: group_size={size} has no meaning with per="tensor"')
        if not self.integers and (not self.symmetric or size is not None or self.per == "tensor"):
            raise ArgumentError(
                f"Scheme: {self.weights} has no scales, so it takes no symmetric, group_size and per"
            )

    @property
    def integers(self) -> bool:
        """Are weights integers with scales?"""
        return self.weights.startswith("int")

    @property
    def dtype(self) -> Any:
        """What holds a weight: bfloat16 is held in uint16."""
        return np.dtype(np.uint16 if self.weights == "bfloat16" else self.weights)

    def stored(self, array: Any, name: str) -> StoredArray:
        """`array` (rows, …) as this scheme stores it. Raises ArgumentError, with `name`, for NaN and infinities."""
        if not self.integers:
            return half_array(array, self.weights, name)
        return quantize_array(
            array,
            self.dtype,
            symmetric=self.symmetric,
            group_size=self.group_size,
            per=self.per,
            observer=self.observer,
            name=name,
        )

    def empty(self, shape: tuple[int, ...]) -> StoredArray:
        """Zeros of that shape, stored so: to load into."""
        return self.stored(np.zeros(shape, np.float32), "Scheme.empty")

    def to_dict(self) -> dict[str, Any]:
        """The settings by name, as JSON holds them."""
        return asdict(self)


SCHEMES = {
    "int8": Scheme(),
    "int8-dynamic": Scheme(activations="dynamic"),
    "int8-static": Scheme(activations="static"),
    "int16": Scheme("int16"),
    "float16": Scheme("float16"),
    "bfloat16": Scheme("bfloat16"),
}
"""Schemes that have a name."""


def scheme_of(scheme: str | Scheme, **settings: Any) -> Scheme:
    """The scheme of that name, or the one given, with other `settings` where they are not None.

    Raises ArgumentError for a name or settings that are none.

    >>> scheme_of("int8", group_size=64).group_size
    64
    """
    if isinstance(scheme, str):
        if scheme not in SCHEMES:
            raise ArgumentError(
                f"quantize: no scheme is called {scheme!r}; there are {', '.join(SCHEMES)}, or make a Scheme(…)"
            )
        scheme = SCHEMES[scheme]
    if not isinstance(scheme, Scheme):
        raise ArgumentError(f"quantize: a scheme is a name or a Scheme, not {scheme!r}")
    given = {name: value for name, value in settings.items() if value is not None}
    try:
        return replace(scheme, **given)
    except TypeError as error:
        raise ArgumentError(f"quantize: a scheme has no such setting: {error}") from error
