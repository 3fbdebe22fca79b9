"""What all pictures share: a Figure, a PNG when asked, the same bytes each time, no pyplot, a typed error."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from tt_tensor.errors import MissingWheelError
from tt_text import pictures
from tt_text.pictures.style import legible

WEIGHTS = np.full((2, 3, 3), 1 / 3)
DRAWN = {
    "attention_maps": lambda path: pictures.attention_maps(WEIGHTS, ["a", " b", "\n"], path=path),
    "embedding_projection": lambda path: pictures.embedding_projection(np.eye(3), ["a", "b", "c"], path=path),
}
EACH = pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)


@EACH
def test_a_figure_and_a_png(draw, tmp_path):
    figure = draw(tmp_path / "picture.png")
    assert isinstance(figure, Figure)
    written = (tmp_path / "picture.png").read_bytes()
    assert written.startswith(b"\x89PNG\r\n\x1a\n") and b"Software" not in written
    width, height = (int.from_bytes(written[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == tuple(int(inches * 150) for inches in figure.get_size_inches())
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    draw(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == written


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        pictures.attention_maps(WEIGHTS, path=tmp_path / "none" / "a.png")
    assert not list(tmp_path.iterdir())


def test_the_users_own_style_stays_theirs():
    import matplotlib as mpl

    mpl.rcParams["font.size"] = 3
    try:
        figure = pictures.embedding_projection(np.eye(3))
        assert mpl.rcParams["font.size"] == 3
        assert figure.axes[0].get_xticklabels()[0].get_fontsize() == 10
    finally:
        mpl.rcdefaults()


def test_neither_pyplot_nor_matplotlib_before_it_is_needed():
    program = (
        "import sys, tt_text.pictures as p\n"
        "assert not [name for name in sys.modules if name.startswith('matplotlib')]\n"
        "p.attention_maps([[1.0]])\n"
        "assert 'matplotlib.figure' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


@EACH
def test_without_matplotlib(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingWheelError, match=r"needs matplotlib; pip install 'tt-text\[pictures\]'"):
        draw(None)


def test_the_extra_is_declared():
    project = Path(__file__).parents[2] / "pyproject.toml"
    if not project.exists():
        pytest.skip("not in a checkout")
    assert 'pictures = ["matplotlib' in project.read_text()


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("", ""), (" the", "␣the"), ("\n\t", "⏎⇥"), ("é ß", "é␣ß"), ("你", "\\u4f60"), ("\x00\x7f", "\\x00\\x7f"),
        ("\ud800", "\\ud800"), ("\U0001f9ff", "\\U0001f9ff"), ("$x^$", "$x^$"), ("\u200b", "\\u200b"),
    ],
)  # fmt: skip
def test_any_token_can_be_shown(token, shown):
    assert legible(token) == shown


def test_no_token_makes_matplotlib_complain(tmp_path):
    # Warnings are errors here: a letter that the font lacks, or "$" taken for a formula, would be seen.
    tokens = ["$", "$x^$", "\\frac{", "你好", "\U0001f600", "\ud800", "\x1b", "%s", "_^"]
    weights = np.eye(len(tokens))
    pictures.attention_maps(weights, tokens, path=tmp_path / "a.png")
    pictures.embedding_projection(weights, tokens, path=tmp_path / "b.png")
