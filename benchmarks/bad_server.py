"""A server on this machine that publishes one file and misbehaves: for download_race.py.

Each answer is drawn: 503, a body that breaks off, another body under the same name, a length that is too large or too
small, no end, ranges answered wrongly, a redirect to http elsewhere, a connection that is dropped. After `bad` of them
there are honest ones too: at once, slow, without ranges, or with a wrong word about how the body is packed.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BAD = ("busy", "failing", "broken off", "broken off", "lies", "lies and breaks off", "too long", "too short", "endless",
       "wrong range", "not https", "dropped")  # fmt: skip
HONEST = ("good", "no ranges", "slow", "packed")


class BadServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, content: bytes, bad: int, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.bad = content, bad
        self.last = 0.0
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.answers: Counter[str] = Counter()

    def urls(self, count: int) -> list[str]:
        """Mirrors; they all end here."""
        return [f"http://127.0.0.1:{self.server_port}/mirror{number}/file" for number in range(count)]

    def way(self) -> tuple[str, random.Random]:
        """How to answer this time, and a generator for it."""
        with self.lock:
            chance = random.Random(self.chance.random())
            way = self.chance.choice(BAD if self.answers.total() < self.bad else BAD + HONEST)
            self.answers[way] += 1
            self.last = time.time()
        return way, chance

    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up early is no news."""

    @contextlib.contextmanager
    def running(self) -> Iterator[BadServer]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: BadServer

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        content = self.server.content
        way, chance = self.server.way()
        wrong = bytes(len(content)) if chance.random() < 0.5 else chance.randbytes(len(content))
        start = self._start()
        middle = chance.randrange(start, len(content)) if start < len(content) else len(content)
        match way:
            case "busy":
                self._say(503)
            case "failing":
                self._say(500)
            case "broken off":
                self._send(start, content[start:middle], len(content) - start)
            case "lies":
                self._send(start, wrong[start:], len(content) - start)
            case "lies and breaks off":
                self._send(start, wrong[start:middle], len(content) - start)
            case "too long":
                self._send(0, content + b"more", len(content) + 4, partial=False)
            case "too short":
                self._send(0, content[:middle], middle, partial=False)
            case "endless":
                self.send_response(200)
                self.end_headers()
                for _ in range(len(content) * 3 // 65536 + 1):
                    self.wfile.write(chance.randbytes(65536))
            case "no ranges":
                self._send(0, content, len(content), partial=False)
            case "wrong range":
                self._send(
                    chance.randrange(len(content)), content[start:], len(content) - start, partial=True
                )
            case "not https":
                self._say(302, Location="http://example.invalid/file")
            case "dropped":
                self.close_connection = True
                self.connection.close()
            case "slow":
                time.sleep(chance.random() / 4)
                self._send(start, content[start:], len(content) - start)
            case "packed":
                self._send(start, content[start:], len(content) - start, encoding="gzip")
            case _:
                self._send(start, content[start:], len(content) - start)

    def _start(self) -> int:
        asked = self.headers.get("Range", "bytes=0-")
        return min(int(asked.removeprefix("bytes=").removesuffix("-")), len(self.server.content))

    def _say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(
        self, start: int, body: bytes, claimed: int, partial: bool | None = None, encoding: str = ""
    ) -> None:
        if partial is None:
            partial = start > 0
        self.send_response(206 if partial else 200)
        if partial:
            end = len(self.server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(claimed))
        self.send_header("ETag", '"one"')
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)
            self.wfile.flush()
        self.close_connection = True
