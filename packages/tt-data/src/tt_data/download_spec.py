"""What is known of a published file before the first byte comes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from tt_tensor.errors import ArgumentError

__all__ = ["RemoteFile", "is_safe"]

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class RemoteFile:
    """A file as it was published.

    Args:
        name: what it is called here; may begin with folders: `"mnist/train-images-idx3-ubyte.gz"`.
        sha256: of the whole file, in hexadecimal digits. It alone decides whether a file is the right one.
        size: in bytes. No more is ever read from a mirror.
        urls: mirrors, best first. https only; http is for this very machine.
        md5: where the publisher names it; shown to whoever has to bring the file by hand.
        licence: the terms, in a few words; shown likewise.

    Raises ArgumentError for a name that leads out of the data folder, an address that is not https, and what is no
    checksum or size.
    """

    name: str
    sha256: str
    size: int
    urls: tuple[str, ...]
    md5: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        path = PurePosixPath(self.name)
        unsafe = path.is_absolute() or ".." in path.parts or re.search(r"[\\:\0]", self.name)
        if unsafe or not path.name or str(path) != self.name:
            raise ArgumentError(
                f"RemoteFile: the name {self.name!r} must be a path inside the data folder, such as 'mnist/images.gz'"
            )
        for what, digits, length in (("sha256", self.sha256, 64), ("md5", self.md5, 32 if self.md5 else 0)):
            if not re.fullmatch(rf"[0-9a-f]{{{length}}}", digits):
                raise ArgumentError(
                    f"RemoteFile: {self.name}: {digits!r} is no {what}; write {length} digits of 0-9a-f"
                )
        if self.size <= 0:
            raise ArgumentError(f"RemoteFile: {self.name}: the size must be positive, not {self.size}")
        for url in self.urls:
            if not is_safe(url):
                raise ArgumentError(
                    f"RemoteFile: {self.name}: {url} is not https (http is only for this very machine)"
                )


def is_safe(url: str, after: str = "") -> bool:
    """Whether `url` may be asked, directly or because `after` redirected to it: https, or http to this machine.

    From https no redirect leads to http, not even to this machine.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in LOOPBACK and not after.lower().startswith("https:")
