"""What `gradcheck` found: derivatives by the rules beside those by differences, and what a wrong one looks like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["Comparison", "GradcheckReport", "Place", "Tolerance"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tolerance:
    """Two values agree where |analytic - numeric| ≤ atol + rtol · |numeric|.

    `eps`, above 0, is the step of the differences.
    """

    eps: float = 1e-6
    atol: float = 1e-5
    rtol: float = 1e-3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < np.inf or (name == "eps" and not value):
                raise ArgumentError(f"gradcheck: {name} is a finite number from 0 up, not {value!r}")

    def off(self, analytic: Any, numeric: Any, scale: float = 1.0) -> Any:
        """Where they do not agree; a NaN agrees with nothing."""
        with np.errstate(invalid="ignore"):
            return ~np.isclose(analytic, numeric, self.rtol, self.atol * scale)

    def check(self, place: Place) -> None:
        """Raise DTypeError for a dtype whose rounding hides a difference with this eps."""
        rounding = float(np.sqrt(np.finfo(place.dtype).eps))
        if not self.eps >= rounding:
            raise DTypeError(
                f"gradcheck: {place} is rounded too coarsely for eps={self.eps:g}; use .double() (or "
                f"astype('float64')), or an eps from {rounding:.0e} up with larger tolerances"
            )

    def agree(self, analytic: Any, numeric: Any) -> bool:
        """Whether they agree everywhere."""
        return not np.any(self.off(analytic, numeric))


@dataclass(frozen=True)
class Place:
    """An input or an output of what is checked."""

    name: str
    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def at(self, position: tuple[int, ...]) -> str:
        """The name of one entry."""
        return f"{self.name}[{', '.join(map(str, position))}]" if position else self.name

    def __str__(self) -> str:
        return f"{self.name} {self.shape} {self.dtype}"


@dataclass(frozen=True)
class Comparison:
    """∂output/∂input by the rules (`analytic`) and by central differences (`numeric`).

    Both have the shape (*output.shape, *input.shape); in fast mode, () for one random projection of them.
    `slopes` are those from the left and from the right at the worst entry, where it was off.
    """

    output: Place
    input: Place
    analytic: Array
    numeric: Array
    tolerance: Tolerance
    reached: bool = True
    """Whether any gradient came from the output to the input."""
    scale: float = 1.0
    """What atol is multiplied with: the size of a projection."""
    slopes: tuple[float, float] | None = None

    @property
    def off(self) -> Array:
        """Where the two differ by more than the tolerance."""
        return np.asarray(self.tolerance.off(self.analytic, self.numeric, self.scale))

    @property
    def ok(self) -> bool:
        """Whether they agree everywhere."""
        return not self.off.any()

    @property
    def worst(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """The position in the output and the one in the input where they are furthest apart; None without entries."""
        if not self.analytic.size:
            return None
        allowed = self.tolerance.atol * self.scale + self.tolerance.rtol * np.abs(self.numeric)
        with np.errstate(invalid="ignore"):
            excess = np.abs(self.analytic - self.numeric) - allowed
        # A NaN is further off than any number.
        excess = np.where(self.off & ~np.isfinite(excess), np.inf, np.nan_to_num(excess))
        position = tuple(int(i) for i in np.unravel_index(np.argmax(excess), excess.shape))
        axes = len(self.output.shape) if position else 0
        return position[:axes], position[axes:]

    @property
    def hint(self) -> str | None:
        """What the difference looks like, where it looks like something."""
        return None if self.ok else _hint(self)

    def with_slopes(self, slopes: tuple[float, float]) -> Comparison:
        """The same, with the slopes at its worst entry."""
        return replace(self, slopes=slopes)

    def __str__(self) -> str:
        off, worst = self.off, self.worst
        if worst is None or not off.any():
            return f"{self.input} → {self.output}: right"
        at = (*worst[0], *worst[1])
        a, n = float(self.analytic[at]), float(self.numeric[at])
        t = self.tolerance
        what = f"∂{self.output.at(worst[0])} / ∂{self.input.at(worst[1])}"
        if self.analytic.ndim < len(self.output.shape) + len(self.input.shape):
            what = "a random projection of the Jacobian"
        lines = [
            f"{self.input} → {self.output}: {off.sum()} of {off.size} entries are off",
            f"  worst: {what}",
            f"    by the rules         {a:.9g}",
            f"    central differences  {n:.9g}   (eps {t.eps:g})",
            f"    absolute error {abs(a - n):.3g}, relative {_relative(a, n):.3g}; "
            f"allowed {t.atol * self.scale:.3g} + {t.rtol:g} · |central differences|",
        ]
        return "\n".join([*lines, *([f"  hint: {self.hint}"] if self.hint else [])])


@dataclass(frozen=True)
class GradcheckReport:
    """All comparisons, and what else is wrong. `ok` where nothing is; printed, it says what is off and why."""

    what: str
    tolerance: Tolerance
    comparisons: tuple[Comparison, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong beside numbers: randomness, a changed input, a rule that raised."""
    cause: Exception | None = field(default=None, repr=False)
    """The error that stopped the check, if one did."""

    @property
    def ok(self) -> bool:
        """Whether every derivative is right."""
        return not self.problems and not self.wrong

    @property
    def wrong(self) -> tuple[Comparison, ...]:
        """The comparisons that are off."""
        return tuple(c for c in self.comparisons if not c.ok)

    @property
    def worst(self) -> Comparison | None:
        """The comparison with the largest error of those that are off."""

        def error(c: Comparison) -> float:
            found = np.abs(c.analytic - c.numeric)[c.off].max()
            return float(found) if np.isfinite(found) else np.inf

        with np.errstate(invalid="ignore"):
            return max(self.wrong, key=error, default=None)

    def __str__(self) -> str:
        count = sum(c.analytic.size for c in self.comparisons)
        if self.ok:
            return f"{self.what}: {count} derivatives of {len(self.comparisons)} pairs of input and output are right"
        worst = self.worst
        parts = [f"{self.what}: {'the gradient is not the derivative' if worst else self.problems[0]}"]
        parts += self.problems[0 if worst else 1 :]
        parts += [str(c) for c in ([] if worst is None else [worst])]
        parts += [str(c) for c in self.wrong if c is not worst]
        return "\n".join(parts)


