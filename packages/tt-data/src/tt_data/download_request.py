"""One request to one mirror, through pooch, with the answer looked at before its first byte is kept."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin

from tt_data.download_part import Part
from tt_data.download_progress import Show
from tt_data.download_spec import RemoteFile, is_safe

__all__ = ["MirrorError", "request"]

REDIRECTS = 5
TIMEOUT = (10, 30)
"""Seconds: to connect, and without a byte."""

PIECE = 1 << 14
"""Bytes at a time; an answer that breaks off loses the piece it was in."""

PASSING = (408, 425, 429, 500, 502, 503, 504)
"""The HTTP statuses after which it is worth asking again."""


class MirrorError(Exception):
    """Why a mirror did not give the file; `lasting` if asking it again is of no use."""

    def __init__(self, reason: str, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


class Moved(Exception):  # noqa: N818  (no error: control flow through pooch)
    """The answer is to ask elsewhere."""


class Whole(Exception):  # noqa: N818
    """All declared bytes have come; whatever else the mirror wants to send is not read."""


def request(url: str, file: RemoteFile, part: Part, show: Show) -> None:
    """Ask `url` for what `part` lacks and write it there, at most up to the declared size.

    It follows redirects by itself, so that none leads from https to http. Raises MirrorError if the answer is not
    that, or not all of it, OSError where the disk refuses.
    """
    asked = url
    for _ in range(REDIRECTS + 1):
        answer = _Answer(url, file, part, show)
        try:
            answer.receive(asked)
        except Moved as moved:
            there = urljoin(asked, str(moved))
            if not is_safe(there, after=asked):
                raise MirrorError(f"redirects to {there!r}, which is not https", lasting=True) from None
            asked = there
        else:
            return
    raise MirrorError("redirects in a circle", lasting=True)


class _Answer:
    """What comes from a mirror; pooch writes into it."""

    def __init__(self, url: str, file: RemoteFile, part: Part, show: Show) -> None:
        self.url, self.file, self.part, self.show = url, file, part, show
        self.response: Any = None
        self.refusal: OSError | None = None

    def receive(self, asked: str) -> None:
        from pooch import HTTPDownloader  # type: ignore[import-untyped]

        get = HTTPDownloader(
            chunk_size=PIECE,
            timeout=TIMEOUT,
            allow_redirects=False,
            # The bytes as they are stored, not packed for the way.
            headers={"Accept-Encoding": "identity", **self.part.headers(self.url)},
            hooks={"response": self.look},
        )
        try:
            get(asked, self, None)
        except Whole:
            pass
        except OSError as error:
            if self.refusal is not None:
                raise self.refusal from None
            raise self.fault(error) from error
        finally:
            if self.response is not None:
                self.response.close()

    def look(self, response: Any, *args: Any, **kwargs: Any) -> None:
        """Refuse the answer, or make the part ready for it."""
        self.response = response
        status, headers = response.status_code, response.headers
        if response.is_redirect:
            raise Moved(headers["location"])
        # A server that packs all the same would have us unpack: then it would not be the published file.
        response.raw.headers.pop("content-encoding", None)
        length = headers.get("content-length", "")
        if status == HTTPStatus.PARTIAL_CONTENT:
            self.check_range(headers.get("content-range", ""))
            self.part.resumed = True
        elif status == HTTPStatus.OK:
            if length.isdecimal() and int(length) != self.file.size:
                raise MirrorError(
                    f"has {int(length):,} bytes there instead of {self.file.size:,}", lasting=True
                )
            validator = headers.get("etag", "")
            if not validator or validator.startswith("W/"):
                validator = headers.get("last-modified", "")
            self.keep(lambda: self.part.restart(self.url, validator))
        elif status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.keep(self.part.restart)
            raise MirrorError("has no such range of the file")
        else:
            raise MirrorError(f"answers {status}{_phrase(status)}", lasting=status not in PASSING)
        self.show.at(self.part.size)

    def check_range(self, said: str) -> None:
        found = re.fullmatch(r"bytes (\d{1,19})-\d{1,19}/(\d{1,19}|\*)", said, re.ASCII)
        if found is None or int(found[1]) != self.part.size:
            self.keep(self.part.restart)
            raise MirrorError(f"sends another range than was asked for ({said!r})")
        if found[2] not in ("*", str(self.file.size)):
            raise MirrorError(
                f"has {int(found[2]):,} bytes there instead of {self.file.size:,}", lasting=True
            )

    def write(self, piece: bytes) -> None:
        """For pooch: keep a piece."""
        self.keep(lambda: self.part.write(piece[: self.file.size - self.part.size]))
        self.show.at(self.part.size)
        if self.part.size == self.file.size:
            raise Whole

    def flush(self) -> None:
        """For pooch, which flushes after each piece; the part has no buffer."""

    def keep(self, action: Any) -> None:
        """Do what writes, and remember that it was the disk which refused, not the network."""
        try:
            action()
        except OSError as error:
            self.refusal = error
            raise

    def fault(self, error: OSError) -> MirrorError:
        """What an error of the network means."""
        if self.response is None and not _is_reset(error):
            return MirrorError(f"cannot be reached ({_brief(error)})", lasting=True)
        return MirrorError(
            f"broke off after {self.part.size:,} of {self.file.size:,} bytes ({_brief(error)})"
        )


def _phrase(status: int) -> str:
    # Not the server's own words, which end up on a terminal.
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _is_reset(error: BaseException) -> bool:
    """Whether somebody was there and hung up."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionResetError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _brief(error: BaseException) -> str:
    """The innermost reason, without the layers around it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
