"""One mirror after the other, until the file is whole and right."""

from __future__ import annotations

import time
from pathlib import Path

from tt_data.download_part import Part
from tt_data.download_progress import Show
from tt_data.download_request import MirrorError, request
from tt_data.download_spec import RemoteFile

__all__ = ["PAUSES", "download"]

PAUSES = (0.5, 2.0)
"""Seconds to wait before those mirrors that are only overloaded, or broke off, are asked once more."""


def download(file: RemoteFile, target: Path, show: Show) -> dict[str, str]:
    """Fetch `file` to `target`. Returns why each mirror failed; nothing if the file is there.

    The caller holds the lock. Raises OSError where the disk refuses.
    """
    refused: dict[str, str] = {}
    left = list(file.urls)
    with Part(target, file) as part:
        for pause in (0.0, *PAUSES):
            if left:
                time.sleep(pause)
            for url in tuple(left):
                try:
                    _from_mirror(url, file, part, show)
                except MirrorError as fault:
                    refused[url] = str(fault)
                    show.note(f"{url}: {fault}")
                    if fault.lasting:
                        left.remove(url)
                else:
                    return {}
    return refused


def _from_mirror(url: str, file: RemoteFile, part: Part, show: Show) -> None:
    """Go on from where the part ends, as long as this mirror gets it further. Raises MirrorError."""
    wrong_before = False
    while True:
        start, fault = part.size, None
        if part.size < file.size:
            try:
                request(url, file, part, show)
            except MirrorError as raised:
                fault = raised
        if part.size == file.size:
            if part.commit():
                return
            # What is wrong may be the bytes of an earlier time or of another mirror: once more, all from this one.
            mixed = part.resumed and not wrong_before
            wrong_before = True
            part.restart()
            show.at(0)
            if not mixed:
                raise MirrorError("sends a file with another sha256", lasting=True)
        elif fault is None or fault.lasting or part.size - start < file.size / 64:
            raise fault or MirrorError(f"broke off after {part.size:,} of {file.size:,} bytes")
