"""How fast each pair of a rotary embedding turns, and how that is stretched for longer texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from tt_text.errors import ConfigError

__all__ = ["rotary_frequencies", "rotary_magnitude", "rotary_variant", "stretched_length"]

KNOWN = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
Frequencies = npt.NDArray[np.float64]


def rotary_frequencies(
    size: int, base: float = 10000.0, scaling: Mapping[str, Any] | None = None, length: int = 0
) -> Frequencies:
    """θ_i = base^(-2 i / size), i < size / 2, in float64: the angle by which pair i turns from a position to the next.

    `scaling` is what Hugging Face's configurations call rope_scaling (or rope_parameters), with the method under
    "rope_type" or the older "type"; L is "original_max_position_embeddings", s is "factor":

    - "default": as above.
    - "linear": θ / s, as if the positions were closer together (Chen et al. 2023, arXiv:2306.15595).
    - "dynamic": in a text of `length` > L, the base is base · (s length / L - s + 1)^(size / (size - 2)).
    - "yarn", with "beta_fast" (32), "beta_slow" (1), "truncate" (true): pairs that turn more than beta_fast times in L
      positions stay, those that turn less than beta_slow times become slower by s, those between are a mixture, linear
      in i (Peng et al. 2023, arXiv:2309.00071).
    - "longrope", with "short_factor" and "long_factor", size / 2 numbers each: θ_i / short_factor_i, in a text of
      `length` > L θ_i / long_factor_i (Ding et al. 2024, arXiv:2402.13753).
    - "llama3", with "low_freq_factor", "high_freq_factor": pairs that turn more than high_freq_factor times in L
      positions stay, those that turn less than low_freq_factor times become slower by s, those between are a mixture,
      linear in the number of turns (Llama 3.1, 2024).

    Raises ConfigError for another method, or a setting that is missing or no number it can be.
    """
    method = _method(base, scaling)
    if method == "dynamic" and rotary_variant(scaling, length):
        base = _dynamic_base(size, float(base), scaling or {}, length)
    theta = float(base) ** (-np.arange(0, size, 2, dtype=np.float64) / max(size, 1))
    if scaling is None or method in ("default", "dynamic"):
        return theta
    if method == "linear":
        return theta / _number(scaling, "factor", 1.0)
    if method == "llama3":
        return _llama3(theta, scaling)
    if method == "yarn":
        return _yarn(theta, size, float(base), scaling)
    return theta / _factors(
        scaling, "long_factor" if rotary_variant(scaling, length) else "short_factor", size
    )


def rotary_magnitude(scaling: Mapping[str, Any] | None) -> float:
    """m, by which turned pairs become longer, so that scores are m² times as large; 1 but for two methods.

    "yarn": 0.1 ln s + 1, with "mscale" a and "mscale_all_dim" b (0.1 a ln s + 1) / (0.1 b ln s + 1); "longrope":
    √(1 + ln s / ln L); or "attention_factor", if it is given.

    Raises ConfigError as `rotary_frequencies` does.
    """
    method = None if scaling is None else _method(None, scaling)
    if scaling is None or method not in ("yarn", "longrope"):
        return 1.0
    if scaling.get("attention_factor") is not None:
        return _number(scaling, "attention_factor")
    factor = _number(scaling, "factor", 1.0)
    if method == "longrope":
        length = _number(scaling, "original_max_position_embeddings", 2.0)
        return math.sqrt(1 + math.log(factor) / math.log(length))
    if scaling.get("mscale") and scaling.get("mscale_all_dim"):
        one, all_dim = (
            0.1 * _number(scaling, name) * math.log(factor) + 1 for name in ("mscale", "mscale_all_dim")
        )
        return one / all_dim
    return 0.1 * math.log(factor) + 1


def rotary_variant(scaling: Mapping[str, Any] | None, length: int) -> int:
    """Which frequencies count in a text of so many tokens: equal numbers: the same; 0: the usual ones."""
    method = None if scaling is None else _method(None, scaling)
    if scaling is None or method not in ("dynamic", "longrope"):
        return 0
    if length <= _number(scaling, "original_max_position_embeddings"):
        return 0
    return length if method == "dynamic" else 1


def stretched_length(positions: int, scaling: Mapping[str, Any] | None) -> int:
    """How many positions a model for `positions` reads with this scaling: s L, if that is more."""
    if scaling is None or scaling.get("factor") is None:
        return positions
    length = scaling.get("original_max_position_embeddings", positions)
    if not isinstance(length, Real) or not math.isfinite(length):
        return positions
    return max(positions, min(int(_number(scaling, "factor", 1.0) * float(length)), (1 << 31) - 1))


def _method(base: float | None, scaling: Mapping[str, Any] | None) -> str:
    if scaling is None:
        return "default"
    if not isinstance(scaling, Mapping):
        raise ConfigError(f"rope_scaling is a table of settings or None, not {scaling!r}")
    method = scaling.get("rope_type", scaling.get("type"))
    named = scaling.get("rope_theta", base)
    if base is not None and named != base:
        raise ConfigError(
            f"rope_scaling: rope_theta is {named!r} there, but the base is {base!r}; give the same"
        )
    if not isinstance(method, str) or method not in KNOWN:
        raise ConfigError(
            f"rope_scaling: rope_type is {method!r}; known are {', '.join(map(repr, KNOWN))}, and a model made for "
            "another one would read its positions wrongly"
        )
    return method


def _dynamic_base(size: int, base: float, scaling: Mapping[str, Any], length: int) -> float:
    if size <= 2:
        raise ConfigError(
            "rope_scaling: rope_type 'dynamic' is for heads of more than two features that turn"
        )
    factor = _number(scaling, "factor", 1.0)
    stretch = factor * length / _number(scaling, "original_max_position_embeddings") - (factor - 1)
    return base * float(stretch ** (size / (size - 2)))


def _yarn(theta: Frequencies, size: int, base: float, scaling: Mapping[str, Any]) -> Frequencies:
    factor = _number(scaling, "factor", 1.0)
    length = _number(scaling, "original_max_position_embeddings")
    if base <= 1.0:
        raise ConfigError(f"rope_scaling: rope_type 'yarn' is for a rope_theta above 1, not {base!r}")

    def pair(turns: float) -> float:
        """Which pair turns so many times in `length` positions; between two, it is a fraction."""
        return size * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(base))

    # Null and 0 count as absent.
    fast, slow = (
        _number(scaling, name) if scaling.get(name) else usual
        for name, usual in (("beta_fast", 32.0), ("beta_slow", 1.0))
    )
    low, high = pair(fast), pair(slow)
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, size - 1)
    slower = np.clip((np.arange(size // 2) - low) / ((high - low) or 0.001), 0.0, 1.0)
    return theta / factor * slower + theta * (1 - slower)


def _llama3(theta: Frequencies, scaling: Mapping[str, Any]) -> Frequencies:
    factor = _number(scaling, "factor", 1.0)
    low, high = _number(scaling, "low_freq_factor"), _number(scaling, "high_freq_factor")
    if not low < high:
        raise ConfigError(
            f"rope_scaling: low_freq_factor={low} must be below high_freq_factor={high}: between them is the mixture"
        )
    turns = theta * _number(scaling, "original_max_position_embeddings") / (2 * math.pi)
    kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1 - kept) * theta / factor + kept * theta


def _factors(scaling: Mapping[str, Any], name: str, size: int) -> Frequencies:
    given = scaling.get(name)
    if not isinstance(given, list | tuple) or len(given) != size // 2:
        many = f"{len(given)} numbers" if isinstance(given, list | tuple) else repr(given)
        raise ConfigError(
            f"rope_scaling: {name} is a list of {size // 2} numbers, one for each pair, not {many:.80}"
        )
    return np.array([_number({name: one}, name) for one in given])


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
