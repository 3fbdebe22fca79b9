"""Pictures: real PNGs that show what they were given, the same bytes every time."""

from __future__ import annotations

import io
import os
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from milestone_kit.boundary import Plane, decision_boundary, film
from milestone_kit.pictures import curves, digit_grid, png, weights_image

PLANE = Plane(-0.5, 1.5, cells=21)
CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
XOR = np.array([0, 1, 1, 0])


def band(points):
    return 1 / (1 + np.exp(-5 * (1 - 4 * (points.sum(axis=1) - 1) ** 2)))


def pixels(figure):
    image = imread(io.BytesIO(png(figure)))  # (H, W, 4), 0 to 1
    assert image.ndim == 3
    assert min(image.shape[:2]) > 100
    return image[..., :3]


def make(kind, variant):
    """A picture of each kind, of two different contents."""
    ramp = np.arange(64).reshape(8, 8) % 17
    if kind == "digits":
        return digit_grid([ramp.T if variant else ramp], ["0"])
    if kind == "weights":
        return weights_image({"unit": (ramp - 8) * (-1 if variant else 1)})
    if kind == "curves":
        return curves({"loss": ([0, 1, 2], [3, 1, 2] if variant else [1, 2, 3])})
    if kind == "boundary":
        frame = PLANE.look((lambda points: 1 - band(points)) if variant else band, "now")
        return decision_boundary(PLANE, frame, CORNERS, XOR)
    frames = [PLANE.look(lambda points, k=k: band(points) ** k, f"step {k}") for k in (1, 2, 3 + variant)]
    return film(PLANE, frames, CORNERS, XOR, "a film", columns=2)


KINDS = ["digits", "weights", "curves", "boundary", "film"]


@pytest.mark.parametrize("kind", KINDS)
def test_other_content_is_another_picture(kind):
    one, other = pixels(make(kind, 0)), pixels(make(kind, 1))
    assert one.std() > 0.03  # not blank
    assert one.shape == other.shape
    assert (np.abs(one - other).max(axis=-1) > 0.1).mean() > 0.002


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_content_is_the_same_bytes(kind):
    assert png(make(kind, 0)) == png(make(kind, 0))


def test_a_png_names_no_software_and_no_time():
    data = png(make("curves", 0))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    for chunk in (b"tEXt", b"iTXt", b"zTXt", b"tIME"):
        assert chunk not in data


def test_a_users_own_style_changes_nothing():
    before = png(make("curves", 0))
    with mpl.rc_context({"font.size": 30, "figure.facecolor": "black"}):
        assert png(make("curves", 0)) == before
        assert mpl.rcParams["font.size"] == 30


def test_ink_is_dark_and_paper_is_white():
    image = np.zeros((8, 8))
    image[:, :4] = 16
    shown = pixels(digit_grid([image], [""])).mean(axis=-1)
    middle = shown[shown.shape[0] * 2 // 3]
    assert middle.min() < 0.05
    assert middle[-1] > 0.95
    assert np.argmin(middle) < middle.size // 2


def test_a_wrong_digit_has_a_red_label():
    def reddish(wrong):
        red, green, _ = np.moveaxis(pixels(digit_grid(np.ones((2, 8, 8)), ["3", "6"], wrong=wrong)), -1, 0)
        return int((red - green > 0.2).sum())

    assert reddish([False, False]) == 0
    assert reddish([False, True]) > 20


def test_weights_are_white_at_zero_red_above_and_blue_below():
    figure = weights_image({"unit": [[-1.0, 0.0, 3.0]]}, low="speaks for 3", high="speaks for 6")
    image = figure.axes[0].images[0]
    low, zero, high = image.cmap(image.norm(np.array([-3.0, 0.0, 3.0])))[:, :3]
    assert zero.min() > 0.95
    assert high[0] > high[2]
    assert low[2] > low[0]
    assert png(weights_image({"unit": np.zeros((8, 8))}))  # all zero is a picture too


def test_a_plane_gives_its_points_row_by_row():
    points = Plane(0, 2, cells=3).points()
    assert points.tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1], [0, 2], [1, 2], [2, 2]]
    frame = Plane(0, 2, cells=3).look(lambda points: points[:, 0] / 2, "x")
    assert frame.probability[0].tolist() == [0, 0.5, 1]


def test_the_boundary_is_drawn_where_probability_is_a_half():
    frame = PLANE.look(lambda points: (points[:, 0] + 0.5) / 2, "x")  # 1/2 at x = 0.5
    (line,) = decision_boundary(PLANE, frame, CORNERS, XOR).axes[0].collections[0].get_paths()
    np.testing.assert_allclose(line.vertices[:, 0], 0.5, atol=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: digit_grid(np.zeros((0, 8, 8)), []),
        lambda: digit_grid(np.zeros((2, 8, 8)), ["one"]),
        lambda: digit_grid(np.zeros((8, 8)), ["one"]),
        lambda: weights_image({}),
        lambda: curves({}),
        lambda: film(PLANE, [], CORNERS, XOR),
        lambda: film(PLANE, [PLANE.look(band, "")], CORNERS, XOR[:2]),
        lambda: PLANE.look(lambda points: points, "two values a point"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call):
    with pytest.raises(ValueError, match="need"):
        call()


def test_pyplot_is_never_imported(start):
    program = """
import sys
from milestone_kit.pictures import curves, png
png(curves({"loss": ([0, 1], [1, 0])}))
sys.exit("pyplot was imported" if "matplotlib.pyplot" in sys.modules else 0)
"""
    child = start(program)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err


@pytest.mark.skipif(sys.platform != "linux", reason="DISPLAY is X11's")
def test_no_display_is_needed(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "DISPLAY" not in os.environ
    assert png(make("curves", 0))
