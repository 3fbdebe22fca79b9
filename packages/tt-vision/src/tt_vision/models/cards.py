"""Card: what is known of a file of weights. A JSON file beside it, which a person can read and a test can check."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from tt_nn import Module, WeightsError
from tt_tensor import Tensor, as_tensor
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["Card"]


@dataclass(frozen=True)
class Card:
    """What weights are for, what they were trained on, and how often they were right on what they had not seen.

    The last five fields are filled in by `save_pretrained`.

    Raises ArgumentError for a field of the wrong kind, or one that contradicts another.
    """

    model: str
    """The function of tt_vision.models that builds the network."""
    name: str
    """What to ask for: `lenet5(weights="mnist")`."""
    arguments: dict[str, Any]
    """What the function is called with."""
    dataset: str
    """What it was trained and tested on: a class of tt_vision.datasets, whose `train=False` was the test, or "XOR"."""
    trained: str
    """How it was trained: by which program, on what, for how long."""
    licence: str
    """Under what the weights may be used, and the data that they come from."""
    classes: tuple[str, ...] = ()
    """What the outputs are called, in order."""
    size: tuple[int, ...] = ()
    """(height, width) of the images; () where the inputs are no images."""
    mean: tuple[float, ...] = ()
    """Of each channel, in units of 0 … 1 images; () where inputs go in as they are."""
    std: tuple[float, ...] = ()
    correct: int = field(default=0, kw_only=True)
    """So many of the samples in the test set it is right about."""
    samples: int = field(default=0, kw_only=True)
    """How many there are in the test set."""
    parameters: int = field(default=0, kw_only=True)
    """How many numbers an optimizer trained."""
    bytes: int = field(default=0, kw_only=True)
    """Size of the file."""
    sha256: str = field(default="", kw_only=True)
    """Of the file."""

    def __post_init__(self) -> None:
        for name in ("model", "name", "dataset", "trained", "licence", "sha256"):
            value = getattr(self, name)
            if not isinstance(value, str) or not (value or name == "sha256"):
                raise ArgumentError(f"Card: {name} is text, not {value!r}")
        for name in ("correct", "samples", "parameters", "bytes"):
            object.__setattr__(self, name, whole_number("Card", name, getattr(self, name)))
        if not isinstance(self.arguments, dict) or not all(isinstance(key, str) for key in self.arguments):
            raise ArgumentError(f"Card: arguments are names with values, not {self.arguments!r}")
        object.__setattr__(self, "arguments", plain(self.arguments))
        for name, kind in (("classes", str), ("size", int), ("mean", float), ("std", float)):
            object.__setattr__(self, name, _row(name, kind, getattr(self, name)))
        if self.correct > self.samples:
            raise ArgumentError(f"Card: {self.correct} correct of {self.samples} samples cannot be")
        if len(self.size) not in (0, 2) or any(side < 1 for side in self.size):
            raise ArgumentError(f"Card: size is (height, width), not {self.size}")
        if len(self.mean) != len(self.std) or not all(self.std) or (self.mean and not self.size):
            raise ArgumentError(
                f"Card: mean {self.mean} and std {self.std} are one number for each channel of images, std not 0"
            )

    @property
    def accuracy(self) -> float:
        """correct / samples, from 0 to 1; NaN before anything was counted."""
        return self.correct / self.samples if self.samples else math.nan

    def prepare(self, inputs: Any) -> Tensor:
        """Inputs as the network was trained on them: images of `size`, scaled to 0 … 1, less `mean`, by `std`.

        Args:
            inputs: images (N, C, H, W), uint8 as the dataset has them or floats, 1/255 of that; of another size, they
                are resized. Where the card names no size: anything that makes a Tensor of floats.

        Raises as `transforms.Normalize` for images that are none.
        """
        if not self.size:
            found = as_tensor(inputs)
            return found if found.dtype.kind == "f" else found.astype(np.float32)
        from tt_vision.transforms import functional

        images = as_tensor(inputs)
        if images.shape[-2:] != self.size:
            images = functional.resize(images, self.size)
        if self.mean:
            return functional.normalize(images, self.mean, self.std)
        return functional.to_dtype(images, np.float32, scale=True)

    def count(self, model: Module, inputs: Any, targets: Any, batch: int = 250) -> int:
        """How many of `inputs` the model, in eval mode meanwhile, is right about: the largest of its outputs is the
        target's, or where it has one output, that is above 0 just where the target is 1.

        Args:
            inputs: as `prepare` takes them, prepared here.
            targets: integers (N,).
            batch: how many go through the model at a time.

        Raises ShapeError where there are not as many targets as inputs.
        """
        right, wanted = 0, np.asarray(as_tensor(targets).array)
        images = np.asarray(as_tensor(inputs).array)
        if wanted.shape != images.shape[:1]:
            raise ShapeError(
                f"Card.count: targets of shape {wanted.shape} for inputs of shape {images.shape}"
            )
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            for start in range(0, len(images), batch):
                some = slice(start, start + batch)
                outputs = model(self.prepare(images[some])).array
                found = outputs.argmax(axis=1) if outputs.shape[1] > 1 else outputs[:, 0] > 0
                right += int((found == wanted[some]).sum())
        finally:
            for module, training in modes:
                module.training = training
        return right

    def to_json(self) -> str:
        """The card as text: one field a line, in the order above."""
        lines = (
            f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
            for name, value in asdict(self).items()
        )
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str, where: str = "card") -> Card:
        """The card that `to_json` wrote. Raises WeightsError, whose message begins with `where`, for anything else."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WeightsError(f"{where} is no JSON: {error}") from error
        known = {entry.name for entry in fields(cls)}
        if not isinstance(found, dict) or set(found) != known:
            differing = sorted(known ^ set(found)) if isinstance(found, dict) else type(found).__name__
            raise WeightsError(f"{where} has other fields than a card of weights: {differing}")
        try:
            return cls(**found)
        except ArgumentError as error:
            raise WeightsError(f"{where}: {error}") from error


def plain(value: Any) -> Any:
    """`value` as JSON gives it back: lists for tuples, Python's numbers for NumPy's.

    Raises ArgumentError for what JSON cannot hold.
    """
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ArgumentError(f"Card: {value!r} cannot stand in JSON")


def _row(name: str, kind: type, values: Any) -> tuple[Any, ...]:
    allowed = int | float if kind is float else kind
    found = plain(values) if isinstance(values, list | tuple) else None
    if found is None or not all(isinstance(part, allowed) and not isinstance(part, bool) for part in found):
        raise ArgumentError(f"Card: {name} is a row of {kind.__name__}, not {values!r}")
    return tuple(kind(part) for part in found)
