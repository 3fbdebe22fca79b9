"""A server on this machine that can be told to misbehave, and folders of a test's own."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tt_data.download import RemoteFile

CONTENT = bytes(range(256)) * 512


class Server(ThreadingHTTPServer):
    """Answers each path with what `answers[path]` says, in turn; the last one stays. Keeps what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = defaultdict(lambda: [whole])
        self.asked = []

    def url(self, path="/file"):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request, client_address):  # who hangs up early is no news
        pass


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        answers = self.server.answers[self.path]
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *args):
        pass

    def reply(self, status, body=b"", claimed=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def whole(handler, content=CONTENT, etag='"one"'):
    """The content, or the range of it that was asked for."""
    asked = handler.headers.get("Range")
    if asked and handler.headers.get("If-Range", etag) == etag:
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        said = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.reply(206, content[start:], Content_Range=said, ETag=etag)
    else:
        handler.reply(200, content, ETag=etag)


def without_ranges(handler):
    handler.reply(200, CONTENT)


def broken_off(at, status=200, content=CONTENT, etag='"one"'):
    """Breaks off `at` bytes before the end of the file, counted from its start."""

    def answer(handler):
        asked = handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        said = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}
        handler.reply(206 if asked else 200, content[start:at], len(content) - start, ETag=etag, **said)
        with contextlib.suppress(OSError):
            handler.wfile.flush()
        handler.close_connection = True

    return answer


def says(status, **headers):
    return lambda handler: handler.reply(status, b"", **headers)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def homes(tmp_path, monkeypatch):
    """Empty folders for the data and for the cache, and no waiting for mirrors."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    monkeypatch.setenv("TT_DATA_HOME", str(data))
    monkeypatch.setenv("TT_CACHE_HOME", str(cache))
    monkeypatch.setattr("tt_data.download_mirrors.PAUSES", (0.0, 0.0))
    return data, cache


@pytest.fixture
def answers():
    """The ways in which the server can answer."""

    class Answers:
        whole = staticmethod(whole)
        without_ranges = staticmethod(without_ranges)
        broken_off = staticmethod(broken_off)
        says = staticmethod(says)
        content = CONTENT

    return Answers


@pytest.fixture
def remote(server):
    """What is published on the server; pass mirrors' paths for others than /file."""

    def make(*paths, name="set/file.bin", content=CONTENT, **more):
        urls = tuple(server.url(path) for path in paths or ("/file",))
        return RemoteFile(name, hashlib.sha256(content).hexdigest(), len(content), urls, **more)

    return make


@pytest.fixture
def names():
    """The files in a folder and below."""
    return lambda folder: sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
