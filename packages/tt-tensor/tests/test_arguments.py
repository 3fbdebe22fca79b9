"""Numbers that callers give: what is taken, what is refused, and what the error says."""

import math

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor.arguments import number, positive, probability, whole_number
from tt_tensor.errors import ArgumentError

NO_NUMBERS = [True, None, "1", 1j, [1], np.array([1.0])]


@pytest.mark.parametrize("check", [number, positive, probability])
@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.float64(1)])
def test_numbers_keep_their_value_and_become_pythons(check, value):
    found = check("layer", "p", value)
    assert found == value
    assert type(found) in (int, float)


@pytest.mark.parametrize("check", [number, positive, probability])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_refused(check, value):
    with pytest.raises(ArgumentError, match=r"^layer: p must be a number.*, not "):
        check("layer", "p", value)


@pytest.mark.parametrize(
    ("check", "values", "words"),
    [
        (positive, (0, -1.0, math.nan), "must be a number above 0"),
        (probability, (-0.1, 1.1, math.nan, math.inf), "is a probability from 0 to 1"),
    ],
)
def test_the_range_is_held_and_named(check, values, words):
    for value in values:
        with pytest.raises(ArgumentError, match=f"^layer: p {words}, not {value}$"):
            check("layer", "p", value)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3), tt.tensor(3)], ids=repr)
def test_whole_numbers_become_ints(value):
    found = whole_number("layer", "size", value, 3)
    assert found == 3
    assert type(found) is int


@pytest.mark.parametrize("value", [*NO_NUMBERS, np.True_, 3.0, np.float32(3)], ids=repr)
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^layer: size must be a whole number from 0 up, not "):
        whole_number("layer", "size", value)


def test_the_least_whole_number():
    assert whole_number("layer", "size", 0) == 0
    assert whole_number("layer", "offset", -5, None) == -5
    with pytest.raises(ArgumentError, match=r"^layer: size must be a whole number from 2 up, not 1$"):
        whole_number("layer", "size", 1, 2)
    with pytest.raises(ArgumentError, match=r"^layer: offset must be a whole number, not 1.5$"):
        whole_number("layer", "offset", 1.5, None)
