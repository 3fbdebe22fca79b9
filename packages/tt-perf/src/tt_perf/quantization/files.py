"""Quantized models in files: safetensors at the true size, with the schemes in the header.

save_quantized(small, "model.safetensors")  # with packed=True a tenth smaller
small = load_quantized("model.safetensors", GPT(config))
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from typing import Any, TypeVar

from tt_nn import Module, StateDictError, WeightsError, load, load_metadata, save
from tt_perf.compression.layers import check_module
from tt_perf.quantization.layers import QuantizedLayer
from tt_perf.quantization.packing import PACKED, load_packed, save_packed
from tt_perf.quantization.replacing import quantizable, replaced
from tt_perf.quantization.schemes import Scheme
from tt_tensor.errors import ArgumentError

__all__ = ["load_quantized", "save_quantized"]

M = TypeVar("M", bound=Module)

KEY = "tt.quantized"

MOST = 16
"""Bytes that a number of a float model can take: an int16 with a scale and a zero point of its own are 8."""


def save_quantized(
    model: Module,
    path: str | PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    packed: bool = False,
) -> None:
    """Write a quantized model's state as `tt_nn.save` does, with the scheme of each layer in the header.

    Args:
        model: what `quantize` made.
        path, metadata: as for `tt_nn.save`.
        packed: whether the state goes through a compressor that loses nothing (see `packing`). Files of int8 weights
            are then about a tenth smaller, and are unpacked in memory when they are loaded.

    Raises ArgumentError for a model that is not quantized, DTypeError for what is no Module, and what `tt_nn.save`
    raises.
    """
    check_module("save_quantized", model)
    schemes: dict[str, list[str]] = {}
    for name, module in model.named_modules():
        if isinstance(module, QuantizedLayer):
            schemes.setdefault(json.dumps(module.scheme.to_dict(), sort_keys=True), []).append(name)
    if not schemes:
        raise ArgumentError(
            f"save_quantized: {type(model).__name__} has no quantized layers; tt_nn.save writes a float model"
        )
    # Layers of one scheme together: the header is part of the size.
    entries = [{"scheme": json.loads(scheme), "layers": names} for scheme, names in schemes.items()]
    header = {**(metadata or {}), KEY: json.dumps(entries, separators=(",", ":"))}
    (save_packed if packed else save)(model, path, header)


def load_quantized(path: str | PathLike[str], model: M) -> M:
    """The quantized model in a file that `save_quantized` wrote, packed or not.

    Args:
        path: the file.
        model: a float model of the same architecture; its weights do not matter, and it stays as it is.

    Raises WeightsError where the file is missing, damaged, or says nothing of schemes, StateDictError where it is of
    another architecture.
    """
    check_module("load_quantized", model)
    metadata = load_metadata(path)
    schemes = _schemes(path, metadata)
    if PACKED in metadata:
        most = MOST * sum(tensor.size + 1 for tensor in model.state_dict().values())
        state = load_packed(path, metadata, most)
    else:
        state = load(path)
    modules = dict(model.named_modules())
    strangers = [name for name in schemes if name not in modules or not quantizable(modules[name])]
    if strangers:
        raise StateDictError(
            f"load_quantized: {path} has quantized layers that {type(model).__name__} has not: {', '.join(strangers)}"
        )
    made = replaced(model, schemes, empty=True)
    made.load_state_dict(state)
    return made


def _schemes(path: Any, metadata: Mapping[str, str]) -> dict[str, Scheme]:
    if KEY not in metadata:
        raise WeightsError(
            f"load_quantized: {path} says nothing of schemes: it was not written by save_quantized. A state that "
            "tt_nn.save wrote loads into quantize(model, the same scheme) with load_state_dict"
        )
    try:
        found = {
            name: Scheme(**entry["scheme"]) for entry in json.loads(metadata[KEY]) for name in entry["layers"]
        }
        if all(isinstance(name, str) for name in found):
            return found
        raise TypeError("names are text")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"load_quantized: {path}: the schemes in its header cannot be read: {error}"
        ) from error
