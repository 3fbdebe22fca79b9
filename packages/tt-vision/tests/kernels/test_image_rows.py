"""ImageRows: blocks of images, long rows of pixels, and channels scaled image by image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision.kernels import image_rows as module
from tt_vision.kernels.image_rows import ImageRows, scaled_channels

shapes = st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 40))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 400)
    monkeypatch.setattr(module, "WORTH", 30)
    monkeypatch.setattr(module, "LONG", 12)
    monkeypatch.setattr(module, "FEW", 20)


@settings(max_examples=40, deadline=None)
@given(shapes, st.booleans(), st.sampled_from([1, 2, 3]))
def test_channels_are_scaled_image_by_image(shape, last, threads):
    rng = np.random.default_rng(0)
    x, factor = rng.normal(size=shape), rng.normal(size=shape[:2])
    stored = np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1) if last else x
    with shards.threads(threads):
        y = scaled_channels(stored, factor)
    np.testing.assert_array_equal(y, x * factor[:, :, None])
    assert y.transpose(0, 2, 1).flags.c_contiguous


@given(shapes)
def test_blocks_cover_each_image_once_and_long_rows_are_its_pixels(shape):
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    split, seen = ImageRows(x), np.zeros(len(x), int)
    for start, stop in split.cut:
        for here in split.blocks(start, stop):
            seen[here] += 1
            rows = split.long(x, here, "test")
            assert rows.nbytes <= max(2 * module.BLOCK, x[0].nbytes)
            np.testing.assert_array_equal(rows.reshape(len(rows), -1, shape[1]), x[here].transpose(0, 2, 1))
            few = split.few(rows)
            np.testing.assert_array_equal(few.reshape(rows.shape), rows)
            assert few.shape[2] == (shape[1] if shape[2] <= module.FEW else rows.shape[2])
            vectors = x[here, :, 0]
            repeated = split.repeated(vectors, np.float32)
            assert repeated.dtype == np.float32 and repeated.shape == (len(rows), 1, rows.shape[2])
            np.testing.assert_array_equal(repeated.reshape(len(rows), -1, shape[1])[:, 0], vectors)
    assert (seen == 1).all()
