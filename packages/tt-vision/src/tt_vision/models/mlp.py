"""The multi-layer perceptron: every neuron sees the whole input, and nothing tells it that pixels have neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tt_nn import GELU, Dropout, Flatten, Linear, Module, ReLU, Sequential, Sigmoid, SiLU, Tanh
from tt_tensor.errors import ArgumentError
from tt_vision.models.weights import fill, settle

__all__ = ["MLP", "activation_of", "mlp"]

ACTIVATIONS = {"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "gelu": GELU, "silu": SiLU}


class MLP(Sequential):
    """y = fc_n(act(… act(fc₁(flatten(x))))): see `mlp`."""

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int],
        num_classes: int,
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        if not isinstance(hidden, list | tuple):
            raise ArgumentError(f"mlp: hidden is a row of widths, one for each hidden layer, not {hidden!r}")
        layers: dict[str, Module] = {"flatten": Flatten()}
        widths = [in_features, *hidden, num_classes]
        for number, (before, after) in enumerate(pairwise(widths), 1):
            layers[f"fc{number}"] = Linear(before, after)
            if number <= len(hidden):
                layers[f"act{number}"] = activation_of("mlp", activation)
                if dropout:
                    layers[f"drop{number}"] = Dropout(dropout)
        super().__init__(layers)


def mlp(
    in_features: int | None = None,
    hidden: Sequence[int] | None = None,
    num_classes: int | None = None,
    activation: str | None = None,
    dropout: float | None = None,
    weights: str | None = None,
) -> MLP:
    """Linear layers with an activation after each but the last.

    Args:
        in_features: elements of one sample; samples of more axes (images) are flattened.
        hidden: the widths of the hidden layers; () leaves one linear map.
        num_classes: size of the output, which is logits.
        activation: "relu" (the default), "tanh", "sigmoid", "gelu" or "silu".
        dropout: share of each hidden layer's outputs that training sets to 0; 0 by default.
        weights: the name of weights that ship (see `list_cards`); what is left out is then as they have it, and
            the model is in eval mode.

    Input (N, …) with in_features elements a row, output (N, num_classes).

    Raises ArgumentError where a size is missing without weights, or contradicts them.
    Source: Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors", 1986.
    """
    given = {
        "in_features": in_features,
        "hidden": hidden,
        "num_classes": num_classes,
        "activation": activation,
        "dropout": dropout,
    }
    usual = {**dict.fromkeys(given), "activation": "relu", "dropout": 0.0}
    settled, card = settle("mlp", weights, given, usual)
    missing = [name for name, value in settled.items() if value is None]
    if missing:
        raise ArgumentError(f"mlp: {' and '.join(missing)} must be given, unless weights are")
    return fill(MLP(**settled), card)


def activation_of(where: str, name: Any) -> Module:
    """The activation of that name. Raises ArgumentError that lists them."""
    if name not in ACTIVATIONS:
        raise ArgumentError(f"{where}: activation {name!r} is not one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()
