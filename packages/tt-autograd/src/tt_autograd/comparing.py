"""Both Jacobians of a function: by its rules, one way back for each entry of an output, and by central differences.

The inputs themselves are moved, entry by entry, so a function that reaches a parameter by itself is moved, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tt_autograd import views
from tt_autograd.engine import partial
from tt_autograd.gradcheck_report import Comparison, GradcheckReport, Place, Tolerance
from tt_autograd.modes import recorded
from tt_tensor import Function, Tensor
from tt_tensor.errors import DTypeError, TTError

__all__ = ["Check", "floating", "left_alone", "outputs_of"]

Array = np.ndarray[Any, Any]


class Check:
    """A function, what it is checked at, and what was found so far.

    Args:
        what: the name of the check, for messages.
        recorded: takes the inputs, returns Tensors that are gone back from.
        evaluated: the same values, for the differences; the same function where one does both.
        inputs: what both take; those that require a gradient are moved.
        places: their names.
        names: those of the outputs.
        nondet_tol: by how much two calls may differ.
    """

    def __init__(
        self,
        what: str,
        recorded: Callable[..., Any],
        evaluated: Callable[..., Any],
        inputs: tuple[Any, ...],
        places: Sequence[Place],
        names: Callable[[int], str],
        tolerance: Tolerance,
        nondet_tol: float,
    ) -> None:
        self.what, self.recorded, self.evaluated, self.inputs = what, recorded, evaluated, inputs
        self.names, self.tolerance, self.nondet_tol = names, tolerance, nondet_tol
        # Each once, though one Tensor may be given twice: who moves it moves both.
        self.checked: dict[int, tuple[Tensor, Place]] = {}
        for x, place in zip(inputs, places, strict=True):
            if floating(x) and x.requires_grad:
                self.checked.setdefault(id(x), (x, place))
        self.rng = np.random.default_rng(0)
        self.problems: list[str] = []

    def report(self, fast: bool) -> GradcheckReport:
        """All that can be said; the inputs, and their `.grad`, are afterwards as they were."""
        compare = self._projections if fast else self._jacobians
        comparisons: list[Comparison] = []
        cause = None
        with recorded(), left_alone(self.inputs) as held:
            try:
                outputs = self._outputs()
                self._see_changes(held, "the function")
                if not self.problems:
                    comparisons = compare(outputs)
                    if fast and not all(c.ok for c in comparisons):
                        # A projection shows that something is wrong, the entries show what.
                        comparisons = self._jacobians(outputs)
                    self._see_changes(held, "a rule")
            except _Stopped as stopped:
                self.problems.append(str(stopped))
                cause = stopped.error
        # Each problem once, in the order in which they were met.
        problems = tuple(dict.fromkeys(self.problems))
        return GradcheckReport(self.what, self.tolerance, tuple(comparisons), problems, cause)

    def _see_changes(self, held: Sequence[Held], who: str) -> None:
        for x, _, values, _ in held:
            if id(x) in self.checked and x.array.tobytes() != values.tobytes():
                self.problems.append(
                    f"{who} wrote into {self.checked[id(x)][1]}; compute y = x + 1, not x += 1"
                )

    # --- the outputs ------------------------------------------------------------------------------------

    def _outputs(self) -> list[tuple[Tensor, Place]]:
        """The floating outputs, recorded; notes where they are not what a derivative can be taken of."""
        numbered = [(i, x) for i, x in enumerate(outputs_of(self.recorded(*self.inputs))) if floating(x)]
        outputs = [x for _, x in numbered]
        places = [Place(self.names(i), index, x.shape, x.dtype) for index, (i, x) in enumerate(numbered)]
        for place in places:
            self.tolerance.check(place)
        self.shapes = [x.shape for x in outputs]
        values = [x.array.copy() for x in outputs]
        first = values if self.recorded is self.evaluated else self._values()
        for place, a, b, c in zip(places, values, first, self._values(), strict=True):
            again, by_composite = _apart(b, c), _apart(a, b)
            largest = np.abs(b[np.isfinite(b)]).max(initial=1.0)
            if not again <= self.nondet_tol:
                self.problems.append(
                    f"{place} differs by {again:.3g} when it is computed again; draw random numbers outside and pass "
                    "them in, or allow it with nondet_tol"
                )
            elif not by_composite <= largest * np.sqrt(np.finfo(place.dtype).eps) + self.nondet_tol:
                self.problems.append(
                    f"{place} differs by {by_composite:.3g} with create_graph=True: a rule gives something else for "
                    "Tensors, or a composite is not what it stands for"
                )
        return list(zip(outputs, places, strict=True))

    def _values(self) -> list[Array]:
        """The floating outputs as they are now, in memory of their own."""
        values = [x.array.copy() for x in outputs_of(self.evaluated(*self.inputs)) if floating(x)]
        shapes = [x.shape for x in values]
        if shapes != self.shapes:
            raise _Stopped(
                f"the outputs have the shapes {shapes} when they are computed again, and had {self.shapes}"
            )
        return values

    # --- by the rules -----------------------------------------------------------------------------------

    def _back(self, output: Tensor, gradient: Array, **rule: Any) -> dict[int, Array]:
        """The gradient at each input that one is sent to, by the input's id; the others are held constant."""
        if not output.requires_grad:
            return {}
        ways = {key: views.edge(views.refreshed(x)) for key, (x, _) in self.checked.items()}
        try:
            return partial([(views.edge(views.refreshed(output)), gradient)], ways, retain=True, **rule)
        except TTError as error:
            raise _Stopped(f"the way back raised {type(error).__name__}: {error}", error) from error

    def _random(self, output: Tensor, place: Place) -> tuple[Array, dict[int, Array]]:
        """A random gradient at `output`, and what the rules send back for it, twice and looked at closely."""
        sent = np.array(self.rng.normal(size=output.shape), output.dtype, order="F")
        found = self._back(output, sent.copy("F"), rule=self._looked_at)
        again = self._back(output, sent.copy("F"))
        for key, g in found.items():
            apart = _apart(g, again[key])
            if not apart <= self.nondet_tol:
                self.problems.append(
                    f"the gradient at {self.checked[key][1]} from {place} differs by {apart:.3g} when it is taken "
                    "again; a rule may not change what forward saved"
                )
        return sent, found

    def _looked_at(self, function: Function, gradient: Array) -> tuple[Any, ...]:
        """function.gradients(gradient), noting what the tape would make good in silence, or would suffer from."""
        name, given = type(function).__name__, gradient.copy()
        found = function.gradients(gradient)
        if gradient.tobytes() != given.tobytes():
            self.problems.append(
                f"the rule of {name} wrote into the gradient it was given, which others use, too; compute grad * 2, "
                "not grad *= 2"
            )
        raw = function.backward(given.copy())
        for index, (x, g) in enumerate(
            zip(function.inputs, raw if isinstance(raw, tuple) else (raw,), strict=True)
        ):
            dtype = x.output_dtype if isinstance(x, Function) else getattr(x, "dtype", None)
            if g is None or dtype is None or dtype.kind != "f":
                continue
            if g.dtype.kind != "f" or g.dtype.itemsize < min(dtype.itemsize, given.dtype.itemsize):
                self.problems.append(
                    f"the rule of {name} gives {g.dtype} for input {index}, which is {dtype}: digits are lost"
                )
        return found

    def _jacobian(self, output: Tensor, place: Place) -> dict[int, Array]:
        """∂output/∂input for each input that a gradient reaches, of shape (output.size, input.size)."""
        sent, mixed = self._random(output, place)
        found = {key: np.zeros((output.size, self.checked[key][0].size)) for key in mixed}
        for row in range(output.size):
            one = np.zeros(output.size, output.dtype)
            one[row] = 1
            for key, g in self._back(output, one.reshape(output.shape)).items():
                found.setdefault(key, np.zeros((output.size, g.size)))[row] = g.reshape(-1)
        rounding = np.sqrt(np.finfo(output.dtype).eps)
        for key, jacobian in found.items():
            weights = sent.reshape(-1).astype(np.float64)
            with np.errstate(invalid="ignore"):
                allowed = rounding * (1 + np.abs(weights) @ np.abs(jacobian))
                apart = np.abs(weights @ jacobian - np.asarray(mixed.get(key, 0.0)).reshape(-1))
            if np.any(apart > allowed):
                self.problems.append(
                    f"the gradient at {self.checked[key][1]} is not linear in the gradient at {place}: a rule "
                    "multiplies the gradient that it is given with the derivative, once"
                )
        return found

    # --- by differences ---------------------------------------------------------------------------------

    def _differences(self, x: Tensor, at: Any, direction: Any) -> list[Array]:
        """(f(x + eps · direction) - f(x - eps · direction)) / (2 eps) of each output, x moved at `at` only."""
        above, below, step = self._sides(x, at, direction)
        with np.errstate(invalid="ignore"):
            return [(a - b) / step for a, b in zip(above, below, strict=True)]

    def _sides(self, x: Tensor, at: Any, direction: Any) -> tuple[list[Array], list[Array], float]:
        kept, eps = x.array[at].copy(), self.tolerance.eps
        try:
            x.array[at] = kept + eps * direction
            above = self._values()
            high = x.array[at].copy()
            x.array[at] = kept - eps * direction
            below = self._values()
            # One entry moves by what is left of eps after rounding; NaN, inf and huge numbers do not move.
            moved = 0.0 if np.ndim(direction) else float(high) - float(x.array[at])
            step = moved if moved > 0 else 2 * eps
        finally:
            x.array[at] = kept
        return [a.astype(np.float64) for a in above], [b.astype(np.float64) for b in below], step

    # --- side by side -----------------------------------------------------------------------------------

    def _jacobians(self, outputs: list[tuple[Tensor, Place]]) -> list[Comparison]:
        """Every entry of every Jacobian."""
        by_rules = [self._jacobian(*output) for output in outputs]
        found = []
        for key, (x, place) in self.checked.items():
            columns = [np.zeros((y.size, x.size)) for y, _ in outputs]
            for entry, at in enumerate(np.ndindex(x.shape)):
                for column, slope in zip(columns, self._differences(x, at, 1.0), strict=True):
                    column[:, entry] = slope.reshape(-1)
            for (y, of), rules, numeric in zip(outputs, by_rules, columns, strict=True):
                shape = (*y.shape, *x.shape)
                analytic = rules.get(key, np.zeros(numeric.shape)).reshape(shape)
                compared = Comparison(
                    of, place, analytic, numeric.reshape(shape), self.tolerance, key in rules
                )
                found.append(compared if compared.ok else self._with_slopes(compared, x))
        return found

    def _with_slopes(self, compared: Comparison, x: Tensor) -> Comparison:
        """The same, with the one-sided differences at the worst entry."""
        if compared.worst is None:
            return compared
        row, at = compared.worst
        here = self._values()[compared.output.index].astype(np.float64)
        above, below, step = self._sides(x, at, 1.0)
        k, half = compared.output.index, step / 2
        with np.errstate(invalid="ignore"):
            slopes = (float((here - below[k])[row] / half), float((above[k] - here)[row] / half))
        return compared.with_slopes(slopes)

    def _projections(self, outputs: list[tuple[Tensor, Place]]) -> list[Comparison]:
        """vᵀ J u of every Jacobian J, for random v and u: two calls for each input, one way back for each output."""
        by_rules = [self._random(*output) for output in outputs]
        found = []
        for key, (x, place) in self.checked.items():
            u = self.rng.normal(size=x.shape)
            u = u / max(float(np.linalg.norm(u)), 1e-300)
            slopes = self._differences(x, ..., u)
            for (_, of), (sent, rules), slope in zip(outputs, by_rules, slopes, strict=True):
                v = sent.astype(np.float64)
                analytic = np.sum(rules[key] * u) if key in rules else 0.0
                scale = float(np.abs(u).sum() * np.abs(v).sum())
                found.append(
                    Comparison(
                        of,
                        place,
                        np.asarray(analytic),
                        np.asarray(np.sum(slope * v)),
                        self.tolerance,
                        key in rules,
                        max(scale, 1.0),
                    )
                )
        return found


