"""What quantization gained and what it cost: bytes, errors of weights, and accuracy before and after."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tt_nn import Module
from tt_perf.compression.layers import check_module
from tt_perf.quantization.layers import QuantizedLayer
from tt_tensor.errors import ArgumentError

__all__ = ["LayerReport", "QuantizationReport", "compare_quantized", "state_bytes"]


def state_bytes(model: Module) -> int:
    """Bytes of a model's state: parameters and persistent buffers, what is tied counted once."""
    seen: dict[int, int] = {}
    for tensor in model.state_dict().values():
        array = tensor.array
        seen[array.__array_interface__["data"][0] if array.size else id(array)] = array.nbytes
    return sum(seen.values())


@dataclass(frozen=True)
class LayerReport:
    """One quantized layer."""

    name: str
    kind: str
    scheme: str
    """The weights' dtype, and that of activations that are quantized, too."""
    shape: tuple[int, ...]
    before: int
    """Bytes of the float weight."""
    after: int
    """Bytes of the stored weight with its scales."""
    error: float
    """The greatest |w - ŵ|."""
    noise: float
    """Σ w² / Σ (w - ŵ)², in decibels: 20 more are one digit more."""


@dataclass(frozen=True)
class QuantizationReport:
    """Both models side by side."""

    layers: tuple[LayerReport, ...]
    before: int
    """Bytes of the float model's state."""
    after: int
    """Bytes of the quantized model's state."""
    score_before: float | None = None
    """What `evaluate` gave for the float model."""
    score_after: float | None = None

    @property
    def ratio(self) -> float:
        """after / before."""
        return self.after / self.before if self.before else 1.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**asdict(self), "ratio": self.ratio}

    def __str__(self) -> str:
        from rich.console import Console
        from rich.table import Table

        table = Table("layer", "kind", "scheme", "shape", "bytes", "after", "max error", "SNR")
        for row in self.layers:
            table.add_row(
                row.name,
                row.kind,
                row.scheme,
                "×".join(map(str, row.shape)),
                f"{row.before:,}",
                f"{row.after:,}",
                f"{row.error:.2g}",
                f"{row.noise:.1f} dB",
            )
        console = Console(width=110, no_color=True, force_terminal=False, legacy_windows=False)
        with console.capture() as capture:
            console.print(table)
        lines = [f"size: {self.before:,} bytes → {self.after:,} ({self.ratio:.3f} ×)"]
        if self.score_before is not None and self.score_after is not None:
            change = self.score_after - self.score_before
            lines.append(f"score: {self.score_before:.4f} → {self.score_after:.4f} ({change:+.4f})")
        return capture.get() + "\n".join(lines)


def compare_quantized(
    model: Module, quantized: Module, evaluate: Callable[[Module], float] | None = None
) -> QuantizationReport:
    """Sizes, errors of each weight, and what `evaluate(model)` says of either: an accuracy, or a loss.

    Raises ArgumentError where `quantized` was not made of a model like `model`.
    """
    before = dict(check_module("compare_quantized", model).named_modules())
    rows: list[LayerReport] = []
    for name, layer in check_module("compare_quantized", quantized).named_modules():
        if not isinstance(layer, QuantizedLayer):
            continue
        weight = getattr(before.get(name), "weight", None)
        if weight is None or weight.shape != layer.shape:
            raise ArgumentError(
                f"compare_quantized: {name or type(layer).__name__} of the quantized model has a weight of shape "
                f"{layer.shape}, that of the other is {None if weight is None else weight.shape}"
            )
        rows.append(_row(name, layer, weight.array))
    if not rows:
        raise ArgumentError("compare_quantized: the second model has no quantized layers")
    scores = (None, None) if evaluate is None else (float(evaluate(model)), float(evaluate(quantized)))
    return QuantizationReport(tuple(rows), state_bytes(model), state_bytes(quantized), *scores)


def _row(name: str, layer: QuantizedLayer, weight: Any) -> LayerReport:
    stored, scheme = layer.stored(), layer.scheme
    rows = weight.reshape(stored.values.shape)
    worst, signal, noise = 0.0, 0.0, 0.0
    step = max(1, (1 << 18) // max(rows.shape[1], 1))
    for start in range(0, len(rows), step):
        w = rows[start : start + step].astype(np.float64)
        off = w - stored.rows(start, start + step)
        worst = max(worst, float(np.abs(off).max(initial=0)))
        signal += float((w * w).sum())
        noise += float((off * off).sum())
    decibels = math.inf if not noise else 10 * math.log10(signal / noise) if signal else -math.inf
    words = scheme.weights if scheme.activations is None else f"{scheme.weights}, {scheme.activations}"
    return LayerReport(
        name, type(layer).__name__, words, layer.shape, weight.nbytes, stored.nbytes, worst, decibels
    )
