"""Errors of tt_nn beside those of tt_tensor."""

from __future__ import annotations

from tt_tensor.errors import TTError

__all__ = ["StateDictError", "WeightsError"]


class StateDictError(TTError, RuntimeError):
    """A state dict does not fit the module: it lists every missing, unexpected and mis-shaped name."""


class WeightsError(TTError, ValueError):
    """A weights file is missing, truncated, corrupt, or not what it says it is."""
