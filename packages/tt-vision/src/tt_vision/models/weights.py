"""Weights that ship with the wheel, small enough to: files of safetensors in `pretrained/`, each with its card.

    model = lenet5(weights="mnist")
    card = get_card("lenet5", "mnist")
    model(card.prepare(images)).argmax(axis=1)

Milestones of this project trained them. A test counts again how often they are right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from tt_nn import Module, WeightsError, load, save
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError
from tt_tensor.files import whole_file
from tt_vision.models.cards import Card, plain

__all__ = ["get_card", "list_cards", "load_pretrained", "save_pretrained"]

FOLDER = Path(__file__).parent / "pretrained"


def list_cards(model: str | None = None) -> list[Card]:
    """The cards of all weights that ship, or of those for one model, in the order of their names."""
    found = [_read(path) for path in sorted(FOLDER.glob("*.json"))]
    return [card for card in found if model in (None, card.model)]


def get_card(model: str, name: str) -> Card:
    """The card of the weights `name` for `model`. Raises ArgumentError that lists what there is."""
    there = list_cards()
    for card in there:
        if (card.model, card.name) == (model, name):
            return card
    own = [card.name for card in there if card.model == model]
    every = ", ".join(f'{card.model}(weights="{card.name}")' for card in there)
    known = f"it has {', '.join(map(repr, own))}" if own else "none ship for it"
    raise ArgumentError(
        f"{model}: no weights are called {name!r}; {known}. In this wheel there are: {every or 'none'}"
    )


def save_pretrained(
    model: Module,
    path: str | PathLike[str],
    card: Card,
    test: tuple[Any, Any] | None = None,
    dtype: Any = None,
) -> Card:
    """Write `model`'s weights to `path` and `card` beside it, under the same name with `.json`.

    Args:
        model: trained, and made as `card.model` and `card.arguments` say.
        path: ends in `.safetensors`; in the wheel it is `pretrained/<model>-<name>.safetensors`.
        card: what is known of the weights.
        test: (inputs, targets) that the model has not seen, as for `Card.count`: what the card then says is counted
            here, on the very numbers that are stored. Without, the card must have `correct` and `samples` already.
        dtype: float16 halves the file; they load as float32. By default the model's own.

    Both files are written aside and renamed. Returns the card as it was written.

    Raises ArgumentError where the card does not build this model or tells of no test, OSError where the disk refuses.
    """
    target = Path(path)
    if target.suffix != ".safetensors":
        raise ArgumentError(
            f"save_pretrained: a file of weights is called *.safetensors, not {target.name!r}"
        )
    if test is None and not card.samples:
        raise ArgumentError("save_pretrained: the card tells of no test; give test=(inputs, targets)")
    again = _rebuilt(model, card)
    state = {name: _stored(tensor, dtype) for name, tensor in model.state_dict().items()}
    if test is not None:
        again.load_state_dict(state)
        card = replace(card, correct=card.count(again, *test), samples=len(test[1]))
    save(state, target)
    card = replace(
        card,
        parameters=sum(parameter.size for parameter in model.parameters()),
        bytes=target.stat().st_size,
        sha256=_sha256(target),
    )
    with whole_file(target.with_suffix(".json")) as file:
        file.write(card.to_json().encode())
    return card


def load_pretrained(path: str | PathLike[str]) -> Module:
    """The network that `save_pretrained` wrote to `path`: built from the card beside it, in eval mode.

    Raises WeightsError where either file is missing, damaged, or does not belong to the other.
    """
    target = Path(path)
    card = _read(target.with_suffix(".json"))
    try:
        model = builder(card.model)(**card.arguments)
    except (ArgumentError, TypeError) as error:
        raise WeightsError(f"load_pretrained: {path}: its card does not build a model: {error}") from error
    return fill(model, card, target)


def settle(
    model: str, weights: Any, given: dict[str, Any], usual: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    """What to build `model` with, and the card of its weights or None.

    `given` are a builder's arguments, None where the caller left one out: then it is as the weights have it, or
    without weights as usual.

    Raises ArgumentError where an argument contradicts the weights.
    """
    card = None if weights is None else get_card(model, weights)
    had = {} if card is None else card.arguments
    settled = {name: had.get(name, value) for name, value in usual.items()}
    for name, value in given.items():
        if value is None:
            continue
        if card is not None and plain(value) != plain(settled[name]):
            raise ArgumentError(
                f"{model}: the weights {weights!r} are for {name}={settled[name]!r}, not {value!r}; leave {name} out, "
                "or build without weights"
            )
        settled[name] = value
    return settled, card


def fill(model: Module, card: Card | None, path: Path | None = None) -> Any:
    """Load the card's weights into `model`, which is then in eval mode; without a card, `model` as it is.

    Raises WeightsError where the file is not the one that the card was written for.
    """
    if card is None:
        return model
    target = path or FOLDER / f"{card.model}-{card.name}.safetensors"
    if not target.is_file():
        raise WeightsError(f"{target} does not exist, though its card does")
    if _sha256(target) != card.sha256:
        raise WeightsError(
            f"{target} is not the file that its card describes (sha256 differs); install it again"
        )
    model.load_state_dict(load(target))
    return model.eval()


def builder(name: str) -> Callable[..., Module]:
    """The function of tt_vision.models of that name. Raises ArgumentError where none builds a model."""
    from tt_vision import models

    if name not in models.BUILDERS:
        raise ArgumentError(f"no model is called {name!r}; there are {', '.join(sorted(models.BUILDERS))}")
    return models.BUILDERS[name]


def _rebuilt(model: Module, card: Card) -> Module:
    """What the card builds. Raises ArgumentError unless it has the names and shapes of `model`."""
    try:
        other = builder(card.model)(**card.arguments)
    except TypeError as error:
        raise ArgumentError(
            f"save_pretrained: {card.model} cannot be called with these arguments: {error}"
        ) from error
    mine, its = ({name: x.shape for name, x in m.state_dict().items()} for m in (model, other))
    differing = [name for name in {**mine, **its} if mine.get(name) != its.get(name)]
    if differing:
        raise ArgumentError(
            f"save_pretrained: {card.model}(**{card.arguments}) has other names or shapes than the model that was "
            f"trained: {', '.join(differing)}"
        )
    return other


def _stored(tensor: Tensor, dtype: Any) -> Any:
    array = tensor.array
    return array.astype(dtype) if dtype is not None and array.dtype.kind == "f" else array


def _read(path: Path) -> Card:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path} does not exist: weights need the card that was written with them"
        ) from error
    except UnicodeDecodeError as error:
        raise WeightsError(f"{path} is no text: {error}") from error
    return Card.from_json(text, str(path))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
