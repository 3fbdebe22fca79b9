"""Flips: exact, as often as asked, each image by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_vision.transforms as T
import tt_vision.transforms.functional as F
from tt_tensor import Generator
from tt_tensor.errors import ArgumentError


@settings(max_examples=25)
@given(
    shape=st.tuples(st.integers(0, 4), st.integers(1, 6), st.integers(0, 7), st.integers(0, 7)),
    last=st.booleans(),
    dtype=st.sampled_from([np.uint8, np.float32, np.int64, np.bool_]),
)
def test_a_flip_is_a_slice_backwards(shape, last, dtype):
    x = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(F.horizontal_flip(x), x[..., ::-1])
    np.testing.assert_array_equal(F.vertical_flip(x), x[:, :, ::-1])
    which = np.arange(shape[0]) % 2 == 0
    got = T.RandomHorizontalFlip().apply(x, which)
    np.testing.assert_array_equal(got[::2], x[::2, :, :, ::-1])
    np.testing.assert_array_equal(got[1::2], x[1::2])


@pytest.mark.parametrize("kind", [T.RandomHorizontalFlip, T.RandomVerticalFlip])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_the_share_that_is_flipped(kind, p):
    n = 50_000
    x = np.zeros((n, 1, 2, 2), np.uint8)
    x[:, :, 0, 0] = 1
    got = kind(p, generator=Generator(2))(x)
    corner = got[:, 0, 0, 1] if kind is T.RandomHorizontalFlip else got[:, 0, 1, 0]
    assert abs(corner.sum() - n * p) <= 5 * np.sqrt(n * p * (1 - p))
    # Neighbours in the batch are independent.
    both = np.mean(corner[1:] & corner[:-1])
    assert abs(both - p * p) <= 7 * np.sqrt(p * p * (1 - p * p) / n)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), "0.5", True, None])
def test_a_probability_that_is_none(p):
    with pytest.raises(ArgumentError, match="RandomHorizontalFlip: p"):
        T.RandomHorizontalFlip(p)