class _Stopped(Exception):  # noqa: N818  (it ends up in the report)
    def __init__(self, message: str, error: Exception | None = None) -> None:
        super().__init__(message)
        self.error = error


# A Tensor, its array, and its values and its gradient as they were.
Held = tuple[Tensor, Array, Array, Tensor | None]


@contextmanager
def left_alone(inputs: Sequence[Any]) -> Iterator[list[Held]]:
    """The Tensors among `inputs`, and their `.grad`, are after the block as they were before."""
    held = [(x, x.array, x.array.copy(), x._grad) for x in inputs if isinstance(x, Tensor)]
    try:
        yield held
    finally:
        for x, array, values, gradient in held:
            x.array, x._grad = array, gradient
            if array.tobytes() != values.tobytes():
                array[...] = values


def floating(x: Any) -> bool:
    """Whether x is a Tensor that could have a gradient."""
    return isinstance(x, Tensor) and x.dtype.kind == "f"


def outputs_of(returned: Any) -> list[Tensor]:
    """What a function returned, as a list of Tensors. Raises DTypeError for anything else."""
    outputs = list(returned) if isinstance(returned, tuple | list) else [returned]
    for x in outputs:
        if not isinstance(x, Tensor):
            raise DTypeError(f"gradcheck: func returns a Tensor or several, not {type(x).__name__}")
    return outputs


def _apart(a: Array, b: Array) -> float:
    """The largest difference; infinite for other shapes, or a NaN that the other does not have."""
    if a.shape != b.shape:
        return np.inf
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    with np.errstate(invalid="ignore"):
        difference = np.abs(a - b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    difference = np.where(same, 0, np.where(np.isnan(difference), np.inf, difference))
    return float(difference.max())
