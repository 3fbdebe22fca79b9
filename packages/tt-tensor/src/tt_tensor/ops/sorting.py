"""Order: sort, argsort, topk."""

from __future__ import annotations

__all__ = ["SortingMethods"]


class SortingMethods:
    """Methods of a Tensor."""
