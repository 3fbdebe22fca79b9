"""How fast each pair of a rotary embedding turns, and how that is stretched for longer texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from tt_text.errors import ConfigError

__all__ = ["rotary_frequencies"]


def rotary_frequencies(
    size: int, base: float = 10000.0, scaling: Mapping[str, Any] | None = None
) -> npt.NDArray[np.float64]:
    """θ_i = base^(-2 i / size), i < size / 2, in float64: the angle by which pair i turns from a position to the next.

    `scaling` is what Hugging Face's configurations call rope_scaling (or rope_parameters), with the method under
    "rope_type" or the older "type":

    - "default": as above.
    - "linear", with "factor": θ / factor, as if the positions were closer together (Chen et al. 2023,
      arXiv:2306.15595).
    - "llama3", with "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings" = L: pairs
      that turn more than high_freq_factor times in L positions stay, those that turn less than low_freq_factor times
      become slower by factor, those between are a mixture, linear in the number of turns (Llama 3.1, 2024).

    Raises ConfigError for another method, or a setting that is missing or no number it can be.
    """
    theta = float(base) ** (-np.arange(0, size, 2, dtype=np.float64) / max(size, 1))
    if scaling is None:
        return theta
    if not isinstance(scaling, Mapping):
        raise ConfigError(f"rope_scaling is a table of settings or None, not {scaling!r}")
    method = scaling.get("rope_type", scaling.get("type"))
    named = scaling.get("rope_theta", base)
    if named != base:
        raise ConfigError(
            f"rope_scaling: rope_theta is {named!r} there, but the base is {base!r}; give the same"
        )
    if method == "default":
        return theta
    if method == "linear":
        return theta / _number(scaling, "factor", 1.0)
    if method == "llama3":
        return _llama3(theta, scaling)
    raise ConfigError(
        f"rope_scaling: rope_type is {method!r}; known are 'default', 'linear' and 'llama3', and a model made for "
        "another one would read its positions wrongly"
    )


def _llama3(theta: npt.NDArray[np.float64], scaling: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    factor = _number(scaling, "factor", 1.0)
    low, high = _number(scaling, "low_freq_factor"), _number(scaling, "high_freq_factor")
    if not low < high:
        raise ConfigError(
            f"rope_scaling: low_freq_factor={low} must be below high_freq_factor={high}: between them is the mixture"
        )
    turns = theta * _number(scaling, "original_max_position_embeddings") / (2 * math.pi)
    kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1 - kept) * theta / factor + kept * theta


def _number(scaling: Mapping[str, Any], name: str, least: float = 0.0) -> float:
    value = scaling.get(name)
    good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not (value >= least and value > 0):  # type: ignore[operator]
        where = f"from {least:g} up" if least else "above 0"
        raise ConfigError(
            f"rope_scaling: {name} must be a number {where}, not {value!r}"
            if name in scaling
            else f"rope_scaling: {name} is missing; it is a number {where}"
        )
    return float(value)  # type: ignore[arg-type]
