"""quantize: a model of the same architecture whose layers store their weights in less.

    small = tt_perf.quantize(model)                    # int8 weights, a scale for each row
    small = tt_perf.quantize(model, "int8-static", calibration=batches)

Linear, Embedding and the convolutions of tt-vision are replaced wherever they stand in the model; weights that are
tied stay tied. All else (norms, biases, positions that are no Embedding) is copied as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from tt_nn import Linear, Module
from tt_perf.compression.layers import hand_on_hooks
from tt_perf.quantization.calibration import calibrate
from tt_perf.quantization.layers import (
    QuantizedConv2d,
    QuantizedEmbedding,
    QuantizedLayer,
    QuantizedLinear,
)
from tt_perf.quantization.schemes import Scheme, StoredArray, scheme_of
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["quantizable", "quantize", "replaced"]

M = TypeVar("M", bound=Module)


def quantize(
    model: M,
    scheme: str | Scheme = "int8",
    *,
    symmetric: bool | None = None,
    group_size: int | None = None,
    per: str | None = None,
    observer: str | None = None,
    activation_observer: str | None = None,
    calibration: Iterable[Any] | None = None,
    skip: Sequence[str] = (),
) -> M:
    """A copy of `model` with quantized layers, in evaluation; the model itself stays as it is.

    Args:
        model: trained.
        scheme: "int8", "int8-dynamic", "int8-static", "int16", "float16", "bfloat16", or a Scheme.
        symmetric, group_size, per, observer, activation_observer: settings that differ from the scheme's; see Scheme.
        calibration: inputs of the model, as its trainer sees them (a tuple is several arguments): "int8-static"
            finds the ranges of activations on them. Some hundred samples will do.
        skip: names of layers that stay as they are; * stands for anything ("transformer.h.0.*").

    Raises ArgumentError for a model without layers to quantize, weights that are NaN or infinite (it names them), a
    name in `skip` that no layer has, and settings that do not go together; DTypeError for no Module.
    """
    if not isinstance(model, Module):
        raise DTypeError(f"quantize: a Module is needed, not {type(model).__name__}")
    settings = {
        "symmetric": symmetric,
        "group_size": group_size,
        "per": per,
        "observer": observer,
        "activation_observer": activation_observer,
    }
    wanted = scheme_of(scheme, **settings)
    if wanted.activations == "static" and calibration is None:
        raise ArgumentError(
            "quantize: static activations need calibration=, some inputs of the model, on which their ranges are found"
        )
    if wanted.activations != "static" and calibration is not None:
        raise ArgumentError(
            f"quantize: calibration is for static activations; this scheme has {wanted.activations or 'float'} ones"
        )
    layers = picked(model, skip)
    scales = {} if calibration is None else calibrate(model, layers, calibration, wanted.activation_observer)
    return replaced(model, dict.fromkeys(layers, wanted), scales)


def picked(model: Module, skip: Sequence[str] = ()) -> dict[str, Module]:
    """The layers to quantize, by name. Raises ArgumentError where there are none, or a name in `skip` is no layer's."""
    if not isinstance(skip, str | Iterable):
        raise ArgumentError(f"quantize: skip is a row of names of layers, not {skip!r}")
    skip = [skip] if isinstance(skip, str) else list(skip)
    if any(isinstance(module, QuantizedLayer) for module in model.modules()):
        raise ArgumentError("quantize: this model is quantized already; start from the float model")
    found = {name: module for name, module in model.named_modules() if quantizable(module)}
    for pattern in skip:
        if not any(fnmatchcase(name, pattern) for name in found):
            raise ArgumentError(
                f"quantize: skip={pattern!r} is the name of no layer that would be quantized; there are "
                f"{', '.join(found) or 'none'}"
            )
    kept = {name: module for name, module in found.items() if not any(fnmatchcase(name, one) for one in skip)}
    if not kept:
        raise ArgumentError(
            f"quantize: {type(model).__name__} has no Linear, Embedding or Conv2d"
            + (" beside those in skip" if found else "")
        )
    return kept


def replaced(
    model: M,
    schemes: dict[str, Scheme],
    scales: dict[str, tuple[float, int]] | None = None,
    empty: bool = False,
) -> M:
    """A copy of `model` in which the layers of these names are stored by these schemes; with `empty`, as zeros."""
    modules = dict(model.named_modules())
    made: dict[tuple[int, Scheme], Any] = {}
    # deepcopy looks here first: wherever the model holds the layer, the copy holds the quantized one.
    memo: dict[int, Any] = {}
    for name, scheme in schemes.items():
        layer: Any = modules[name]
        # Weights that are tied are stored once. What the activations do has no part in how.
        key = id(layer.weight), Scheme(**{**scheme.to_dict(), "activations": None})
        stored, tensors = made.get(key, (None, None))
        if stored is None:
            label = f"quantize: {name or type(model).__name__}.weight"
            stored = scheme.empty(layer.weight.shape) if empty else scheme.stored(layer.weight.array, label)
        quantized = _layer(layer, scheme, stored, tensors)
        made[key] = stored, quantized.tensors()
        if scales and name in scales:
            scale, zero = scales[name]
            quantized.input_scale.write(scale)
            quantized.input_zero_point.write(zero)
        hand_on_hooks(layer, quantized)
        # What is replaced is not copied, so nothing of it is held.
        memo[id(layer)] = quantized
    copied = deepcopy(model, memo)
    for module in copied.modules():
        module.__dict__.pop(
            "_applied", None
        )  # a Function of the model's last forward, with all its activations
    return copied.eval().requires_grad_(False)


def quantizable(module: Module) -> bool:
    """Is it a Linear, an Embedding of tt-text or a Conv2d or Conv1d of tt-vision, with its own forward?

    Of the wheels that may not be there, layers are known by their name and their wheel.
    """
    return _kind(module) is not None


def _kind(module: Module) -> str | None:
    # An Embedding with max_norm changes its table as it reads.
    if "forward" in vars(module) or getattr(module, "max_norm", None) is not None:
        return None
    for kind in type(module).__mro__:
        wheel = kind.__module__.partition(".")[0]
        # A subclass with a forward of its own computes something else.
        if kind.__name__ in ("Linear", "Embedding", "Conv2d", "Conv1d") and wheel in (
            "tt_nn",
            "tt_text",
            "tt_vision",
        ):
            return kind.__name__ if type(module).forward is kind.forward else None  # type: ignore[attr-defined]
    return None


def _layer(layer: Any, scheme: Scheme, stored: StoredArray, tensors: Any) -> QuantizedLayer:
    kind = _kind(layer)
    if kind == "Embedding":
        # It reads rows: there are no activations to round.
        return QuantizedEmbedding(
            Scheme(**{**scheme.to_dict(), "activations": None}), stored, tensors, layer.weight.dtype
        )
    bias = None if layer.bias is None else layer.bias.array
    if isinstance(layer, Linear):
        return QuantizedLinear(scheme, stored, bias, tensors)
    return QuantizedConv2d(scheme, stored, bias, tensors, layer)
