"""Integers with scales: how far they may be from what they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tt_perf.quantization import QuantizedArray, quantize_array
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

DTYPES = ("int8", "int16")


def scale_of_each(q: QuantizedArray) -> np.ndarray:
    """The scale of every number, (rows, columns)."""
    return np.repeat(q.scale, q.group_size, axis=1)[:, : q.values.shape[1]].astype(np.float64)


def exact(q: QuantizedArray) -> np.ndarray:
    """ŵ in float64, one number after the other."""
    out = np.empty(q.values.shape)
    for row, column in np.ndindex(*q.values.shape):
        group = column // q.group_size
        zero = 0 if q.zero_point is None else int(q.zero_point[row, group])
        out[row, column] = float(q.scale[row, group]) * (int(q.values[row, column]) - zero)
    return out


@settings(max_examples=150, deadline=None)
@given(
    array=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9),
        elements=st.floats(-(2.0**126), 2.0**126, width=32),
    ),
    dtype=st.sampled_from(DTYPES),
    symmetric=st.booleans(),
    group_size=st.sampled_from([None, 1, 2, 4, 100]),
)
def test_no_number_is_further_than_half_a_scale_from_its_own(
    array: np.ndarray, dtype: str, symmetric: bool, group_size: int | None
) -> None:
    q = quantize_array(array, dtype, symmetric=symmetric, group_size=group_size)
    scale = scale_of_each(q)
    off = np.abs(array.astype(np.float64) - exact(q))
    # The scale is a float32: the integers at the ends may miss theirs by its rounding.
    assert (off <= scale * (0.5 + 1e-7 * np.iinfo(dtype).max)).all()
    np.testing.assert_allclose(q.dequantize(), exact(q), rtol=1e-6, atol=1e-37)
    assert q.dequantize().dtype == np.float32
    assert q.values.dtype == dtype
    if not symmetric:
        zeros = exact(q)[array == 0]
        assert (zeros == 0).all(), "0.0 is not exact"


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_become_zeros_with_scale_one(dtype: str, symmetric: bool) -> None:
    array = np.array([[0, 0, 0], [1, -2, 0]], np.float32)
    q = quantize_array(array, dtype, symmetric=symmetric)
    assert q.scale[0, 0] == 1
    np.testing.assert_array_equal(q.dequantize()[0], 0)
    assert q.dequantize()[1, 2] == 0


def test_smallest_numbers_do_not_overflow() -> None:
    q = quantize_array(np.full((2, 3), 1e-42, np.float32))
    assert (np.abs(exact(q) - 1e-42) <= scale_of_each(q) / 2).all()


def test_largest_numbers_do_not_overflow() -> None:
    top = np.finfo(np.float32).max
    q = quantize_array(np.array([[top, -top]], np.float32), symmetric=False)
    assert np.isfinite(q.scale).all()
    assert (np.abs(exact(q) - np.array([[top, -top]], np.float64)) <= scale_of_each(q) * 0.50001).all()


def test_symmetric_integers_leave_out_the_lowest() -> None:
    q = quantize_array(np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32))
    assert q.values.min() == -127 and q.values.max() <= 127
    assert (np.abs(q.values).max(axis=1) == 127).all(), "each row uses all of the range"


def test_affine_integers_use_both_ends() -> None:
    rng = np.random.default_rng(0)
    q = quantize_array(rng.uniform(-1, 3, (20, 400)).astype(np.float32), symmetric=False)
    assert (q.values.max(axis=1).astype(int) - q.values.min(axis=1) >= 253).all()


@pytest.mark.parametrize(
    ("columns", "size", "groups"), [(7, 3, 3), (6, 3, 2), (2, 5, 1), (1, 1, 1), (0, 4, 1)]
)
def test_groups_need_not_divide_a_row(columns: int, size: int, groups: int) -> None:
    rng = np.random.default_rng(1)
    array = rng.normal(size=(4, columns)).astype(np.float32)
    q = quantize_array(array, group_size=size)
    assert q.scale.shape == (4, groups)
    for group in range(groups):
        some = array[:, group * size : (group + 1) * size]
        if some.size:
            np.testing.assert_allclose(q.scale[:, group], np.abs(some).max(axis=1) / 127, rtol=1e-6)


def test_finer_groups_err_less() -> None:
    array = (np.random.default_rng(2).normal(size=(16, 256)) * np.linspace(0.1, 3, 256)).astype(np.float32)
    errors = [
        float(((quantize_array(array, group_size=size).dequantize() - array) ** 2).sum())
        for size in (None, 64, 16)
    ]
    assert errors == sorted(errors, reverse=True) and errors[2] < 0.8 * errors[0]


def test_one_scale_for_all_is_that_of_the_greatest() -> None:
    array = np.array([[0.5, -4], [0.1, 0.2]], np.float32)
    q = quantize_array(array, per="tensor")
    np.testing.assert_allclose(q.scale, 4 / 127, rtol=1e-6)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("observer", ["percentile", "mse"])
def test_numbers_outside_of_the_range_become_its_ends(observer: str, symmetric: bool) -> None:
    array = np.random.default_rng(3).normal(size=(2, 20000)).astype(np.float32)
    array[0, 7] = 12
    q = quantize_array(array, observer=observer, symmetric=symmetric)
    whole = quantize_array(array, symmetric=symmetric)
    assert q.scale[0, 0] < whole.scale[0, 0]
    assert 0 < q.dequantize()[0, 7] < 12
    if observer == "mse":
        errors = [((each.dequantize() - array) ** 2).sum(axis=1) for each in (q, whole)]
        assert (errors[0] <= errors[1]).all()


def test_the_shape_is_kept() -> None:
    array = np.random.default_rng(4).normal(size=(5, 2, 3, 3)).astype(np.float32)
    q = quantize_array(Tensor(array))
    assert q.values.shape == (5, 18)
    assert q.dequantize().shape == array.shape
    np.testing.assert_array_equal(q.take([3, 0]), q.dequantize().reshape(5, 18)[[3, 0]])
    assert q.nbytes == 5 * 18 + 5 * 4


def test_sums_follow_what_is_written() -> None:
    q = quantize_array(np.random.default_rng(5).normal(size=(3, 7)).astype(np.float32), group_size=3)
    before = q.sums().copy()
    assert before.tolist() == [[int(row[i : i + 3].astype(int).sum()) for i in (0, 3, 6)] for row in q.values]
    tensor = Tensor(np.zeros(0))
    tensor.array = q.values
    tensor.write(1)
    assert q.sums().tolist() == [[3, 3, 1]] * 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_named_with_its_place(bad: float) -> None:
    array = np.zeros((3, 4), np.float32)
    array[2, 1] = bad
    with pytest.raises(ArgumentError, match=r"fc\.weight: (nan|-?inf) in row 2, column 1"):
        quantize_array(array, name="fc.weight")


@pytest.mark.parametrize(
    ("array", "settings", "error", "words"),
    [
        (np.zeros((2, 2), int), {}, DTypeError, "int64"),
        (np.float32(1), {}, ShapeError, "single number"),
        (np.zeros((2, 2)), {"dtype": "uint8"}, ArgumentError, "int8 or int16"),
        (np.zeros((2, 2)), {"dtype": "nothing"}, ArgumentError, "int8 or int16"),
        (np.zeros((2, 2)), {"group_size": 0}, ArgumentError, "from 1 up"),
        (np.zeros((2, 2)), {"group_size": True}, ArgumentError, "from 1 up"),
        (np.zeros((2, 2)), {"per": "row"}, ArgumentError, "'row'"),
        (np.zeros((2, 2)), {"per": "tensor", "group_size": 2}, ArgumentError, "no meaning"),
        (np.zeros((2, 2)), {"observer": "median"}, ArgumentError, "minmax, percentile, mse"),
    ],
    ids=[
        "integers",
        "scalar",
        "unsigned",
        "no-dtype",
        "no-group",
        "bool",
        "per",
        "tensor-groups",
        "observer",
    ],
)
def test_bad_input_says_what_is_wrong(array: object, settings: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        quantize_array(array, **settings)


def test_parts_that_do_not_fit_are_refused() -> None:
    values = np.zeros((3, 4), np.int8)
    with pytest.raises(ShapeError, match=r"\(3, 2\)"):
        QuantizedArray(values, np.ones((3, 1), np.float32), group_size=2)
    with pytest.raises(ShapeError, match="seen as"):
        QuantizedArray(values, np.ones((3, 1), np.float32), shape=(3, 5))
    with pytest.raises(ShapeError, match="rows, columns"):
        QuantizedArray(values[0], np.ones((3, 1), np.float32))
