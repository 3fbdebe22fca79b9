"""Check a Function's rule against its formula; for the suites of the tt wheels, and for Functions of your own.

    from tt_tensor.testing import check_rule
    check_rule(MyFunction, np.random.default_rng(0).normal(size=(3, 4)))

The rule is held against central differences of the forward, in float64, with PyTorch's gradcheck tolerances;
the same rule must give the same values when it is handed Tensors, because that is how higher derivatives are
taken; and neither forward nor rule may change what it was given.
"""

from __future__ import annotations

import copy
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from tt_tensor import recorder
from tt_tensor.errors import TTError
from tt_tensor.function import Function
from tt_tensor.tensor import Tensor, from_numpy

__all__ = [
    "Case",
    "RuleError",
    "binary_cases",
    "check_dtypes",
    "check_on_tensors",
    "check_rule",
    "functions_of",
    "sample",
    "unary_cases",
]

EPS, ATOL, RTOL = 1e-6, 1e-5, 1e-3  # torch.autograd.gradcheck's defaults


class RuleError(TTError, AssertionError):
    """A rule disagrees with its formula."""


@dataclass(frozen=True)
class Case:
    """A Function to apply, and to what. An array that appears twice is one operand used twice."""

    name: str
    make: Callable[[], Function]
    inputs: tuple[Any, ...]

    def __str__(self) -> str:
        return self.name


def functions_of(package: ModuleType) -> list[type[Function]]:
    """Every Function that `package` and its submodules define; names with a leading underscore are left out."""
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[Function]] = []
    queue = list(Function.__subclasses__())
    while queue:
        cls = queue.pop()
        queue += cls.__subclasses__()
        inside = cls.__module__ == package.__name__ or cls.__module__.startswith(package.__name__ + ".")
        if inside and not cls.__name__.startswith("_") and cls not in found:
            found.append(cls)
    return sorted(found, key=lambda cls: (cls.__module__, cls.__name__))


def sample(shape: tuple[int, ...], seed: int = 0, low: float = -2.0, high: float = 2.0) -> Any:
    """Distinct float64 values in [low, high], at least (high - low) / (4 · size) apart, in random order.

    Distinct, so that no max is tied and no kink is closer than the step of a difference.
    """
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    steps = (np.arange(size) + rng.uniform(0.25, 0.75, size)) / max(size, 1)
    return (low + (high - low) * rng.permutation(steps)).reshape(shape)


def layouts(shape: tuple[int, ...], seed: int, low: float, high: float) -> Iterator[tuple[str, Any]]:
    """The same kind of values in memory orders that differ: Fortran, reversed, every second, broadcast."""
    x = sample(shape, seed, low, high)
    yield "fortran", np.asfortranarray(x)
    yield "reversed", x[tuple(slice(None, None, -1) for _ in shape)]
    yield "strided", sample((*shape[:-1], 2 * shape[-1]), seed, low, high)[..., ::2]


def unary_cases(
    make: Callable[[], Function], low: float = -2.0, high: float = 2.0, *, least_rank: int = 0
) -> list[Case]:
    """Cases for a Function of one array: ranks 0 to 4, 0-size, and memory layouts; 21 or more."""
    shapes = [
        (), (1,), (5,), (0,), (1, 1), (3, 4), (4, 3), (0, 3), (3, 0), (1, 5), (5, 1),
        (2, 3, 4), (2, 0, 3), (1, 1, 1), (3, 1, 2), (2, 1, 3, 2), (1, 2, 2, 1), (2, 2, 2, 2),
    ]  # fmt: skip
    cases = [
        Case(f"{shape}", make, (sample(shape, seed, low, high),))
        for seed, shape in enumerate(shapes)
        if len(shape) >= least_rank
    ]
    for seed, shape in enumerate([(4, 3), (2, 3, 4), (3, 2, 2, 2)]):
        cases += [Case(f"{shape} {kind}", make, (x,)) for kind, x in layouts(shape, seed, low, high)]
    return cases


