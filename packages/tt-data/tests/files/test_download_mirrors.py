"""Mirrors: which answers are taken, which are asked again, and which are refused."""

from __future__ import annotations

import io

import pytest

from tt_data.download import RemoteFile, fetch
from tt_data.download_errors import MissingFileError


def test_the_next_mirror_is_asked_and_each_reason_is_named(server, remote, answers):
    server.answers["/gone"] = [answers.says(404)]
    server.answers["/busy"] = [answers.says(503)]
    server.answers["/lies"] = [lambda handler: answers.whole(handler, b"\0" * len(answers.content))]
    server.answers["/short"] = [lambda handler: answers.whole(handler, answers.content[:-1])]
    assert fetch(remote("/gone", "/busy", "/lies", "/short", "/file")).read_bytes() == answers.content
    with pytest.raises(MissingFileError) as caught:
        fetch(remote("/gone", "/busy", "/lies", "/short", name="other.bin"))
    for reason in (
        "404 Not Found",
        "503 Service Unavailable",
        "another sha256",
        "131,071 bytes there instead",
    ):
        assert reason in str(caught.value)


def test_what_passes_is_asked_again_and_what_lasts_is_not(server, remote, answers):
    server.answers["/busy"] = [answers.says(503), answers.says(500), answers.whole]
    assert fetch(remote("/busy")).read_bytes() == answers.content
    server.asked.clear()
    server.answers["/gone"] = [answers.says(404)]
    with pytest.raises(MissingFileError):
        fetch(remote("/gone", name="other.bin"))
    assert len(server.asked) == 1


def test_a_mirror_that_only_lies_is_dropped_after_two_downloads(server, remote, answers, homes, names):
    server.answers["/file"] = [lambda handler: answers.whole(handler, b"\0" * len(answers.content))]
    with pytest.raises(MissingFileError, match="another sha256"):
        fetch(remote())
    assert len(server.asked) <= 2
    assert names(homes[0]) == []


def test_a_server_that_never_ends_is_cut_at_the_declared_size(server, remote, answers, homes, names):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"\0" * 65536)

    server.answers["/file"] = [endless]
    with pytest.raises(MissingFileError, match="another sha256"):
        fetch(remote())
    assert names(homes[0]) == []


def test_a_file_stays_packed_though_the_server_offers_to_unpack_it(server, remote, answers):
    server.answers["/file"] = [lambda handler: handler.reply(200, answers.content, Content_Encoding="gzip")]
    assert fetch(remote()).read_bytes() == answers.content
    assert server.asked[0][1]["Accept-Encoding"] == "identity"


def test_a_redirect_is_followed_and_a_circle_is_not(server, remote, answers):
    server.answers["/moved"] = [answers.says(302, Location="/file")]
    assert fetch(remote("/moved")).read_bytes() == answers.content
    server.answers["/circle"] = [answers.says(302, Location="/circle")]
    with pytest.raises(MissingFileError, match="circle"):
        fetch(remote("/circle", name="other.bin"))


def test_a_redirect_to_http_elsewhere_is_refused(server, remote, answers):
    server.answers["/moved"] = [answers.says(301, Location="http://example.invalid/file")]
    with pytest.raises(MissingFileError, match="not https"):
        fetch(remote("/moved"))


def test_https_never_leads_to_http(remote, server, monkeypatch):
    """The server's answer is made up here, since it would need a certificate."""
    requests = pytest.importorskip("requests")
    file = remote()
    asked = []

    def get(url, hooks, **kwargs):
        asked.append((url, kwargs["allow_redirects"]))
        response = requests.Response()
        response.status_code, response.headers["location"] = 302, server.url()
        response.raw = io.BytesIO()
        hooks["response"](response)
        raise AssertionError("the redirect was not refused")

    monkeypatch.setattr("requests.get", get)
    with pytest.raises(MissingFileError, match="not https"):
        fetch(RemoteFile(file.name, file.sha256, file.size, ("https://example.invalid/file",)))
    assert asked == [("https://example.invalid/file", False)]
    assert not server.asked
