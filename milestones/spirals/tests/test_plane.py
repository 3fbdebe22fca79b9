"""Pictures: lines where the answer changes, colours of who is probable."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from milestone_kit.pictures import png
from milestone_spirals.plane import PLANE, Frame, colours, film, large
from milestone_spirals.spirals import draw

POINTS = draw(10, np.random.default_rng(0))


def thirds(cells=PLANE.cells):
    """Arm 0 on the left, 1 in the middle, 2 on the right; the answer changes at x = -0.4 and 0.4."""
    x = np.broadcast_to(np.linspace(PLANE.low, PLANE.high, cells), (cells, cells))
    logits = np.stack([-8 * (x + 0.4), np.zeros_like(x), 8 * (x - 0.4)], axis=-1)
    shares = np.exp(logits)
    return shares / shares.sum(-1, keepdims=True)


def test_lines_are_where_the_answer_changes():
    axis = film([Frame("now", thirds())], POINTS, "", columns=1).axes[0]
    drawn = [contour for contour in axis.collections if not isinstance(contour, PathCollection)]
    lines = [
        line
        for contour in drawn
        for path in contour.get_paths()
        for line in path.to_polygons(closed_only=False)
    ]
    for line in lines:
        assert np.ptp(line[:, 0]) < 0.01
    assert {round(float(line[:, 0].mean()), 2) for line in lines} == {-0.4, 0.4}


def test_the_colour_is_that_of_the_probable_arm():
    image = colours(np.eye(3))
    assert image[0].argmax() == 2 and image[1].argmax() == 0  # blue, red
    assert image[2, 0] > image[2, 2] + 0.2  # amber
    np.testing.assert_allclose(colours(np.full(3, 1 / 3)), image.mean(axis=0))
    assert (colours(np.random.default_rng(0).dirichlet(np.ones(3), (9, 9))) <= 1).all()


def test_no_line_where_all_is_one_answer():
    flat = np.broadcast_to([0.5, 0.3, 0.2], (PLANE.cells, PLANE.cells, 3))
    axis = film([Frame("now", flat)], POINTS, "", columns=1).axes[0]
    assert len(axis.collections) == 3  # the points of each arm alone


@pytest.mark.parametrize(("count", "rings"), [(0, 0), (2, 2), (30, 0)])
def test_rings_around_the_wrong_ones_unless_they_are_most(count, rings):
    wrong = np.arange(len(POINTS)) < count
    axis = large([Frame("now", thirds())], POINTS, [wrong], "").axes[0]
    scattered = [drawn for drawn in axis.collections if isinstance(drawn, PathCollection)]
    assert sum(len(drawn.get_offsets()) for drawn in scattered) == len(POINTS) + rings


def test_the_same_content_is_the_same_bytes_and_other_content_another_picture():
    one, same, other = (
        png(film([Frame("a", plane), Frame("b", thirds())], POINTS, "film"))
        for plane in (thirds(), thirds(), thirds()[:, ::-1])
    )
    assert one == same != other
