"""Every error the tt wheels raise on bad input: what was wrong, why, and what to do.

Each also derives from the built-in that a NumPy or PyTorch user would catch, so `except ValueError`
goes on working.
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "AxisError",
    "DLPackError",
    "DTypeError",
    "GradientError",
    "InPlaceError",
    "IndexingError",
    "MissingWheelError",
    "ScalarError",
    "ShapeError",
    "TTError",
]


class TTError(Exception):
    """The base of all errors of the tt wheels."""


class ShapeError(TTError, ValueError):
    """Shapes do not fit each other or the operation."""


class ScalarError(ShapeError, TypeError):
    """A tensor of shape () where rows are wanted; a TypeError, as for any object that cannot be iterated."""


class AxisError(ShapeError, IndexError):
    """An axis is out of range, or named twice."""


class IndexingError(TTError, IndexError):
    """An index is out of range or of a kind that does not index."""


class DTypeError(TTError, TypeError):
    """A dtype that the operation does not take, or an object that is no array at all."""


class ArgumentError(TTError, ValueError):
    """An argument's value is outside of what the operation takes."""


class GradientError(TTError, RuntimeError):
    """A gradient was asked for where there is none."""


class InPlaceError(TTError, RuntimeError):
    """A value that a rule still needs was overwritten, or must not be."""


class DLPackError(TTError, BufferError):
    """Memory cannot be shared with another library; a BufferError, as the array API standard wants."""


class MissingWheelError(TTError, ImportError):
    """The operation needs a later wheel; the message names it."""
