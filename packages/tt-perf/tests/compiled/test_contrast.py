"""Winograd's convolution mixes the pixels of a tile: what sees only zeros is 0 all the same, and nothing is dwarfed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
pytest.importorskip("tt_vision")

import tt_perf.compiled.convolution as by
from tt_nn import shards
from tt_perf.compiled import contrast, winograd
from tt_tensor import kernels
from tt_vision.window import Window

SAME = ((1, 1), (1, 1))
PAIRS = Window((2, 2), (2, 2))


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def last(x):
    """(N, C, H, W) as the kernel takes it."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def first(y):
    return y.transpose(0, 3, 1, 2)


def spots(shape, share, size, seed):
    """Zeros, but for one channel of some pixels."""
    rng = np.random.default_rng(seed)
    n, c, height, width = shape
    x = np.zeros(shape, np.float32)
    for image, row, column in np.argwhere(rng.random((n, height, width)) < share):
        x[image, rng.integers(c), row, column] = size
    return x


def seen(x, padding):
    """Which places (N, H', W') have a number other than 0 in their window, by loops."""
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    return np.array(
        [
            [
                [padded[image, :, i : i + 3, j : j + 3].any() for j in range(padded.shape[3] - 2)]
                for i in range(padded.shape[2] - 2)
            ]
            for image in range(len(x))
        ]
    ).reshape(len(x), padded.shape[2] - 2, padded.shape[3] - 2)


geometries = {
    "pads": st.tuples(*[st.integers(0, 2)] * 4),
    "image": st.tuples(st.integers(3, 14), st.integers(3, 14)),
    "channels": st.sampled_from([(16, 16), (24, 12), (33, 32)]),
    "share": st.sampled_from([0.01, 0.05, 0.5]),
    "size": st.sampled_from([1.0, 1e-30]),
    "seed": st.integers(0, 99),
    "block": st.sampled_from([winograd.BLOCK, 4 * 36 * 64 * 4]),
    "threads": st.integers(1, 2),
}


@settings(max_examples=60, deadline=None)
@given(**geometries)
def test_a_place_that_sees_only_zeros_is_zero(pads, image, channels, share, size, seed, block, threads):
    c, o = channels
    padding = (pads[:2], pads[2:])
    x, weight = spots((3, c, *image), share, size, seed), normal((o, c, 3, 3))
    places = Window((3, 3), padding=padding).output(image, "test")
    with pytest.MonkeyPatch.context() as patch, shards.threads(threads):
        patch.setattr(winograd, "BLOCK", block)
        y = first(winograd.forward(last(x), weight, None, padding, places, 1))
        grad = spots((3, o, *places), share, size, seed + 1)
        dx = first(
            winograd.backward(None, weight, last(grad), padding, image, (True, False), 1)[0]
        )  # no images are asked for
    sees = seen(x, padding)
    assert not y[~np.broadcast_to(sees[:, None], y.shape)].any()
    assert y.any(axis=1).sum() == sees.sum()
    (top, bottom), (left, right) = padding
    back = seen(grad, ((2 - top, 2 - bottom), (2 - left, 2 - right)))
    assert not dx[~np.broadcast_to(back[:, None], dx.shape)].any()
    assert dx.any(axis=1).sum() == back.sum()


