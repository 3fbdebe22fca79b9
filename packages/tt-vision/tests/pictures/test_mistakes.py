"""The worst mistakes: those and no others, worst first."""

import numpy as np
import pytest

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.pictures import worst_mistakes

NAMES = ["cat", "dog", "ship"]


@pytest.fixture
def told():
    """Images whose brightness is their number, and what a network said of them."""
    images = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 5), np.uint8)
    rng = np.random.default_rng(0)
    return images, rng.integers(0, 3, 20), rng.normal(size=(20, 3)) * 3


def shown(figure):
    """(number of the image, title) of each."""
    return [
        (round(float(axis.images[0].get_array()[0, 0, 0]) * 255), axis.get_title())
        for axis in figure.axes
        if axis.images
    ]


def test_worst_first(told):
    images, targets, logits = told
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = [i for i in range(20) if logits[i].argmax() != targets[i]]
    wanted = sorted(wrong, key=lambda i: chances[i, targets[i]])
    assert len(wanted) > 6
    figure = worst_mistakes(Tensor(images), Tensor(targets), Tensor(logits), NAMES, 6)
    found = shown(figure)
    assert [number for number, _ in found] == wanted[:6]
    for number, title in found:
        said = logits[number].argmax()
        assert title == f"{NAMES[targets[number]]}\n→ {NAMES[said]} {chances[number, said]:.0%}"
    assert figure.get_suptitle() == f"{len(wrong)} mistakes among 20 images"
    again = worst_mistakes(images, targets, chances, NAMES, 6, probabilities=True)
    assert shown(again) == found
    assert shown(worst_mistakes(images, targets, logits + 1e4, NAMES, 6)) == found
    assert len(shown(worst_mistakes(images, targets, logits, count=100))) == len(wrong)


def test_no_mistakes_and_no_images(told):
    images, targets, _ = told
    figure = worst_mistakes(images, targets, np.eye(3)[targets] * 9)
    assert shown(figure) == [] and figure.get_suptitle() == "0 mistakes among 20 images"
    assert shown(worst_mistakes(images[:0], targets[:0], np.zeros((0, 3)))) == []


def test_gray_images(told):
    _, targets, logits = told
    gray = np.random.default_rng(0).normal(size=(20, 1, 8, 8))
    figure = worst_mistakes(gray, targets, logits, title="gray", count=2)
    assert figure.axes[0].images[0].get_array().shape == (8, 8) and figure.get_suptitle() == "gray"


def wrong(call, **changed):
    given = {
        "images": np.zeros((2, 3, 4, 4)),
        "targets": np.array([0, 1]),
        "logits": np.zeros((2, 3)),
    } | changed
    return lambda: call(**given)


WRONG = [
    (wrong(worst_mistakes, images=np.zeros((3, 4, 4))), ShapeError, r"\(3, 4, 4\)"),
    (wrong(worst_mistakes, targets=np.array([0])), ShapeError, r"\(1,\)"),
    (wrong(worst_mistakes, logits=np.zeros((3, 3))), ShapeError, r"\(3, 3\)"),
    (wrong(worst_mistakes, targets=np.array([0.0, 1.0])), DTypeError, "class numbers"),
    (wrong(worst_mistakes, targets=np.array([0, 3])), ArgumentError, "from 0 to 3"),
    (wrong(worst_mistakes, count=0), ArgumentError, "not 0"),
    (wrong(worst_mistakes, classes=["a"]), ShapeError, "1 names for 3"),
    (wrong(worst_mistakes, logits=np.full((2, 3), np.nan)), ArgumentError, "finite"),
    (wrong(worst_mistakes, probabilities=True), ArgumentError, "are these logits"),
    (wrong(worst_mistakes, images=np.zeros((2, 2, 4, 4)), logits=np.eye(3)[:2][::-1]), ShapeError, "1, H, W"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