def binary_cases(
    make: Callable[[], Function],
    low: float = -2.0,
    high: float = 2.0,
    low2: float | None = None,
    high2: float | None = None,
) -> list[Case]:
    """Cases for a Function of two arrays: equal shapes, every kind of broadcasting, one operand twice."""
    low2, high2 = low if low2 is None else low2, high if high2 is None else high2
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((), ()), ((3,), ()), ((), (3,)), ((3,), (3,)), ((3,), (1,)), ((1,), (3,)), ((2, 3), (2, 3)),
        ((2, 3), (3,)), ((3,), (2, 3)), ((2, 3), (2, 1)), ((2, 1), (1, 3)), ((2, 3), ()), ((0,), (1,)),
        ((0, 3), (3,)), ((2, 0), (2, 1)), ((1, 1), (2, 3, 4)), ((2, 3, 4), (3, 1)), ((2, 1, 4), (3, 1)),
        ((2, 1, 3, 1), (2, 1, 3)), ((1, 2, 1, 2), (2, 1, 2, 1)), ((3, 0, 2), (1, 2)),
    ]  # fmt: skip
    cases = [
        Case(f"{a} {b}", make, (sample(a, 2 * seed, low, high), sample(b, 2 * seed + 1, low2, high2)))
        for seed, (a, b) in enumerate(pairs)
    ]
    for kind, x in layouts((3, 4), 50, low, high):
        cases.append(Case(f"(3, 4) {kind}", make, (x, sample((4,), 51, low2, high2))))
    for shape in ((), (3,), (2, 3), (0, 2)):
        both = sample(shape, 60, max(low, low2), min(high, high2))
        cases.append(Case(f"{shape} twice", make, (both, both)))
    return cases


def _apply(make: Callable[[], Function], inputs: tuple[Any, ...]) -> tuple[Function, Tensor, list[Any]]:
    function = make()
    tensors = [from_numpy(x) if isinstance(x, np.ndarray) else x for x in inputs]
    return function, function(*tensors), tensors


def check_rule(
    make: Callable[[], Function],
    *inputs: Any,
    eps: float = EPS,
    atol: float = ATOL,
    rtol: float = RTOL,
    seed: int = 0,
) -> None:
    """Hold the rule of `make()` against central differences of Σ cotangent · forward(inputs).

    (f(x + eps) - f(x - eps)) / (2 eps), entry by entry, for every float64 input; a random cotangent, so that no
    entry of the output is ignored. An array given twice gets the sum of both gradients.

    Raises RuleError with the input, the worst entry and both values; or where forward or rule changed an
    array that it was given, or a gradient has the wrong shape or dtype.
    """
    inputs = tuple(np.array(x) if isinstance(x, float | np.floating) else x for x in inputs)
    # Work on copies in the same layout, and keep the originals to see that nothing was written.
    copies: dict[int, Any] = {
        id(x): copy.deepcopy(x) if not isinstance(x, np.ndarray) else _same_layout(x) for x in inputs
    }
    working = tuple(copies[id(x)] for x in inputs)
    function, output, _ = _apply(make, working)
    name = type(function).__name__
    grad = np.random.default_rng(seed).normal(size=output.shape).astype(output.dtype)
    given = grad.copy()
    grads = function.gradients(grad)
    if not np.array_equal(grad, given):
        raise RuleError(f"{name}: the rule wrote into the gradient it was given")
    again = function.gradients(grad)
    for index, x in enumerate(inputs):
        if isinstance(x, np.ndarray) and not np.array_equal(x, working[index], equal_nan=x.dtype.kind == "f"):
            raise RuleError(f"{name}: input {index} was changed")
        if (grads[index] is None) != (again[index] is None) or (
            grads[index] is not None and not np.array_equal(grads[index], again[index], equal_nan=True)
        ):
            raise RuleError(f"{name}: the rule gives input {index} something else when it is called again")

    def value() -> float:
        # A fresh application each time; float64 accumulates the dot product.
        return float(np.sum(_apply(make, working)[1].array * given, dtype=np.float64))

    for x in {id(x): x for x in inputs}.values():
        if not isinstance(x, np.ndarray) or x.dtype != np.float64:
            continue
        positions = [index for index, other in enumerate(inputs) if other is x]
        found = [grads[index] for index in positions if grads[index] is not None]
        for g in found:
            if not isinstance(g, np.ndarray | np.floating) or g.shape != x.shape or g.dtype != x.dtype:
                raise RuleError(f"{name}: gradient of input {positions} is {g!r}, not {x.shape} {x.dtype}")
        rule = sum(found) if found else np.zeros_like(x)
        moved = copies[id(x)]
        wanted = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            moved[place] = x[place] + eps
            above = value()
            moved[place] = x[place] - eps
            wanted[place] = (above - value()) / (2 * eps)
            moved[place] = x[place]
        off = np.abs(rule - wanted) - (atol + rtol * np.abs(wanted))
        if not np.all(off <= 0):  # a NaN is not <= 0 either
            worst = np.unravel_index(np.argmax(np.where(np.isnan(off), np.inf, off)), x.shape)
            raise RuleError(
                f"{name}: gradient of input {positions} of shape {x.shape} at {tuple(map(int, worst))}: "
                f"the rule gives {np.asarray(rule)[worst]:.9g}, central differences {wanted[worst]:.9g}"
            )


