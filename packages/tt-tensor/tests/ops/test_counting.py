"""bincount, searchsorted, isin, triangles: NumPy's values, typed errors."""

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


def test_counts():
    x = tt.tensor([1, 3, 1, 0])
    assert x.bincount().tolist() == [1, 2, 0, 1]
    assert x.bincount(minlength=6).tolist() == [1, 2, 0, 1, 0, 0]
    weighted = tt.bincount(x, [0.5, 1.0, 0.25, 2.0])
    assert weighted.tolist() == [2, 0.75, 0, 1]
    assert weighted.dtype == np.float32
    assert tt.bincount(tt.zeros(0, dtype="int64"), minlength=2).tolist() == [0, 0]
    assert tt.bincount(tt.tensor([1, 2], dtype="uint8")).dtype == np.int64


@pytest.mark.parametrize("right", [False, True])
def test_places(right):
    rising, values = np.array([1.0, 3.0, 3.0, 5.0]), np.array([[0.0, 3.0], [4.0, 9.0]])
    found = tt.searchsorted(rising, values, right)
    np.testing.assert_array_equal(
        found.numpy(), np.searchsorted(rising, values, "right" if right else "left")
    )
    assert found.dtype == np.int64
    assert tt.searchsorted(rising, 3.0, right).shape == ()


def test_members():
    x = tt.tensor([[1, 2], [3, 4]])
    assert x.isin([2, 3, 9]).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (0, 3)])
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_triangles(shape, offset):
    for function, wanted in (
        (tt.tril_indices, np.tri(*shape, offset)),
        (tt.triu_indices, 1 - np.tri(*shape, offset - 1)),
    ):
        found = np.zeros(shape)
        places = function(*shape, offset)
        found[tuple(places.numpy())] = 1
        np.testing.assert_array_equal(found, wanted)
        assert places.shape == (2, int(wanted.sum()))
        assert places.dtype == np.int64


def test_wrong_arguments():
    with pytest.raises(DTypeError, match="whole numbers, not float32"):
        tt.bincount([1.0])
    with pytest.raises(ArgumentError, match="from 0 up are counted, not -2"):
        tt.bincount([1, -2])
    with pytest.raises(ShapeError, match=r"\(2,\) and \(1,\)"):
        tt.bincount([1, 2], [1.0])
    with pytest.raises(ShapeError, match="one axis"):
        tt.searchsorted([[1.0]], 1.0)
    with pytest.raises(ArgumentError, match="row must be a whole number"):
        tt.tril_indices(-1, 2)
