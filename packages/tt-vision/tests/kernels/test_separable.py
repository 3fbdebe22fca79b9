"""Sparse matrices along rows and columns: the pieces are the matrix, the fast kernel gives what the loops give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision.axis_map import AxisMap, bins, copies, spans
from tt_vision.kernels import avg_pool, separable, taps
from tt_vision.window import Window


@st.composite
def axis_maps(draw):
    kind = draw(st.sampled_from(["copies", "spans", "bins", "any"]))
    pixels, places = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    if kind == "copies":
        return copies(tuple(draw(st.lists(st.integers(-1, pixels - 1), min_size=1, max_size=12))), pixels)
    if kind == "bins":
        return bins(pixels, places)
    if kind == "spans":
        size = draw(st.integers(1, pixels))
        window = Window(
            (size, 1), (draw(st.integers(1, 4)), 1), ((draw(st.integers(0, size // 2)),) * 2, (0, 0))
        )
        return spans(window, 0, pixels, window.output((pixels, 1), "test")[0])
    pairs = draw(st.sets(st.tuples(st.integers(0, places - 1), st.integers(0, pixels - 1)), max_size=40))
    weights = draw(st.lists(st.sampled_from([1.0, 0.5, -2.0]), min_size=len(pairs), max_size=len(pairs)))
    return AxisMap(places, pixels, tuple((*at, w) for at, w in zip(sorted(pairs), weights, strict=True)))


def dense(axis_map):
    matrix = np.zeros((axis_map.places, axis_map.pixels))
    for place, pixel, weight in axis_map.entries:
        matrix[place, pixel] = weight
    return matrix


def numbers(index, count):
    return np.arange(count)[index]


@given(axis_maps())
@settings(max_examples=60, deadline=None)
def test_pieces_are_the_matrix(axis_map):
    pieces, zero = axis_map.pieces
    found = np.full((axis_map.places, axis_map.pixels), np.nan)
    for places in zero:
        found[places] = 0
    for piece in pieces:
        places, pixels = numbers(piece.places, axis_map.places), numbers(piece.pixels, axis_map.pixels)
        assert len(places) == len(pixels) == len(set(places)) == len(set(pixels))
        if not piece.adds:
            found[places] = 0  # first of all that comes to these places
        assert not np.isnan(found[places]).any()
        found[places, pixels] += 1 if piece.weight is None else piece.weight
    np.testing.assert_array_equal(found, dense(axis_map))
    np.testing.assert_array_equal(dense(axis_map.transposed), dense(axis_map).T)
    if axis_map.cut is not None:
        np.testing.assert_array_equal(dense(axis_map), np.eye(axis_map.pixels)[axis_map.cut])
    if axis_map.sums is not None:
        for place, pixels in enumerate(axis_map.sums):
            np.testing.assert_array_equal(
                dense(axis_map)[place].nonzero()[0], numbers(pixels, axis_map.pixels)
            )
    assert axis_map.transposed.transposed is axis_map


@given(axis_maps(), axis_maps(), st.integers(0, 3), st.integers(0, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_fast_is_loops(rows, columns, n, c, last):
    x = np.random.default_rng(0).normal(size=(n, c, rows.pixels, columns.pixels)).astype(np.float32)
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    y = separable.separable(x, rows, columns)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, separable.separable_loops(x, rows, columns), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        y, np.einsum("hi,wj,ncij->nchw", dense(rows), dense(columns), x), rtol=1e-4, atol=1e-5
    )


@given(axis_maps(), axis_maps(), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_averages(rows, columns, n, c):
    rows, columns = (
        AxisMap(one.places, one.pixels, tuple((i, j, 1.0) for i, j, _ in one.entries))
        for one in (rows, columns)
    )
    counts = np.arange(1.0, 1 + rows.places * columns.places).reshape(rows.places, columns.places)
    rng = np.random.default_rng(0)
    for given_counts in (counts, np.full_like(counts, 3.0)):
        x = rng.normal(size=(n, c, rows.pixels, columns.pixels))
        wanted = avg_pool.avg_pool2d_loops(x, rows, columns, given_counts)
        np.testing.assert_allclose(avg_pool.avg_pool2d(x, rows, columns, given_counts), wanted, atol=1e-12)
        grad = rng.normal(size=(n, c, rows.places, columns.places))
        wanted = avg_pool.avg_pool2d_backward_loops(grad, rows, columns, given_counts)
        found = avg_pool.avg_pool2d_backward(grad, rows, columns, given_counts)
        np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 127])
@pytest.mark.parametrize("size", [(5, 4), (20, 14), (1, 1), (10, 14)])
def test_in_blocks_on_threads(n, size, monkeypatch):
    x = np.random.default_rng(n).normal(size=(n, 3, 10, 7)).astype(np.float32)
    rows, columns = bins(10, size[0]), bins(7, size[1])
    counts = np.ones(size)
    y, dx = (
        separable.separable(x, rows, columns),
        avg_pool.avg_pool2d_backward(np.ones((n, 3, *size), np.float32), rows, columns, counts),
    )
    whole = avg_pool.avg_pool2d(x, rows, columns, counts)
    monkeypatch.setattr(separable, "BLOCK", 2000)
    monkeypatch.setattr(taps, "WORTH", 1)
    with shards.threads(3):
        np.testing.assert_array_equal(separable.separable(x, rows, columns), y)
        np.testing.assert_allclose(avg_pool.avg_pool2d(x, rows, columns, counts), whole, rtol=1e-5, atol=1e-5)
        ones = np.ones((n, 3, *size), np.float32)
        np.testing.assert_array_equal(avg_pool.avg_pool2d_backward(ones, rows, columns, counts), dx)


@pytest.mark.parametrize(
    ("size", "stride", "pixels"),
    [(4, 3, 8), (4, 4, 8), (4, 4, 9), (5, 4, 9), (4, 5, 9), (7, 1, 9), (40, 30, 100)],
)
def test_long_windows(size, stride, pixels):
    """Sums of many in a row, and what goes back from them, where windows overlap or leave pixels out."""
    window = Window((size, 1), (stride, 1))
    down = spans(window, 0, pixels, window.output((pixels, 1), "test")[0])
    assert down.sums is not None
    x = np.random.default_rng(0).normal(size=(2, 2, pixels, pixels))
    y = separable.separable(x, down, down)
    np.testing.assert_allclose(y, dense(down) @ x @ dense(down).T, atol=1e-10)
    back = separable.separable(y, down.transposed, down.transposed)
    np.testing.assert_allclose(back, dense(down).T @ y @ dense(down), atol=1e-10)


def test_what_is_infinite_stays_where_it_belongs():
    """A product of dense matrices would make NaN of every other place: 0 · ∞."""
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 0, 0], x[0, 0, 3, 3] = np.inf, np.nan
    y = separable.separable(x, bins(4, 2), bins(4, 2))
    np.testing.assert_array_equal(y[0, 0], [[np.inf, 0], [0, np.nan]])
