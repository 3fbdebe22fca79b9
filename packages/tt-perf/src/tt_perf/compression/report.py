"""One report of all variants of a model: how large, how quick, how good.

    report = compare_variants({"as trained": model, "pruned": small, "int8": quantized}, (images, labels))
    print(report)
    report.pareto_front()
    report.draw("variants.png")

All variants see the same inputs. Their calls take turns, so that a machine that gets slower is so to all of them.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tt_nn import Module, save
from tt_perf.compression.layers import check_module
from tt_perf.compression.pareto import pareto_front
from tt_perf.words import rendered
from tt_perf.writing import write_whole
from tt_tensor import as_tensor, recorder
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["Variant", "VariantsReport", "accuracy", "compare_variants"]

BATCH = 250
MINIMIZE = ("bytes", "latency")
"""What a front is over, beside the score."""


@dataclass(frozen=True)
class Variant:
    """What one variant was found to be."""

    name: str
    bytes: int
    """Of its file: safetensors, as `tt_nn.save` writes its state."""
    parameters: int
    """Numbers that it computes with: elements of its weights (of a layer with a codebook, as many as it stands for)."""
    nonzeros: int
    latency: float
    """Seconds of one call, the median."""
    latency_low: float
    """Of the calls, a quarter was quicker."""
    latency_high: float
    """A quarter was slower."""
    peak_bytes: int
    """The most memory that a call held at a time beyond the model and its input."""
    score: float
    """Accuracy, or what `score` computes; NaN without data to score on."""


@dataclass(frozen=True)
class VariantsReport:
    """All variants, in the order given; the first is what the others are compared with."""

    variants: list[Variant]
    batch: int
    """Inputs of a call that was timed."""
    score_name: str = "accuracy"

    def __getitem__(self, name: str) -> Variant:
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise ArgumentError(
            f"VariantsReport: no variant {name!r}; there are {', '.join(v.name for v in self.variants)}"
        )

    def pareto_front(
        self, minimize: Sequence[str] = MINIMIZE, maximize: Sequence[str] = ("score",)
    ) -> list[str]:
        """Names of the variants that no other beats in everything; see `pareto_front`."""
        known = set(Variant.__dataclass_fields__) - {"name"}
        for figure in (*minimize, *maximize):
            if figure not in known:
                raise ArgumentError(
                    f"pareto_front: no figure {figure!r}; there are {', '.join(sorted(known))}"
                )
        return pareto_front({v.name: asdict(v) for v in self.variants}, minimize, maximize)

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; a score that is NaN is None."""
        rows = [asdict(v) | {"score": None if np.isnan(v.score) else v.score} for v in self.variants]
        return {
            "batch": self.batch,
            "score_name": self.score_name,
            "variants": rows,
            "pareto_front": self.pareto_front(),
        }

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_json` to a file, whole. Raises OSError where that fails."""
        write_whole(path, self.to_json())

    def __str__(self) -> str:
        front = set(self.pareto_front())
        first = self.variants[0]
        rows = [
            [
                f"{v.name}{' *' if v.name in front else ''}",
                f"{v.bytes / 1024:,.1f} KiB",
                f"{first.bytes / v.bytes:.2f}×",
                f"{v.parameters:,}",
                f"{v.nonzeros:,}",
                f"{v.latency * 1e3:,.3g} ms",
                f"{first.latency / v.latency:.2f}×",
                f"{v.peak_bytes / 2**20:,.2f} MiB",
                "" if np.isnan(v.score) else f"{v.score:.4f}",
            ]
            for v in self.variants
        ]
        head = [
            "variant",
            "file",
            "smaller",
            "parameters",
            "not zero",
            f"{self.batch} inputs",
            "faster",
            "memory",
        ]
        shown = rendered([*head, self.score_name], rows).rstrip()
        return f"{shown}\n* on the Pareto front of file, latency and {self.score_name}"

    def draw(self, path: str | os.PathLike[str], title: str = "") -> None:
        """Draw score against latency and against the size of the file, the front marked; needs matplotlib."""
        from tt_perf.compression.picture import draw_variants

        draw_variants(self, path, title)


def compare_variants(
    variants: Mapping[str, Module],
    data: Any,
    *,
    score: Callable[[Any, Any], float] | None = None,
    score_name: str = "accuracy",
    batch: int | None = None,
    rounds: int = 15,
    limit: int | None = None,
) -> VariantsReport:
    """Measure all `variants` on the same data.

    Args:
        variants: {name: model}, any Modules of the same inputs and outputs; the first is the one to compare with.
        data: (inputs, targets) as arrays or Tensors; or an iterable of such batches; or inputs alone, then there is no
            score.
        score: score(outputs, targets) → a number, the higher the better; by default `accuracy`.
        score_name: what that is called in the table.
        batch: how many inputs a call that is timed takes, from the first ones; by default as many as a batch of the
            data has, 250 at most.
        rounds: calls of each variant that are timed, after two that are not.
        limit: score on so many inputs at most.

    Models are put in eval mode meanwhile. Memory is counted by tracemalloc in a call of its own, which is not timed.

    Raises ArgumentError for no variants or data, DTypeError for what is no Module, ShapeError where targets do not
    match.
    """
    what = "compare_variants"
    if not isinstance(variants, Mapping) or not variants:
        raise ArgumentError(f"{what}: give one variant at least, as {{name: model}}")
    for model in variants.values():
        check_module(what, model)
    rounds = whole_number(what, "rounds", rounds, 1)
    limit = None if limit is None else whole_number(what, "limit", limit, 1)
    pieces = list(_batches(what, data, limit))
    if not pieces:
        raise ArgumentError(f"{what}: the data has no inputs")
    first = pieces[0][0]
    batch = len(first) if batch is None else whole_number(what, "batch", batch, 1)
    x = as_tensor(np.concatenate([inputs for inputs, _ in pieces[: -(-batch // len(first))]])[:batch])
    modes = {id(m): (m, m.training) for model in variants.values() for m in model.modules()}
    try:
        for model in variants.values():
            model.eval()
        with recorder.paused():
            scores = {name: _score(model, pieces, score or accuracy) for name, model in variants.items()}
            peaks = {name: _peak(model, x) for name, model in variants.items()}
            times = _times(variants, x, rounds)
    finally:
        for module, training in modes.values():
            module.training = training
    found = []
    for name, model in variants.items():
        size, nonzeros = _numbers(model)
        low, middle, high = np.quantile(times[name], (0.25, 0.5, 0.75))
        found.append(
            Variant(
                name,
                file_bytes(model),
                size,
                nonzeros,
                float(middle),
                float(low),
                float(high),
                peaks[name],
                scores[name],
            )
        )
    return VariantsReport(found, len(x), score_name)


def accuracy(outputs: Any, targets: Any) -> float:
    """The share of rows whose largest output, along axis 1, is the target's."""
    return float((np.asarray(outputs).argmax(axis=1) == np.asarray(targets)).mean())


def file_bytes(model: Module) -> int:
    """The size of the file that `tt_nn.save` writes of the model's state."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save(model, path)
        return path.stat().st_size


def _numbers(model: Module) -> tuple[int, int]:
    """(weights that it computes with, those of them that are not zero).

    A layer that stores its weights another way says what they are by `dense()`. Of others, parameters count, buffers
    of integers with two axes or more, which is how quantized weights stand, and a bias that stands beside them.
    """
    size = nonzeros = 0
    seen: set[int] = set()
    for module in model.modules():
        dense = getattr(module, "dense", None)
        if callable(dense):
            biases = [p.array for n, p in module._own_parameters() if n == "bias" and id(p) not in seen]
            arrays = [np.asarray(dense()), *biases]
        else:
            tensors = [p for _, p in module._own_parameters()]
            tensors += [b for n, b in module._own_buffers() if n == "bias" or _quantized(b)]  # type: ignore[misc]
            arrays = [tensor.array for tensor in tensors if id(tensor) not in seen]
        seen.update(id(p) for _, p in module._own_parameters())
        seen.update(id(b) for _, b in module._own_buffers())
        size += sum(array.size for array in arrays)
        nonzeros += sum(int(np.count_nonzero(array)) for array in arrays)
    return size, nonzeros


def _quantized(buffer: Any) -> bool:
    return buffer.dtype.kind in "iu" and buffer.ndim > 1


def _batches(what: str, data: Any, limit: int | None) -> Iterator[tuple[Any, Any]]:
    """(inputs, targets or None) as arrays, batch by batch."""
    left = limit
    for inputs, targets in _pieces(what, data):
        x = as_tensor(inputs).array
        t = None if targets is None else as_tensor(targets).array
        if not x.ndim or (t is not None and t.shape[:1] != x.shape[:1]):
            raise ShapeError(
                f"{what}: inputs of shape {x.shape} with targets of shape {None if t is None else t.shape}; there is "
                "one target for each input"
            )
        if left is not None:
            x, t = x[:left], None if t is None else t[:left]
            left -= len(x)
        for start in range(0, len(x), BATCH):
            some = slice(start, start + BATCH)
            yield x[some], None if t is None else t[some]
        if left == 0:
            return


def _pieces(what: str, data: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(data, tuple) and len(data) == 2:
        yield data
    elif hasattr(data, "__array__"):
        yield data, None
    elif isinstance(data, Iterable):
        for batch in data:
            pair = isinstance(batch, tuple | list) and len(batch) == 2
            yield (batch[0], batch[1]) if pair else (batch, None)
    else:
        raise ArgumentError(
            f"{what}: data is (inputs, targets), inputs, or an iterable of batches, not {type(data).__name__}"
        )


def _score(model: Module, pieces: list[tuple[Any, Any]], score: Callable[[Any, Any], float]) -> float:
    if any(targets is None for _, targets in pieces):
        return float("nan")
    outputs = [as_tensor(model(as_tensor(inputs))).array for inputs, _ in pieces]
    return float(score(np.concatenate(outputs), np.concatenate([targets for _, targets in pieces])))


def _peak(model: Module, x: Any) -> int:
    """Bytes that NumPy and Python held at a time during a call, beyond what they held before."""
    model(x)  # what is kept for later calls is not counted
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        model(x)
        return max(0, tracemalloc.get_traced_memory()[1] - before)
    finally:
        if started:
            tracemalloc.stop()


def _times(variants: Mapping[str, Module], x: Any, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call: one of each variant in every round, each round in another order."""
    order = list(variants)
    found: dict[str, list[float]] = {name: [] for name in order}
    for at in range(-2, rounds):
        for name in order:
            model = variants[name]
            start = time.perf_counter()
            model(x)
            if at >= 0:
                found[name].append(time.perf_counter() - start)
        order = order[1:] + order[:1]
    return found
