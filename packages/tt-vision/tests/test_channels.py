"""Channels last in memory: no copy where it is so, the same values where it is not; sums of channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision import channels
from tt_vision.channels import channel_sums, channels_first, channels_last, rows_of

SHAPES = [
    (2, 3, 4, 5),
    (1, 1, 1, 1),
    (2, 1, 3, 4),
    (1, 3, 1, 4),
    (0, 3, 4, 5),
    (2, 0, 4, 5),
    (2, 3, 0, 5),
    (2, 3, 4, 1),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_there_and_back_without_a_copy(shape):
    n, c, h, w = shape
    stored = np.arange(n * h * w * c, dtype=np.float32).reshape(n, h, w, c)
    x = channels_first(stored)
    assert x.shape == shape
    back = channels_last(x)
    assert back.__array_interface__ == stored.__array_interface__
    rows = rows_of(back)
    assert (
        rows.shape == (n * h * w, c)
        and rows.__array_interface__["data"] == stored.__array_interface__["data"]
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_any_other_order_is_copied(shape):
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    for given_as in (x, np.asfortranarray(x), x[:, ::-1], x[..., ::-1], np.broadcast_to(x[:1], x.shape)):
        found = channels_last(given_as)
        assert found.flags.c_contiguous and found.dtype == x.dtype
        np.testing.assert_array_equal(found, given_as.transpose(0, 2, 3, 1))
        np.testing.assert_array_equal(channels_first(found), given_as)


@settings(max_examples=40)
@given(
    st.integers(0, 300),
    st.integers(0, 9),
    st.sampled_from([1, 7, 64, 4096]),
    st.booleans(),
    st.integers(1, 3),
)
def test_sums_of_columns(length, width, run, strided, number):
    rows = np.random.default_rng(length).normal(size=(length, width))
    if strided:
        rows = np.repeat(rows, 2, axis=1)[:, ::2]
    with pytest.MonkeyPatch.context() as patch, shards.threads(number):
        patch.setattr(channels, "RUN", run)
        found = channel_sums(rows)
    assert found.shape == (width,) and found.dtype == np.float64
    np.testing.assert_allclose(found, rows.sum(axis=0), rtol=1e-12, atol=1e-12)


def test_sums_in_several_threads():
    rows = np.random.default_rng(0).normal(size=((1 << 17) + 1234, 8)).astype(np.float32)
    with shards.threads(2):
        assert len(shards.parts(len(rows), (1 << 18) // 8)) > 1
        sums = [channel_sums(rows) for _ in range(5)]
    np.testing.assert_allclose(sums[0], rows.sum(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-3)
    assert len({found.tobytes() for found in sums}) == 1


def test_long_sums_do_not_lose_what_is_small():
    # One sum in float32, term by term, is off by 4 %. Here only a run is: by half a unit in the last place a term.
    rows = np.full((1 << 20, 2), np.float32(0.1))
    wanted = rows.sum(axis=0, dtype=np.float64)
    np.testing.assert_allclose(channel_sums(rows), wanted, rtol=channels.RUN * 2.0**-24)
    # Runs that take each other away leave no more than that.
    rows[: 1 << 19] *= -1
    np.testing.assert_allclose(channel_sums(rows), 0, atol=wanted[0] * channels.RUN * 2.0**-24)


def test_runs_are_added_up_in_float64():
    # 2²⁴ + 1 is 2²⁴ in float32.
    rows = np.zeros((64 * channels.RUN, 1), np.float32)
    rows[: channels.RUN] = 2.0**24 / channels.RUN
    rows[channels.RUN :: channels.RUN] = 1
    assert channel_sums(rows).tolist() == [2**24 + 63]
