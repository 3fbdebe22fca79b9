"""Errors of measuring beside those of tt_tensor."""

from __future__ import annotations

from tt_tensor.errors import TTError

__all__ = ["ContenderError", "ResultFileError"]


class ContenderError(TTError, RuntimeError):
    """A contender could not be loaded, failed in its process, or cannot be timed."""


class ResultFileError(TTError, ValueError):
    """A JSON file is missing, unreadable, or not what it is taken for."""
