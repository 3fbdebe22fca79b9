"""The weights in the wheel: whole, small, and as often right as their cards say."""

import numpy as np
import pytest

from tt_data import DatasetError
from tt_tensor.errors import ArgumentError
from tt_vision import datasets
from tt_vision.models import BUILDERS, lenet5, list_cards, mlp, weights

CARDS = list_cards()
each_card = pytest.mark.parametrize("card", CARDS, ids=lambda card: f"{card.model}-{card.name}")


def samples_of(card):
    """Inputs and answers that the weights were tested on; a dataset that is not on this machine skips the test."""
    if card.dataset == "XOR":
        return np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])
    try:
        test = getattr(datasets, card.dataset)(train=False, download=False)
    except DatasetError as error:
        pytest.skip(f"{card.dataset} is neither in TT_DATA_HOME nor in the cache: {error}")
    assert test.classes == card.classes
    assert test.data.shape[2:] == card.size
    return test.data, test.targets


@each_card
def test_they_are_as_often_right_as_recorded(card):
    inputs, targets = samples_of(card)
    model = BUILDERS[card.model](weights=card.name)
    assert len(inputs) == card.samples
    # Another BLAS adds in another order, so of ten thousand images a few may lie on the other side of a tie.
    assert abs(card.count(model, inputs, targets) - card.correct) <= card.samples // 2000


@each_card
def test_they_are_small_and_where_they_are_looked_for(card):
    path = weights.FOLDER / f"{card.model}-{card.name}.safetensors"
    assert path.stat().st_size == card.bytes < 1_000_000
    model = BUILDERS[card.model](weights=card.name)
    assert sum(p.size for p in model.parameters()) == card.parameters
    assert not model.training


def test_there_is_a_card_for_each_file_and_a_file_for_each_card():
    stems = {f"{card.model}-{card.name}" for card in CARDS}
    assert {"mlp-xor", "lenet5-digits"} <= stems
    names = {path.name for path in weights.FOLDER.iterdir() if not path.name.startswith(("__", "."))}
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("json", "safetensors")}


def test_what_they_reach():
    reached = {(card.model, card.name): card.accuracy for card in CARDS}
    assert reached["mlp", "xor"] == 1
    assert reached["lenet5", "digits"] >= 0.97


def test_they_are_for_one_network_each():
    assert mlp(weights="xor").fc1.weight.shape == (8, 2)
    assert lenet5(weights="digits")[0].padding == (2, 2)
    with pytest.raises(ArgumentError, match=r"weights 'digits' are for image_size=8, not 28"):
        lenet5(image_size=28, weights="digits")
