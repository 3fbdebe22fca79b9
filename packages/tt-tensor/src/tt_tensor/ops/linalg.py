"""Matrix products and einsum."""

from __future__ import annotations

__all__ = ["LinalgMethods"]


class LinalgMethods:
    """Methods of a Tensor."""
