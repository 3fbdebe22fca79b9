"""16-bit floats: bfloat16 by its definition, and where the two end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_perf.quantization import from_bfloat16, half_array, to_bfloat16
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


@settings(max_examples=300, deadline=None)
@given(st.floats(width=32, allow_nan=False))
def test_bfloat16_is_the_nearest_ties_to_even(number: float) -> None:
    bits = int(to_bfloat16(np.float32(number)))
    found = float(from_bfloat16(np.uint16(bits)))
    if not np.isfinite(found):
        assert abs(number) >= 3.3961775e38  # half a step beyond the greatest
        return
    neighbours = [
        float(from_bfloat16(np.uint16(bits + step))) for step in (-1, 1) if 0 <= bits + step <= 0xFFFF
    ]
    neighbours = [near for near in neighbours if np.isfinite(near) and (near >= 0) == (found >= 0)]
    for near in neighbours:
        assert abs(number - found) <= abs(number - near)
        if abs(number - found) == abs(number - near) != 0:
            assert bits % 2 == 0


def test_bfloat16_of_what_is_no_number() -> None:
    found = from_bfloat16(to_bfloat16(np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)))
    assert np.isnan(found[0]) and found[1] == np.inf and found[2] == -np.inf
    assert np.signbit(found[3]) and found[3] == 0


def test_every_bfloat16_comes_back() -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    floats = from_bfloat16(bits)
    numbers = ~np.isnan(floats)
    np.testing.assert_array_equal(to_bfloat16(floats)[numbers], bits[numbers])


@pytest.mark.parametrize(("dtype", "error"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_halves_are_as_near_as_their_digits_allow(dtype: str, error: float) -> None:
    array = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)
    half = half_array(array, dtype)
    assert half.nbytes == array.nbytes // 2 and half.shape == array.shape
    assert (np.abs(half.dequantize() - array) <= np.abs(array) * error).all()
    np.testing.assert_array_equal(half.rows(2, 4), half.dequantize().reshape(6, 20)[2:4])


def test_the_greatest_stay_finite() -> None:
    top = np.finfo(np.float32).max
    assert np.isfinite(half_array(np.array([[top, -top]], np.float32), "bfloat16").dequantize()).all()
    with pytest.raises(ArgumentError, match="beyond float16"):
        half_array(np.array([[1e6]], np.float32), "float16")


def test_bad_input_says_what_is_wrong() -> None:
    with pytest.raises(ArgumentError, match="row 0, column 1"):
        half_array(np.array([[0, np.nan]], np.float32), "float16")
    with pytest.raises(DTypeError, match="int64"):
        half_array(np.zeros((2, 2), np.int64), "float16")
    with pytest.raises(ShapeError, match="single number"):
        half_array(np.float32(1), "float16")
    with pytest.raises(ArgumentError, match="float8"):
        half_array(np.zeros((1, 1), np.float32), "float8")
