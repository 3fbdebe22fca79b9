"""Errors of tt_data beside those of tt_tensor."""

from __future__ import annotations

from tt_tensor.errors import TTError

__all__ = ["DatasetError", "LoaderStateError", "WorkerError"]


class WorkerError(TTError, RuntimeError):
    """A worker process died, was too slow, or raised; the message names the worker, the batch and the index.

    Where the worker raised, its traceback is part of the message, and the exception itself is the `__cause__`, if it
    can be sent from process to process.
    """


class LoaderStateError(TTError, ValueError):
    """A state does not fit this loader: it is of another dataset, another batch size, or no state of a loader."""


class DatasetError(TTError, RuntimeError, ValueError):
    """A dataset is not here and cannot be had, or its files are damaged or not what they say they are."""
