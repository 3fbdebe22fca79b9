"""Masks: which weights are held at zero, and how many are.

    masks = prune_magnitude(model, 0.8)
    trainer = Trainer(model, ..., callbacks=[KeepMasks(masks)])

A pruned weight is a zero in a dense array: the file is as large and the layer as fast as before. What is gained is
seen by a compressor, or by hardware that skips zeros. For speed here, see `prune_channels`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tt_nn import Module
from tt_perf.compression.layers import check_module
from tt_tensor.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    from tt_tensor import Tensor

__all__ = ["Masks", "SparsityReport", "SparsityRow", "sparsity_report"]

Mask = npt.NDArray[np.bool_]


class Masks(Mapping[str, Mask]):
    """{name of a parameter: an array of its shape, True where the weight stays}, of one model.

    Args:
        model: whose parameters are meant.
        masks: by dotted name.

    Raises UnknownNameError for a name that is none, ShapeError for a mask of another shape, ArgumentError for one that
    is no bool.
    """

    def __init__(self, model: Module, masks: Mapping[str, Any]) -> None:
        check_module("Masks", model)
        self._weights: dict[str, Tensor] = {name: model.get_parameter(name) for name in masks}
        self._masks: dict[str, Mask] = {}
        self.update(masks)

    def update(self, masks: Mapping[str, Any]) -> None:
        """Other masks for some of the parameters; `apply` makes them felt. All of them or, on an error, none."""
        new: dict[str, Mask] = {}
        for name, given in masks.items():
            mask = np.array(given)
            if name not in self._weights:
                raise ArgumentError(f"Masks: no mask for {name!r} yet; there are {', '.join(self._weights)}")
            if mask.dtype != np.bool_:
                raise ArgumentError(
                    f"Masks: the mask of {name} holds bools, True for what stays, not {mask.dtype}"
                )
            if mask.shape != self._weights[name].shape:
                raise ShapeError(
                    f"Masks: {name} has shape {self._weights[name].shape}, its mask {mask.shape}; they must be equal"
                )
            new[name] = mask
        self._masks.update(new)

    def apply(self) -> None:
        """Set what is masked to zero; the rest stays as it is, bit for bit."""
        for name, mask in self._masks.items():
            weight = self._weights[name]
            # Not a product: nan · 0 is nan, and -1 · 0 is -0.
            weight.write(np.where(mask, weight.array, weight.array.dtype.type(0)))

    @property
    def sparsity(self) -> float:
        """The share of the masked parameters' elements that are held at zero; 0 where there are none."""
        size = sum(mask.size for mask in self._masks.values())
        return 1 - sum(int(mask.sum()) for mask in self._masks.values()) / size if size else 0.0

    def __getitem__(self, name: str) -> Mask:
        return self._masks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._masks)

    def __len__(self) -> int:
        return len(self._masks)

    def __repr__(self) -> str:
        return f"Masks({len(self)} weights, sparsity {self.sparsity:.1%})"


@dataclass(frozen=True)
class SparsityRow:
    """One parameter of a report."""

    name: str
    shape: tuple[int, ...]
    size: int
    zeros: int

    @property
    def sparsity(self) -> float:
        """zeros / size; 0 for an empty one."""
        return self.zeros / self.size if self.size else 0.0


@dataclass(frozen=True)
class SparsityReport:
    """Zeros of a model's parameters; `print` shows a table."""

    rows: list[SparsityRow]

    @property
    def size(self) -> int:
        """Elements of all parameters."""
        return sum(row.size for row in self.rows)

    @property
    def zeros(self) -> int:
        """Those that are zero."""
        return sum(row.zeros for row in self.rows)

    @property
    def sparsity(self) -> float:
        """zeros / size."""
        return self.zeros / self.size if self.size else 0.0

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        rows = [{**vars(row), "shape": list(row.shape), "sparsity": row.sparsity} for row in self.rows]
        return {"rows": rows, "size": self.size, "zeros": self.zeros, "sparsity": self.sparsity}

    def __str__(self) -> str:
        from tt_perf.words import rendered

        rows = [
            [
                row.name,
                "×".join(map(str, row.shape)),
                f"{row.size:,}",
                f"{row.zeros:,}",
                f"{row.sparsity:.1%}",
            ]
            for row in self.rows
        ]
        rows.append(["all", "", f"{self.size:,}", f"{self.zeros:,}", f"{self.sparsity:.1%}"])
        heads = ["parameter", "shape", "size", "zeros", "sparsity"]
        return rendered(heads, rows, left=2).rstrip()


def sparsity_report(model: Module) -> SparsityReport:
    """How many elements of each parameter are zero. Tied parameters come once."""
    check_module("sparsity_report", model)
    return SparsityReport(
        [
            SparsityRow(name, p.shape, p.size, p.size - int(np.count_nonzero(p.array)))
            for name, p in model.named_parameters()
        ]
    )