@settings(max_examples=30, deadline=None)
@given(**{**geometries, "image": st.tuples(st.integers(1, 7), st.integers(1, 7))})
def test_and_so_where_it_is_pooled(pads, image, channels, share, size, seed, block, threads):
    c, o = channels
    (top, bottom), (left, right) = padding = (pads[:2], pads[2:])
    places = 2 * image[0] + 2, 2 * image[1] + 2
    image = places[0] + 2 - top - bottom, places[1] + 2 - left - right
    x, weight = spots((3, c, *image), share, size, seed), normal((o, c, 3, 3))
    grad = spots((3, o, places[0] // 2, places[1] // 2), share, size, seed + 1)
    with pytest.MonkeyPatch.context() as patch, shards.threads(threads):
        patch.setattr(winograd, "BLOCK", block)
        whole = winograd.forward(last(x), weight, None, padding, places, 1)
        y, won = winograd.forward(last(x), weight, None, padding, places, 1, None, -np.inf, True, True)
        sent = winograd.backward(None, weight, last(grad), padding, image, (True, False), 1, won)[0]
    greatest, which = kernels.kernel("max_pool2d", "numpy")(first(whole), PAIRS)
    np.testing.assert_array_equal(first(y), greatest)
    np.testing.assert_array_equal(first(won), which)
    g = kernels.kernel("max_pool2d_backward", "numpy")(grad, which, PAIRS, places)
    back = seen(g, ((2 - top, 2 - bottom), (2 - left, 2 - right)))
    assert not first(sent)[~np.broadcast_to(back[:, None], first(sent).shape)].any()
    assert first(sent).any(axis=1).sum() == back.sum()


def test_the_offset_of_nothing_is_the_offset():
    x, weight, bias = np.zeros((2, 16, 9, 9), np.float32), normal((16, 16, 3, 3)), normal(16)
    x[0, 3, 0, 0] = 1
    y = first(winograd.forward(last(x), weight, bias, SAME, (9, 9), 1))
    assert (y[1] == bias[:, None, None]).all()
    assert (y[0, :, 2:] == bias[:, None, None]).all()
    assert (y[0, :, :2, :2] != bias[:, None, None]).all()


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize(("size", "fits"), [(1e2, True), (9e2, True), (1e4, False), (1e-9, True)])
def test_no_result_where_a_row_or_a_column_dwarfs_another(axis, size, fits):
    # Results are made of the six rows and columns of a tile, so each would have the rounding of the largest.
    x, weight, grad = normal((3, 16, 16, 16)), normal((16, 16, 3, 3), 1), normal((3, 16, 16, 16), 2)
    x.swapaxes(1, axis)[1, 10] *= size
    grad.swapaxes(1, axis)[2, 3] *= size
    y = winograd.forward(last(x), weight, None, SAME, (16, 16), 1)
    back = winograd.backward(None, weight, last(grad), SAME, (16, 16), (True, False), 1)
    assert (y is not None) == (back is not None) == fits
    # Through the kernel, what is beside the large ones is as exact as they are to themselves.
    window = Window((3, 3), padding=SAME)
    found = (
        by.conv2d(x, weight, None, window),
        by.conv2d_backward(None, weight, grad, window, (16, 16), (True, False))[0],
    )
    wide = [array.astype(np.float64) for array in (x, weight, grad)]
    right = (
        kernels.kernel("conv2d", "numpy")(*wide[:2], None, window),
        kernels.kernel("conv2d_backward", "numpy")(None, *wide[1:], window, (16, 16), (True, False))[0],
    )
    for one, true in zip(found, right, strict=True):
        off, true = (part.swapaxes(0, axis).reshape(16, -1) for part in (one - true, true))
        assert (np.linalg.norm(off, axis=1) < 3e-4 * np.linalg.norm(true, axis=1)).all()


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("at", range(12))
def test_of_two_rows_that_share_a_tile_wherever_it_begins(axis, at):
    """A row that dwarfs its neighbours is found at every place, with any padding."""
    weight = normal((16, 16, 3, 3))
    for pad in (0, 1, 2):
        x = normal((1, 16, 12, 12))
        x.swapaxes(1, axis)[0, at] *= 1e4
        places = (10 + 2 * pad,) * 2
        assert winograd.forward(last(x), weight, None, ((pad, pad),) * 2, places, 1) is None
        image = (14 - 2 * pad,) * 2
        back = winograd.backward(None, weight, last(x), ((pad, pad),) * 2, image, (True, False), 1)
        assert back is None


def test_tiny_rows_beside_usual_ones_are_no_reason():
    """As in gradients, where whole rows all but vanish: only what is large for its own image counts."""
    squares = np.ones((4, 20), np.float32)
    squares[1, 3] = 1e-20
    squares[2, 5:15] = 0
    assert contrast.even(squares, (8, 12), (-1, -1), 6)
    squares[3, 14] = 1e7
    assert not contrast.even(squares, (8, 12), (-1, -1), 6)
    squares[3] *= 1e-9  # each image by itself
    assert not contrast.even(squares, (8, 12), (-1, -1), 6)
    # No tile holds both.
    far = np.array([[1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1e7, 1e7, 1, 1, 1, 1]], np.float32)
    assert contrast.even(far[:, :12], (12, 0), (0, 0), 4)
    assert not contrast.even(far[:, :12], (12, 0), (-1, 0), 6)


@pytest.mark.parametrize("shape", [(0, 16, 8, 8), (1, 16, 1, 1), (2, 16, 3, 2)])
def test_small_ones(shape):
    padding = ((2, 2), (2, 2))
    places = shape[2] + 2, shape[3] + 2
    weight = normal((16, 16, 3, 3))
    for x in (np.zeros(shape, np.float32), normal(shape)):
        y = winograd.forward(last(x), weight, None, padding, places, 1)
        assert y.shape == (shape[0], *places, 16)
        assert y.any() == x.any()
