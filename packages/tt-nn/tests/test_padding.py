"""F.pad: PyTorch's order of axes, NumPy's values."""

import numpy as np
import pytest

import tt_nn.functional as F
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, ShapeError

NUMPYS = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("mode", NUMPYS)
def test_the_last_axis_comes_first(mode):
    x = np.arange(60.0).reshape(2, 3, 2, 5)
    for padding, widths in (
        ((1, 2), [(0, 0)] * 3 + [(1, 2)]),
        ((4, 0, 1, 1), [(0, 0)] * 2 + [(1, 1), (4, 0)]),
        ((), [(0, 0)] * 4),
    ):
        np.testing.assert_array_equal(F.pad(x, padding, mode).numpy(), np.pad(x, widths, NUMPYS[mode]))
    np.testing.assert_array_equal(
        F.pad(x, (-1, 2), mode).numpy(), np.pad(x[..., 1:], [(0, 0)] * 3 + [(0, 2)], NUMPYS[mode])
    )


def test_a_value():
    x = Tensor([[1, 2]])
    assert F.pad(x, (0, 1, 1, 0), value=9).tolist() == [[9, 9, 9], [1, 2, 9]]
    assert F.pad(x, (0, 0)) is x


def test_what_is_refused():
    x = Tensor(np.zeros((2, 3)))
    for padding in (1, (1,), (1, 2, 3), (1.5, 1), "ab"):
        with pytest.raises(ArgumentError, match="padding"):
            F.pad(x, padding)
    with pytest.raises(ArgumentError, match="mode is one of"):
        F.pad(x, (1, 1), "edge")
    with pytest.raises(ArgumentError, match="value is for mode 'constant'"):
        F.pad(x, (1, 1), "reflect", 1.0)
    with pytest.raises(ShapeError, match="for 3 axes"):
        F.pad(x, (1,) * 6)
    for padding, mode in (((3, 0), "reflect"), ((4, 0), "circular"), ((-2, -2), "constant")):
        with pytest.raises(ShapeError, match="do not fit axis 1"):
            F.pad(x, padding, mode)