def _relative(a: float, n: float) -> float:
    if a == n:
        return 0.0
    return abs(a - n) / abs(n) if n else np.inf


# --- what a wrong Jacobian looks like ---------------------------------------------------------------------


def _hint(c: Comparison) -> str | None:
    t = c.tolerance
    if not np.isfinite(c.numeric).all():
        return f"the function itself gives no finite values within {t.eps:g} of this input"
    if c.slopes is not None:
        left, right = c.slopes
        if not abs(left - right) <= 10 * (t.atol + t.rtol * max(abs(left), abs(right))):
            return (
                f"the function has a kink or a jump within {t.eps:g} of this entry (slope {left:.6g} from the left, "
                f"{right:.6g} from the right), where it has no derivative; check it elsewhere"
            )
    if not np.isfinite(c.analytic).all():
        return "a rule gives NaN or Inf where the derivative is finite"
    if c.analytic.ndim < len(c.output.shape) + len(c.input.shape):
        return None
    outs, ins = int(np.prod(c.output.shape)), int(np.prod(c.input.shape))
    a, n = c.analytic.reshape(outs, ins), c.numeric.reshape(outs, ins)
    if not c.reached:
        return (
            f"no gradient reaches {c.input.name}: the graph is cut (a detour through .numpy(), .array, .item() or "
            "detach(), a computation inside no_grad()), or a rule returns None for it"
        )
    for look in (_zero, _factor, _transposed, _heedless, _partly, _elementwise):
        found = look(c, a, n)
        if found:
            return found
    return None


def _zero(c: Comparison, a: Array, n: Array) -> str | None:
    if c.tolerance.agree(a, 0):
        return f"the gradient is zero, though {c.output.name} changes with {c.input.name}"
    if c.tolerance.agree(0, n):
        return f"{c.output.name} does not change with {c.input.name}, so its gradient should be zero"
    return None


def _factor(c: Comparison, a: Array, n: Array) -> str | None:
    factor = float((a * n).sum() / (n * n).sum())
    if not c.tolerance.agree(a / factor if factor else a, n):
        return None
    if abs(factor + 1) < 1e-3:
        return "the sign is wrong: the gradient is -1 times the derivative"
    said = f"the gradient is {factor:.4g} times the derivative, everywhere"
    for size in sorted({*c.output.shape, *c.input.shape, *a.shape} - {0, 1}):
        if abs(factor / size - 1) < 1e-3:
            return f"{said}; {size} is also a number of elements: a sum where a mean belongs?"
        if abs(factor * size - 1) < 1e-3:
            return f"{said}; {size} is also a number of elements: a mean where a sum belongs?"
    return said


def _transposed(c: Comparison, a: Array, n: Array) -> str | None:
    shape = c.input.shape
    if len(shape) > 1:
        swapped = a.reshape(a.shape[0], *shape[:-2], shape[-1], shape[-2]).swapaxes(-1, -2)
        if c.tolerance.agree(swapped.reshape(a.shape), n):
            return f"the gradient of {c.input.name} is transposed"
    if a.shape[0] == a.shape[1] and c.tolerance.agree(a.T, n):
        return "the Jacobian stands where its transpose belongs: a gradient goes back by the transposed map"
    return None


def _heedless(c: Comparison, a: Array, n: Array) -> str | None:
    """One row of the Jacobian for each gradient that was sent: do they depend on it at all?"""
    if len(a) > 1 and c.tolerance.agree(a, a[:1]) and not c.tolerance.agree(n, n[:1]):
        return "a rule does not use the gradient that it is given: multiply the derivative with grad"
    return None


def _partly(c: Comparison, a: Array, n: Array) -> str | None:
    off = c.tolerance.off(a, n)
    if c.tolerance.agree(a[off], 0):
        return (
            "what is not zero is right, but some entries are zero that should not be: a share is lost (an element that "
            "is used twice, a repeated index, a missing sum)"
        )
    if c.tolerance.agree(0, n[off]):
        return "the gradient goes to entries, too, on which the output does not depend"
    return None


def _elementwise(c: Comparison, a: Array, n: Array) -> str | None:
    if a.shape[0] == a.shape[1]:
        beside = ~np.eye(len(a), dtype=bool)
        if c.tolerance.agree(a[beside], 0) and not c.tolerance.agree(0, n[beside]):
            return (
                "the gradient is that of an elementwise function, but each output depends on several entries of "
                f"{c.input.name}: a sum over them is missing"
            )
    return None
