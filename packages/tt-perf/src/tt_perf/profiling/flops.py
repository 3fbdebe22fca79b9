"""FLOPs and bytes of one application of a Function, by the formulas or by its own word.

    y = function(x, weight)
    flops(function)               # Flops(forward=..., backward=...)

A Function of your own says it itself, right where it stands:

    class Cube(Function):
        def forward(self, x): ...
        def backward(self, grad): ...
        def flops(self):                            # asked after the forward
            return 2 * self.x.size, 3 * self.x.size  # forward, backward
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tt_perf.profiling.application import Application, Shape
from tt_perf.profiling.formulas import FORMULAS, Formula
from tt_tensor import Function, Tensor
from tt_tensor.errors import DTypeError, GradientError

__all__ = ["Flops", "counted", "described", "flops", "formula_of", "traffic"]


class Flops(NamedTuple):
    """Floating-point operations of one application."""

    forward: int
    backward: int
    counted: bool = True
    """False where no formula is known: then they are one an element."""


def formula_of(kind: type) -> Formula | None:
    """The formula for a class of Functions, its own if it has `flops`; None where nothing is known.

    The formulas are for the Functions of tt's wheels: another class of the same name is another thing.
    """
    for each in kind.__mro__:
        if callable(each.__dict__.get("flops")):
            return OWN
        if each.__module__.partition(".")[0] in WHEELS and each.__name__ in FORMULAS:
            return FORMULAS[each.__name__]
    return None


WHEELS = frozenset(
    ("tt_autograd", "tt_data", "tt_nn", "tt_optim", "tt_perf", "tt_tensor", "tt_text", "tt_vision")
)

OWN = Formula(lambda a: a.facts[0], lambda a: a.facts[1], facts=lambda function: _own(function))
"""By the word of the Function."""


def _own(function: Any) -> tuple[int, int]:
    found = function.flops()
    if (
        not isinstance(found, tuple)
        or len(found) != 2
        or not all(isinstance(f, int | np.integer) for f in found)
    ):
        raise DTypeError(
            f"{type(function).__name__}.flops() gave {found!r}; it must give two whole numbers, the operations of its "
            "forward and of its backward"
        )
    return int(found[0]), int(found[1])


def flops(function: Function) -> Flops:
    """Of an applied Function; backward as far as gradients are asked for (`function.needs`).

    Raises GradientError where it was not applied to anything yet.
    """
    name = type(function).__name__
    if getattr(function, "inputs", None) is None:
        raise GradientError(
            f"flops: {name} was not applied, or its graph was let go: ask between forward and backward"
        )
    return counted(function, function.needs)


def counted(function: Function, needs: tuple[bool, ...] | None) -> Flops:
    """`flops` of a Function that was applied, if these inputs want a gradient."""
    formula = formula_of(type(function))
    shapes = tuple(shape for shape, _ in map(described, function.inputs))
    facts = None if formula is None or formula.facts is None else formula.facts(function)
    return counts(formula, Application(type(function).__name__, shapes, function.output_shape, needs, facts))


def counts(formula: Formula | None, application: Application) -> Flops:
    """Forward and backward; an element counts once where no formula is known."""
    if formula is None:
        wanted = sum(application.size(i) for i in range(len(application.inputs)) if application.wants(i))
        return Flops(application.n, wanted, False)
    return Flops(int(formula.forward(application)), int(formula.backward(application)))


def described(x: Any) -> tuple[Shape | None, Any]:
    """The shape and dtype of an input of any kind; () for a number, None for an absent one."""
    if isinstance(x, Tensor):
        return x.array.shape, x.array.dtype
    if isinstance(x, Function):
        return x.output_shape, x.output_dtype
    if x is None:
        return None, None
    return getattr(x, "shape", ()), getattr(x, "dtype", None)


def traffic(
    formula: Formula | None, application: Application, dtypes: Sequence[Any], output: Any, backward: bool
) -> int:
    """Bytes that must move at least: every input is read once, every result written once.

    Backward: the gradient is read, each input that a computing rule uses too, each gradient written. A gather reads
    as much as it writes.
    """
    kind = "compute" if formula is None else formula.kind
    if kind in ("view", "outer"):
        return 0
    width = 0 if output is None else output.itemsize
    out = application.n * width
    sizes = [_bytes(shape, dtype) for shape, dtype in zip(application.inputs, dtypes, strict=True)]
    if not backward:
        beside = 0 if formula is None or formula.beside is None else formula.beside(application)
        return 2 * out if kind == "move" else sum(sizes) + out + beside
    wanted = sum(size for i, size in enumerate(sizes) if application.wants(i))
    return out + wanted + (sum(sizes) if kind == "compute" else 0)


def _bytes(shape: Shape | None, dtype: Any) -> int:
    return 0 if shape is None or dtype is None else math.prod(shape) * dtype.itemsize
