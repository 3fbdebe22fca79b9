"""RemoteFile: names that stay inside, addresses that are safe."""

from __future__ import annotations

import pytest

from tt_data.download import RemoteFile
from tt_data.download_spec import is_safe
from tt_tensor.errors import ArgumentError


@pytest.mark.parametrize(
    ("url", "after", "safe"),
    [
        ("https://a/x", "", True),
        ("HTTPS://a/x", "https://b/", True),
        ("http://a/x", "", False),
        ("http://127.0.0.1:80/x", "", True),
        ("http://localhost/x", "http://127.0.0.1/", True),
        ("http://localhost/x", "https://a/", False),
        ("http://[::1]:8000/x", "", True),
        ("http://127.0.0.1.example.org/x", "", False),
        ("http://localhost@example.org/x", "", False),
        ("ftp://a/x", "", False),
        ("file:///etc/passwd", "", False),
        ("https:///x", "", False),
        ("", "", False),
        ("http://[::1/x", "", False),
    ],
)
def test_which_addresses_are_safe(url, after, safe):
    assert is_safe(url, after) is safe


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../file"},
        {"name": "/file"},
        {"name": "a/../../file"},
        {"name": "a\\..\\file"},
        {"name": "C:file"},
        {"name": ""},
        {"name": "."},
        {"name": "a//b"},
        {"name": "a\0b"},
        {"sha256": "AB" * 32},
        {"sha256": "ab"},
        {"size": 0},
        {"md5": "ab"},
        {"urls": ("http://example.org/file",)},
    ],
)
def test_a_specification_that_cannot_be_meant_is_refused(wrong):
    right = {"name": "a/file", "sha256": "ab" * 32, "size": 3, "urls": ("https://example.org/file",)}
    RemoteFile(**right)
    with pytest.raises(ArgumentError, match="RemoteFile"):
        RemoteFile(**(right | wrong))
