"""The error of the datasets."""

from __future__ import annotations

from tt_tensor.errors import TTError

__all__ = ["DatasetError"]


class DatasetError(TTError, RuntimeError, ValueError):
    """A dataset is not here and cannot be had, or its files are damaged or not what they say they are."""
