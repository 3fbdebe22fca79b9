"""A Tensor as a Python number, an index, a list, a sequence of rows."""

import pytest

import tt_tensor as tt
from tt_tensor.errors import DTypeError, ShapeError


@pytest.mark.parametrize(
    ("t", "value", "kind"),
    [
        (tt.tensor(1.5), 1.5, float), (tt.tensor([[7]]), 7, int), (tt.tensor(True), True, bool),
        (tt.tensor(0.1, dtype="float64"), 0.1, float),
    ],
)  # fmt: skip
def test_one_element(t, value, kind):
    assert t.item() == value
    assert type(t.item()) is kind
    assert float(t) == float(value)
    assert int(t) == int(value)
    assert bool(t) is bool(value)


@pytest.mark.parametrize("t", [tt.zeros(2), tt.zeros(0)], ids=["two", "none"])
def test_not_one_element(t):
    for call in (float, int, bool, lambda t: t.item()):
        with pytest.raises(ShapeError, match="not one"):
            call(t)


def test_as_an_index():
    assert [10, 20, 30][tt.tensor(1)] == 20
    for wrong in (tt.tensor(1.0), tt.tensor([1]), tt.tensor(True)):
        with pytest.raises(DTypeError, match="is an index"):
            [10, 20][wrong]


def test_tolist_and_iteration():
    t = tt.tensor([[1, 2], [3, 4]])
    assert t.tolist() == [[1, 2], [3, 4]]
    assert tt.tensor(2.5).tolist() == 2.5
    rows = list(t)
    assert [row.tolist() for row in rows] == [[1, 2], [3, 4]]
    assert all(row.shares_memory(t) for row in rows)
    assert [row.tolist() for row in reversed(t)] == [[3, 4], [1, 2]]
    assert 3 in t
    assert tt.tensor(4) in t
    assert 9 not in t
    for call in (len, iter):
        with pytest.raises(TypeError, match=r"shape \(\)") as caught:  # what iter() says of what has no rows
            call(tt.tensor(1.0))
        assert isinstance(caught.value, ShapeError)


def test_in_compares_as_equal_does():
    x = tt.tensor([[1.0, 2.0]])
    assert 2 in x and 2.5 not in x and None not in x and "a" not in x
    assert [1.0, 3.0] in x  # one of the pairs is equal, as in NumPy
    with pytest.raises(ShapeError):
        [1, 2, 3] in x  # noqa: B015
