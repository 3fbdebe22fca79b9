"""Errors of tt_nn beside those of tt_tensor."""

from __future__ import annotations

from tt_tensor.errors import ArgumentError, TTError

__all__ = ["StateDictError", "UnknownNameError", "WeightsError"]


class StateDictError(TTError, RuntimeError):
    """A state dict does not fit the module: it lists every missing, unexpected and mis-shaped name."""


class WeightsError(TTError, ValueError):
    """A weights file is missing, truncated, corrupt, or not what it says it is."""


class UnknownNameError(ArgumentError, KeyError, AttributeError):
    """A module has no part of that name."""

    # KeyError would show the message in quotes.
    __str__ = Exception.__str__
