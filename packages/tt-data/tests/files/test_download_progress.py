"""The bar: silent where nobody looks."""

from __future__ import annotations

import pytest

from tt_data.download import fetch
from tt_data.download_progress import Show
from tt_tensor.errors import ArgumentError


def test_progress_is_silent_where_nobody_looks_and_a_bar_when_asked(remote, answers, capsys):
    fetch(remote())
    assert capsys.readouterr() == ("", "")
    fetch(remote(name="b.bin"), progress=False)
    assert capsys.readouterr() == ("", "")
    fetch(remote(name="c.bin"), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "c.bin" in err
    assert "131.1/131.1 kB" in err


def test_notes_stand_above_the_bar(capsys):
    with Show("a.bin", 10, True) as show:
        show.note("[busy] waiting")
        show.at(5)
    assert "a.bin: [busy] waiting" in capsys.readouterr().err


def test_another_progress_is_refused(remote):
    with pytest.raises(ArgumentError, match="progress"):
        fetch(remote(), progress="yes")
