"""The errors of the kit: each carries a message for the person at the keyboard."""

from __future__ import annotations

__all__ = ["DigitsError", "KitError", "UsageError", "WriteError"]


class KitError(Exception):
    """Anything that ends a milestone with a message instead of a traceback (exit code 1)."""


class UsageError(KitError):
    """Wrong arguments: what was wrong and what is allowed (exit code 2)."""


class WriteError(KitError):
    """Results could not be written; no file was left half-written (exit code 1)."""


class DigitsError(KitError):
    """The packed digits are missing or are not the bytes that were shipped (exit code 1)."""
