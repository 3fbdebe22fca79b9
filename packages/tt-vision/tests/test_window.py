"""Window: at how many places it stands, and what its settings may be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.window import Window, pair, same_padding

few = st.integers(1, 4)
pads = st.tuples(st.integers(0, 4), st.integers(0, 4))


@given(st.tuples(few, few), st.tuples(few, few), st.tuples(pads, pads), st.tuples(few, few), st.data())
def test_it_stands_wherever_it_fits(size, stride, padding, dilation, data):
    window = Window(size, stride, padding, dilation)
    image = data.draw(st.tuples(st.integers(0, 12), st.integers(0, 12)))
    found = []
    for axis in (0, 1):
        taps = [tap * dilation[axis] for tap in range(size[axis])]
        assert window.reach[axis] == taps[-1] + 1
        padded = sum(padding[axis]) + image[axis]
        found.append(len([start for start in range(0, padded, stride[axis]) if start + taps[-1] < padded]))
    if 0 in found:
        with pytest.raises(ShapeError, match=r"case: the window spans .* use a smaller kernel"):
            window.output(image, "case")
    else:
        assert window.output(image, "case") == tuple(found)


def test_what_does_not_fit_is_told_with_its_numbers():
    window = Window((3, 3), (1, 1), ((1, 1), (0, 0)), (2, 2))
    with pytest.raises(ShapeError) as raised:
        window.output((9, 4), "conv")
    text = str(raised.value)
    assert text.startswith("conv: the window spans (5, 5) pixels, but the image (9, 4)")
    assert "((1, 1), (0, 0)) only 4 along width" in text
    with pytest.raises(ShapeError, match="only 4 along height"):
        window.output((2, 9), "conv")


@given(st.tuples(few, few), st.tuples(few, few), st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_same_padding_keeps_the_size(size, dilation, image):
    padding = same_padding(size, dilation)
    assert Window(size, (1, 1), padding, dilation).output(image, "same") == image
    assert all(0 <= after - before <= 1 for before, after in padding)


@pytest.mark.parametrize(
    ("value", "least", "dims", "wanted"),
    [
        (3, 1, 2, (3, 3)),
        ((2, 3), 1, 2, (2, 3)),
        ([0, 1], 0, 2, (0, 1)),
        ((4,), 1, 2, (4, 4)),
        (np.int32(2), 1, 2, (2, 2)),
        (np.array([2, 5]), 1, 2, (2, 5)),
        (np.array(2), 1, 2, (2, 2)),
        (3, 1, 1, (1, 3)),
        ((3,), 1, 1, (1, 3)),
        (2, 0, 1, (0, 2)),
        (0, 0, 1, (0, 0)),
    ],
)
def test_a_setting_as_height_and_width(value, least, dims, wanted):
    found = pair(value, "stride", least, dims)
    assert found == wanted and all(type(number) is int for number in found)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(
    "value",
    [
        -1,
        0,
        1.0,
        "3",
        None,
        True,
        (),
        (1, 2, 3),
        (1, -1),
        (2, 1.5),
        (1, None),
        [True, 1],
        np.array([1.5]),
        {2, 3},
    ],
    ids=repr,
)
def test_no_setting(value, dims):
    with pytest.raises(ArgumentError, match="stride must be a whole number") as raised:
        pair(value, "stride", 1, dims)
    assert str(raised.value).endswith(f"from 1 up, not {value!r}") and isinstance(raised.value, ValueError)


def test_two_numbers_are_no_setting_of_one_axis():
    with pytest.raises(ArgumentError, match=r"kernel_size must be a whole number from 1 up, not \(2, 3\)"):
        pair((2, 3), "kernel_size", 1, dims=1)
