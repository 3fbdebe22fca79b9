"""Cards: what they refuse, and that they come back from JSON as they were."""

import contextlib
import json

import numpy as np
import pytest

from tt_nn import WeightsError
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.models import Card, lenet5, mlp

FIELDS = {
    "model": "lenet5",
    "name": "digits",
    "arguments": {"image_size": 8, "padding": (2, 2)},
    "dataset": "Digits",
    "correct": 350,
    "samples": 360,
    "trained": "by a test",
    "licence": "MIT",
    "classes": tuple("0123456789"),
    "size": (8, 8),
    "mean": (0.25,),
    "std": (0.5,),
}


def test_there_and_back():
    card = Card(**FIELDS, parameters=5, bytes=7, sha256="ab")
    again = Card.from_json(card.to_json())
    assert again == card
    assert again.to_json() == card.to_json()
    assert again.arguments == {"image_size": 8, "padding": [2, 2]}
    assert card.accuracy == 350 / 360


def test_numbers_of_numpy_are_numbers():
    card = Card(**{**FIELDS, "correct": np.int64(350), "mean": (np.float32(0.25),), "std": [1]})
    assert Card.from_json(card.to_json()).std == (1.0,)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"correct": 361}, "361 correct of 360 samples cannot be"),
        ({"correct": 0.97}, "correct must be a whole number"),
        ({"correct": True}, "correct must be a whole number"),
        ({"model": ""}, "model is text"),
        ({"licence": None}, "licence is text"),
        ({"arguments": [1]}, "arguments are names with values"),
        ({"arguments": {"image_size": float("nan")}}, "nan cannot stand in JSON"),
        ({"arguments": {"activation": np.tanh}}, "cannot stand in JSON"),
        ({"size": (8,)}, "size is"),
        ({"size": (0, 8)}, "size is"),
        ({"size": 8}, "size is a row of int"),
        ({"mean": (0.5, 0.5)}, "one number for each channel"),
        ({"std": (0.0,)}, "std not 0"),
        ({"size": ()}, "of images"),
        ({"classes": "0123456789"}, "classes is a row of str"),
        ({"classes": (0, 1)}, "classes is a row of str"),
        ({"mean": ("a",)}, "mean is a row of float"),
    ],
)
def test_what_a_card_refuses(changed, message):
    with pytest.raises(ArgumentError, match=message):
        Card(**{**FIELDS, **changed})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "null",
        "{",
        "[" * 100_000,
        '{"model": "mlp"}',
        Card(**FIELDS).to_json().replace('"correct": 350', '"correct": 1e9'),
        Card(**FIELDS).to_json().replace('"correct"', '"right"'),
        Card(**FIELDS).to_json().replace("}\n", ', "more": 1}\n'),
    ],
)
def test_json_that_is_no_card(text):
    with pytest.raises(WeightsError, match=r"^some\.json"):
        Card.from_json(text, "some.json")


def test_every_mutated_byte_gives_a_card_or_a_typed_error():
    text, rng = Card(**FIELDS).to_json().encode(), np.random.default_rng(0)
    for _ in range(1000):
        mutant = bytearray(text)
        mutant[rng.integers(len(text))] = rng.integers(32, 127)
        with contextlib.suppress(WeightsError):
            Card.from_json(mutant.decode())


def test_accuracy_is_unknown_before_anything_was_counted():
    assert np.isnan(Card(**{**FIELDS, "correct": 0, "samples": 0}).accuracy)


def test_count_is_by_the_largest_output_of_prepared_inputs_in_eval_mode():
    card = Card(**FIELDS)
    images = np.random.default_rng(0).integers(0, 256, (7, 1, 8, 8)).astype(np.uint8)
    model = lenet5(image_size=8, padding=(2, 2))
    targets = model(card.prepare(images)).numpy().argmax(axis=1)
    assert card.count(model, images, targets, batch=3) == 7
    targets[[1, 4]] = (targets[[1, 4]] + 1) % 10
    assert card.count(model, images, targets) == 5
    model = mlp(4, (50,), 2, dropout=0.5)
    points = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    plain = Card(**{**FIELDS, "size": (), "mean": (), "std": ()})
    targets = model.eval()(points).numpy().argmax(axis=1)
    assert plain.count(model.train(), points, targets) == 40
    assert model.training and model.drop1.training
    with pytest.raises(ShapeError, match=r"targets of shape \(39,\) for inputs of shape \(40, 4\)"):
        plain.count(model, points, targets[:39])


def test_one_output_says_yes_above_zero():
    card = Card(**{**FIELDS, "size": (), "mean": (), "std": ()})
    model = mlp(1, (), 1)
    model.fc1.weight.write(2)
    model.fc1.bias.write(-1)
    assert card.count(model, [[0.0], [1.0], [0.4], [0.6]], [0, 1, 1, 1]) == 3


def test_prepare_scales_and_normalises():
    card = Card(**FIELDS)
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8)).astype(np.uint8)
    wanted = (images / 255 - 0.25) / 0.5
    for given in (images, images.astype(np.float32) / 255):
        found = card.prepare(given).numpy()
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_prepare_resizes():
    card = Card(**FIELDS)
    images = np.full((2, 1, 16, 12), 51, np.uint8)
    np.testing.assert_allclose(
        card.prepare(images).numpy(), np.full((2, 1, 8, 8), (0.2 - 0.25) / 0.5), atol=1e-5
    )


def test_prepare_of_what_is_no_image():
    card = Card(**{**FIELDS, "size": (), "mean": (), "std": ()})
    found = card.prepare([[0, 1]])
    assert found.dtype == np.float32 and found.tolist() == [[0.0, 1.0]]
    assert card.prepare(np.zeros((1, 2))).dtype == np.float64


def test_a_card_is_json_that_a_person_can_read():
    lines = Card(**FIELDS).to_json().splitlines()
    assert len(lines) == len(json.loads("\n".join(lines))) + 2
    assert '  "correct": 350,' in lines
