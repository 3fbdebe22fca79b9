"""What a batch is."""

import numpy as np
import pytest

from tt_nn import Module
from tt_optim.training import BatchError
from tt_optim.training.batches import apply, fingerprint, forward_pair, pair, rows
from tt_tensor import tensor

X, Y = tensor([[1.0], [2.0]]), tensor([0, 1])


@pytest.mark.parametrize("batch", [(X, Y), [X, Y], {"inputs": X, "targets": Y}])
def test_a_pair(batch):
    inputs, targets = pair(batch)
    assert inputs is X and targets is Y


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ((X,), "has 1 parts"),
        ((X, Y, Y), "has 3 parts"),
        ({"x": X, "y": Y}, r"this one has \['x', 'y'\]"),
        (X, r"not Tensor; for a single batch pass \[\(x, y\)\]"),
        (3, "not int"),
    ],
)
def test_no_pair(batch, words):
    with pytest.raises(BatchError, match=words):
        pair(batch)


def test_inputs_are_taken_apart():
    class Sum(Module):
        def forward(self, a, b=10.0):
            return a + b

    assert apply(Sum(), 1.0) == 11.0
    assert apply(Sum(), (1.0, 2.0)) == 3.0
    assert apply(Sum(), {"a": 1.0, "b": 3.0}) == 4.0
    assert forward_pair(Sum(), ((1.0, 2.0), "t")) == (3.0, "t")


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        ((X, Y), 2),
        ([X, Y], 2),
        ({"inputs": [np.zeros((5, 2)), X], "targets": Y}, 5),
        ((), 1),
        (tensor(1.0), 1),
    ],
)
def test_rows(batch, count):
    assert rows(batch) == count


def test_a_fingerprint_tells_values_shapes_and_dtypes_apart():
    batches = [
        (X, Y),
        (X, tensor([0, 2])),
        (tensor([[1.0, 2.0]]), Y),
        (X.astype("float64"), Y),
        (X, Y.astype("int32")),
        {"a": X},
        (X,),
        (np.zeros((0, 3)),),
        (np.zeros((0, 4)),),
    ]
    found = [fingerprint(batch) for batch in batches]
    assert found[5] == found[6]
    assert len(set(found)) == len(found) - 1
    assert fingerprint((X[::-1], Y)) == fingerprint((tensor([[2.0], [1.0]]), Y))
