"""Weights in files: written, found by name, refused when damaged or asked for with other arguments."""

import os

import numpy as np
import pytest

from tt_nn import WeightsError
from tt_tensor.errors import ArgumentError
from tt_vision.models import (
    Card,
    cifar_cnn,
    get_card,
    lenet5,
    list_cards,
    load_pretrained,
    mlp,
    resnet18,
    save_pretrained,
    weights,
)


def card_of(model="mlp", name="tiny", **arguments):
    return Card(model, name, arguments, "XOR", "by a test", "MIT", correct=3, samples=4)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of its own in the place of the wheel's."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def tiny(shelf):
    """A small perceptron that ships as "tiny"."""
    model = mlp(2, (3,), 1, activation="tanh")
    card = card_of(in_features=2, hidden=[3], num_classes=1, activation="tanh")
    return model, save_pretrained(model, shelf / "mlp-tiny.safetensors", card)


def test_what_was_saved_is_built_by_name(tiny, shelf):
    model, card = tiny
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    for again in (mlp(weights="tiny"), load_pretrained(shelf / "mlp-tiny.safetensors")):
        np.testing.assert_array_equal(again(x).numpy(), model(x).numpy())
        assert type(again.act1).__name__ == "Tanh"
    assert (card.parameters, card.bytes) == (13, (shelf / "mlp-tiny.safetensors").stat().st_size)
    assert get_card("mlp", "tiny") == card and list_cards() == list_cards("mlp") == [card]
    assert list_cards("lenet5") == []
    assert sorted(path.name for path in shelf.iterdir()) == ["mlp-tiny.json", "mlp-tiny.safetensors"]


def test_pretrained_models_are_in_eval_mode_and_others_in_train_mode(tiny):
    assert not any(module.training for module in mlp(weights="tiny").modules())
    assert mlp(2, (3,), 1).training


def test_arguments_may_repeat_what_the_weights_say_but_not_contradict_it(tiny):
    mlp(2, (3,), 1, weights="tiny")
    mlp(hidden=[3], dropout=0.0, weights="tiny")
    with pytest.raises(ArgumentError, match=r"weights 'tiny' are for hidden=\[3\], not \(4,\)"):
        mlp(2, (4,), 1, weights="tiny")
    with pytest.raises(ArgumentError, match=r"weights 'tiny' are for activation='tanh', not 'relu'"):
        mlp(activation="relu", weights="tiny")


def test_unknown_names_list_what_there_is(tiny):
    with pytest.raises(ArgumentError, match=r"mlp: no weights are called 'xor'; it has 'tiny'"):
        mlp(weights="xor")
    with pytest.raises(
        ArgumentError, match=r"none ship for it. In this wheel there are: mlp\(weights=\"tiny\"\)"
    ):
        resnet18(weights="IMAGENET1K_V1")
    with pytest.raises(ArgumentError, match="no weights are called"):
        lenet5(weights=True)


def test_the_batch_norms_statistics_are_saved_too(shelf):
    model = cifar_cnn(2, (2, 2, 0, 3), ((4, True), (4, False)))
    x = np.random.default_rng(0).normal(size=(6, 3, 8, 8)).astype(np.float32)
    model(x)
    card = card_of("cifar_cnn", stem=(2, 2, 0, 3), blocks=((4, True), (4, False)), num_classes=2)
    save_pretrained(model, shelf / "cifar_cnn-tiny.safetensors", card)
    np.testing.assert_array_equal(cifar_cnn(weights="tiny")(x).numpy(), model.eval()(x).numpy())


def test_half_the_bytes_for_a_thousandth_of_the_value(shelf):
    model = mlp(20, (300,), 10)
    card = card_of(in_features=20, hidden=(300,), num_classes=10)
    whole = save_pretrained(model, shelf / "mlp-whole.safetensors", card)
    half = save_pretrained(model, shelf / "mlp-tiny.safetensors", card, dtype=np.float16)
    assert half.bytes < 0.55 * whole.bytes
    again = mlp(weights="tiny")
    for name, parameter in model.named_parameters():
        found = again.get_parameter(name)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found.numpy(), parameter.numpy(), rtol=1e-3, atol=1e-6)