def _same_layout(x: Any) -> Any:
    """A copy with the same strides as `x` (a broadcast axis becomes a real one)."""
    out = np.empty_like(x, order="K")
    if x.ndim and x.size and any(stride < 0 for stride in x.strides):
        flips = tuple(slice(None, None, -1) if stride < 0 else slice(None) for stride in x.strides)
        out = np.empty_like(x[flips], order="K")[flips]
    elif x.ndim and x.size and not x.flags.forc and 0 not in x.strides:
        wide = np.empty((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        out = wide[..., ::2]
    out[...] = x
    return out


class _Refuse:
    """A recorder that records nothing; with it in the slot, an operation without a rule refuses a Tensor
    that requires a gradient."""

    def record(self, function: Function, inputs: tuple[Any, ...], output: Tensor) -> bool:
        output._requires_grad = output.dtype.kind == "f"
        return False

    def before_write(self, target: Tensor) -> bool:
        raise RuleError("a rule wrote into a Tensor in place; rules are pure")

    def recording(self) -> bool:
        return True

    def backward(self, *args: Any) -> None:
        raise RuleError("a rule called backward")

    settle = retain_grad = register_hook = backward


def check_on_tensors(make: Callable[[], Function], *inputs: Any, rtol: float = 1e-12) -> None:
    """The rule, handed Tensors, gives Tensors with the values that it gives for arrays.

    This is what makes every order of derivative possible: `forward` of a fresh instance runs on the input
    Tensors, then the rule runs on what it saved and on a Tensor gradient, and each step is an operation that
    can be recorded. A Function with a `composite` is checked through that instead: same value as forward.

    Raises RuleError where values differ, where an array was returned, or where an operation without a rule
    was used on the way.
    """
    function, output, tensors = _apply(make, inputs)
    name = type(function).__name__
    previous = recorder.install(_Refuse())
    try:
        for x in tensors:
            if isinstance(x, Tensor) and x.dtype.kind == "f":
                x.requires_grad = True
        if function.composite is not None:
            composed = make().composite(*tensors)  # type: ignore[misc]
            if not isinstance(composed, Tensor) or not np.allclose(
                composed, output, 1e-9, 1e-12, equal_nan=True
            ):
                raise RuleError(f"{name}: its composite gives {composed!r}, forward {output!r}")
            return
        grad = np.random.default_rng(0).normal(size=output.shape).astype(output.dtype)
        wanted = function.gradients(grad)
        second = make()
        second.inputs, second.stamp, second.output_shape = tuple(tensors), function.stamp, output.shape
        second.forward(*tensors)
        cotangent = from_numpy(grad.copy()).requires_grad_(output.dtype.kind == "f")
        for index, (g, w) in enumerate(zip(second.gradients(cotangent), wanted, strict=True)):
            if (g is None) != (w is None):
                raise RuleError(f"{name}: input {index}: {g!r} for Tensors, {w!r} for arrays")
            if g is not None and not isinstance(g, Tensor):
                raise RuleError(
                    f"{name}: given Tensors, the gradient of input {index} is a {type(g).__name__}"
                )
            if g is not None and not np.allclose(g.array, w, rtol, 1e-14, equal_nan=True):
                raise RuleError(f"{name}: input {index}: {g!r} for Tensors, {w!r} for arrays")
    finally:
        recorder.install(previous)


def check_dtypes(make: Callable[[], Function], *inputs: Any) -> None:
    """float32 in, float32 out, float32 back; float64 likewise. Raises RuleError if not.

    A Function that was told a `dtype` (a cast) gives that one instead.
    """
    for dtype in (np.float32, np.float64):
        cast = [x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in inputs]
        function, output, _ = _apply(make, tuple(cast))
        name = type(function).__name__
        told = getattr(function, "dtype", None)
        if output.dtype.kind == "f" and output.dtype != (dtype if told is None else told):
            raise RuleError(f"{name}: {np.dtype(dtype)} in, {output.dtype} out")
        if output.dtype.kind == "f":
            raw = function.backward(np.ones(output.shape, dtype))
            for g in raw if isinstance(raw, tuple) else (raw,):
                if g is not None and g.dtype.kind == "f" and g.dtype != dtype:
                    raise RuleError(f"{name}: {np.dtype(dtype)} in, its rule gives {g.dtype}")
