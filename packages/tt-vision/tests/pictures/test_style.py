"""What all pictures share: a Figure, a PNG when asked, the same bytes each time, no pyplot, a typed error."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import tt_vision.pictures as pictures
from tt_tensor.errors import MissingWheelError
from tt_vision.pictures.tiles import mosaic, spread, visible


def drawn(net, image):
    """Each kind of picture, as a function of the path."""
    images = np.stack([image] * 3)
    return {
        "confusion_matrix": lambda path: pictures.confusion_matrix([[3, 1], [0, 2]], path=path),
        "worst_mistakes": lambda path: pictures.worst_mistakes(images, [0, 1, 1], np.eye(3), path=path),
        "first_layer_filters": lambda path: pictures.first_layer_filters(net, path=path),
        "feature_maps": lambda path: pictures.feature_maps(net, image, "mix", path=path),
        "class_activation": lambda path: pictures.class_activation(net, image, "relu", path=path),
        "occlusion": lambda path: pictures.occlusion(net, image, path=path),
    }


NAMES = list(drawn(None, np.zeros(1)))


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_and_a_png(name, net, image, tmp_path):
    draw = drawn(net, image)[name]
    figure = draw(tmp_path / "picture.png")
    assert isinstance(figure, Figure)
    written = (tmp_path / "picture.png").read_bytes()
    assert written.startswith(b"\x89PNG\r\n\x1a\n") and b"Software" not in written
    width, height = (int.from_bytes(written[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == tuple(int(inches * 150) for inches in figure.get_size_inches())
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_the_same_bytes_each_time(net, image, tmp_path):
    for name in ("a.png", "b.png"):
        pictures.confusion_matrix([[3, 1], [0, 2]], path=tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        pictures.confusion_matrix([[1]], path=tmp_path / "none" / "a.png")
    assert not list(tmp_path.iterdir())


def test_the_users_own_style_stays_theirs():
    import matplotlib as mpl

    mpl.rcParams["font.size"] = 3
    try:
        figure = pictures.confusion_matrix([[1]])
        assert mpl.rcParams["font.size"] == 3
        assert figure.axes[0].get_xticklabels()[0].get_fontsize() == 10
    finally:
        mpl.rcdefaults()


def test_neither_pyplot_nor_matplotlib_before_it_is_needed():
    program = (
        "import sys, tt_vision.pictures as p\n"
        "assert not [name for name in sys.modules if name.startswith('matplotlib')]\n"
        "p.confusion_matrix([[1]])\n"
        "assert 'matplotlib.figure' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_without_matplotlib(name, net, image, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingWheelError, match=r"needs matplotlib; pip install 'tt-vision\[pictures\]'"):
        drawn(net, image)[name](None)


def test_the_extra_is_declared():
    project = Path(__file__).parents[2] / "pyproject.toml"
    if not project.exists():
        pytest.skip("not in a checkout")
    assert 'pictures = ["matplotlib' in project.read_text()


def test_what_can_be_seen():
    byte = np.full((3, 2, 2), 51, np.uint8)
    np.testing.assert_allclose(visible(byte, "x"), np.full((2, 2, 3), 0.2))
    inside = np.random.default_rng(0).random((1, 4, 5))
    np.testing.assert_array_equal(visible(inside, "x"), inside[0])
    beyond = visible(inside * 6 - 3, "x")
    assert beyond.min() == 0 and beyond.max() == 1
    np.testing.assert_array_equal(spread(np.full(3, 7.0)), 0.5)


def test_a_mosaic_holds_every_tile():
    tiles = np.arange(7.0).reshape(7, 1, 1) * np.ones((7, 3, 4))
    whole = mosaic(tiles, -1.0)
    assert whole.shape == (3 * 3 + 2, 3 * 4 + 2)
    for index in range(7):
        top, left = index // 3 * 4, index % 3 * 5
        np.testing.assert_array_equal(whole[top : top + 3, left : left + 4], index)
    assert np.count_nonzero(whole == -1) == whole.size - 7 * 12
