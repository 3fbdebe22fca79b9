"""The house style holds for a picture and for nothing else; a file is written whole or not at all."""

import os

import pytest

from tt_data.pictures import INK, finished, house_style, new_picture, png


@pytest.fixture
def figure():
    pytest.importorskip("matplotlib")
    with house_style("test"):
        figure, axes = new_picture(1, 2, 3, 2, "title")
        axes[0].plot([0, 1])
    return figure


def test_the_users_style_is_neither_used_nor_changed(figure):
    import matplotlib as mpl

    with mpl.rc_context({"text.color": "red", "savefig.dpi": 10}):
        with house_style("test"):
            assert mpl.rcParams["text.color"] == INK
        assert mpl.rcParams["text.color"] == "red"
        width = int.from_bytes(png(figure)[16:20], "big")
    assert width == 3 * 150


def test_the_same_bytes_each_time(figure):
    assert png(figure) == png(figure)


def test_a_file_that_cannot_be_written_leaves_what_was_there(figure, tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    path.write_text("before")

    def refused(*paths):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refused)
        with pytest.raises(OSError, match="No space left"):
            finished(figure, path)
    assert path.read_text() == "before"
    assert [found.name for found in tmp_path.iterdir()] == ["picture.png"]
    finished(figure, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert finished(figure, None) is figure
