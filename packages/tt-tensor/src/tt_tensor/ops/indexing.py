"""Indexing: reading and writing parts of a tensor."""

from __future__ import annotations

__all__ = ["IndexingMethods"]


class IndexingMethods:
    """Methods of a Tensor."""