def test_what_is_counted_are_the_numbers_that_are_stored(shelf):
    model = mlp(1, (), 1)
    model.fc1.weight.write(1.0001)
    model.fc1.bias.write(-1)
    points, answers = np.array([[1.0], [0.0]], np.float32), np.array([1, 0])
    card = card_of(in_features=1, hidden=(), num_classes=1)
    found = save_pretrained(model, shelf / "mlp-tiny.safetensors", card, (points, answers))
    assert (found.correct, found.samples) == (2, 2)
    # 1.0001 is 1 in float16, and 1 · 1 - 1 is not above 0.
    found = save_pretrained(model, shelf / "mlp-tiny.safetensors", card, (points, answers), np.float16)
    assert (found.correct, found.samples) == (1, 2)
    assert get_card("mlp", "tiny") == found


def test_a_card_must_tell_of_a_test(shelf):
    card = Card("mlp", "tiny", {"in_features": 1, "hidden": (), "num_classes": 1}, "XOR", "by a test", "MIT")
    with pytest.raises(ArgumentError, match="tells of no test"):
        save_pretrained(mlp(1, (), 1), shelf / "mlp-tiny.safetensors", card)


def test_a_damaged_file_is_refused(tiny, shelf):
    path = shelf / "mlp-tiny.safetensors"
    contents = bytearray(path.read_bytes())
    contents[-1] ^= 1
    path.write_bytes(contents)
    with pytest.raises(WeightsError, match="not the file that its card describes"):
        mlp(weights="tiny")
    path.unlink()
    with pytest.raises(WeightsError, match="does not exist, though its card does"):
        mlp(weights="tiny")


def test_weights_without_a_card(tiny, shelf):
    (shelf / "mlp-tiny.json").unlink()
    with pytest.raises(WeightsError, match="weights need the card"):
        load_pretrained(shelf / "mlp-tiny.safetensors")
    (shelf / "mlp-tiny.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WeightsError, match="is no text"):
        load_pretrained(shelf / "mlp-tiny.safetensors")


def test_a_card_that_builds_nothing(tiny, shelf):
    path = shelf / "mlp-tiny.json"
    text = path.read_text(encoding="utf-8")
    for before, after in (
        ('"model": "mlp"', '"model": "Module"'),
        ('"in_features"', '"features"'),
        ('"in_features": 2', '"in_features": -2'),
        ('"in_features": 2', '"in_features": "two"'),
    ):
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
        with pytest.raises(WeightsError, match="does not build a model"):
            load_pretrained(shelf / "mlp-tiny.safetensors")


def test_save_refuses_a_card_of_another_model(shelf):
    model, path = mlp(2, (3,), 1), shelf / "mlp-tiny.safetensors"
    with pytest.raises(ArgumentError, match=r"other names or shapes .* fc1\.weight"):
        save_pretrained(model, path, card_of(in_features=2, hidden=(4,), num_classes=1))
    with pytest.raises(ArgumentError, match="cannot be called with these arguments"):
        save_pretrained(model, path, card_of(inputs=2))
    with pytest.raises(ArgumentError, match="no model is called 'resnet'"):
        save_pretrained(model, path, card_of("resnet"))
    with pytest.raises(ArgumentError, match=r"is called \*\.safetensors"):
        save_pretrained(model, shelf / "tiny.npz", card_of(in_features=2, hidden=(3,), num_classes=1))
    assert not list(shelf.iterdir())


def test_a_disk_that_refuses_leaves_nothing_half_written(tiny, shelf, monkeypatch):
    model, card = tiny
    before = {path.name: path.read_bytes() for path in shelf.iterdir()}

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        save_pretrained(model, shelf / "mlp-tiny.safetensors", card)
    assert {path.name: path.read_bytes() for path in shelf.iterdir()} == before
