"""What can go wrong between a published file and an array."""

from __future__ import annotations

from tt_tensor.errors import TTError

__all__ = ["ArchiveError", "DownloadError", "MissingFileError"]


class DownloadError(TTError, OSError):
    """A file could not be fetched or kept: no room, no permission, no lock. `errno` is the system's, if any."""


class MissingFileError(DownloadError, FileNotFoundError):
    """A file is not here and cannot be had; the message says which file to put where, with its checksum."""


class ArchiveError(TTError, ValueError):
    """An archive, or a member of it, is damaged, hostile, or not what was published."""
