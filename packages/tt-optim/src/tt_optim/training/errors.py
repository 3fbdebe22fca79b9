"""Errors and warnings of checkpoints."""

from __future__ import annotations

from tt_tensor.errors import TTError

__all__ = ["CheckpointError", "CheckpointWarning", "StateError"]


class CheckpointError(TTError, ValueError):
    """A checkpoint cannot be read: missing, truncated, damaged, of another version, or of somebody else."""


class StateError(TTError, TypeError):
    """A state holds what a checkpoint cannot; the message names where, as in state["optimizer"]["hook"]."""


class CheckpointWarning(UserWarning):
    """A checkpoint was passed over because it is bad, or one that is no longer needed could not be removed."""
