"""Counts in a loop, and a picture that shows them."""

import numpy as np
import pytest

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.pictures import confusion_counts, confusion_matrix


def test_counts_in_a_loop():
    rng = np.random.default_rng(0)
    true, said = rng.integers(0, 5, 300), rng.integers(0, 5, 300, dtype=np.uint8)
    wanted = np.zeros((5, 5), int)
    for t, p in zip(true, said, strict=True):
        wanted[t, p] += 1
    np.testing.assert_array_equal(confusion_counts(Tensor(true), said, 5), wanted)
    np.testing.assert_array_equal(confusion_counts(true[:0], said[:0], 3), np.zeros((3, 3)))


def test_what_the_picture_shows():
    counts = np.array([[8, 2, 0], [0, 5, 0], [1, 0, 0]])
    figure = confusion_matrix(counts, ["cat", "dog", "ship"])
    (axis,) = figure.axes
    np.testing.assert_allclose(axis.images[0].get_array(), [[0.8, 0.2, 0], [0, 1, 0], [1, 0, 0]])
    written = {tuple(map(int, text.get_position())): text.get_text() for text in axis.texts}
    assert written == {(0, 0): "8", (1, 0): "2", (1, 1): "5", (0, 2): "1"}
    for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["cat", "dog", "ship"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true")
    assert figure.get_suptitle() == "81.2% of 16 right"
    assert confusion_matrix(counts, title="mine").get_suptitle() == "mine"


def test_a_class_that_never_came_and_a_hundred_classes():
    empty = confusion_matrix(np.zeros((2, 2), int))
    assert not empty.axes[0].images[0].get_array().any() and empty.get_suptitle() == "0.0% of 0 right"
    many = confusion_matrix(np.eye(100, dtype=int)).axes[0]
    assert not many.texts and not list(many.get_xticks())


WRONG = [
    (lambda: confusion_matrix(np.zeros((2, 3), int)), ShapeError, r"not \(2, 3\)"),
    (lambda: confusion_matrix(np.zeros((0, 0), int)), ShapeError, r"not \(0, 0\)"),
    (lambda: confusion_matrix(np.eye(2)), DTypeError, "integers, not float64"),
    (lambda: confusion_matrix([[-1]]), ArgumentError, "negative"),
    (lambda: confusion_matrix([[1]], ["a", "b"]), ShapeError, "2 names for 1 classes"),
    (lambda: confusion_counts([0, 1], [0], 2), ShapeError, r"\(2,\) and \(1,\)"),
    (lambda: confusion_counts([0, 2], [0, 1], 2), ArgumentError, "targets go from 0 to 2"),
    (lambda: confusion_counts([0, 1], [-1, 1], 2), ArgumentError, "predictions go from -1"),
    (lambda: confusion_counts([0, 1], [0.5, 1], 2), DTypeError, "argmax"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
