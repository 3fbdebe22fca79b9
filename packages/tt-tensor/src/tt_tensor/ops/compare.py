"""Comparisons and choices: == < maximum minimum where clip."""

from __future__ import annotations

__all__ = ["CompareMethods"]


class CompareMethods:
    """Methods of a Tensor."""
