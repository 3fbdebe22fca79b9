"""gradcheck: are the gradients the derivatives?

    gradcheck(func, inputs)          d func by the rules = (func(x + eps) - func(x - eps)) / (2 eps), entry by entry
    gradgradcheck(func, inputs)      the same for the gradients themselves, as functions of inputs and grad_outputs

>>> import numpy as np
>>> import tt_tensor as tt
>>> from tt_autograd.gradcheck import gradcheck_report
>>> class Cube(tt.Function):
...     def forward(self, x):
...         self.x = x
...         return x**3
...     def backward(self, grad):
...         return grad * 2 * self.x**2
>>> x = tt.tensor([0.5, 1.0], dtype=np.float64, requires_grad=True)
>>> print(gradcheck_report(Cube, x))
gradcheck: the gradient is not the derivative
input 0 (2,) float64 → output 0 (2,) float64: 2 of 4 entries are off
  worst: ∂output 0[1] / ∂input 0[1]
    by the rules         2
    central differences  3   (eps 1e-06)
    absolute error 1, relative 0.333; allowed 1e-05 + 0.001 · |central differences|
  hint: the gradient is 0.6667 times the derivative, everywhere
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tt_autograd import engine, views
from tt_autograd.comparing import Check, left_alone, outputs_of
from tt_autograd.errors import GradcheckError
from tt_autograd.gradcheck_report import GradcheckReport, Place, Tolerance
from tt_autograd.higher import OnTensors
from tt_autograd.modes import recorded
from tt_autograd.tape import start_gradient
from tt_tensor import Function, Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError
from tt_tensor.tensor import wrap

__all__ = ["gradcheck", "gradcheck_report", "gradgradcheck", "gradgradcheck_report"]

Func = Callable[..., Any]


def gradcheck(
    func: Any,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
) -> bool:
    """True if the gradients of `func` at `inputs` are its derivatives: |analytic - numeric| ≤ atol + rtol · |numeric|.

    Every entry of the Jacobian of each output with respect to each input that requires a gradient, against central
    differences. Besides: `func` and its rules give the same when called again; no input and no gradient that a rule
    was given is written to; what a rule sends back is linear in what it was sent, and of no narrower dtype.
    Inputs, and everybody's `.grad`, are afterwards as they were, also where the check fails.

    Args:
        func: takes the inputs, returns a Tensor or several. A Function subclass may stand for what it computes.
        inputs: a Tensor, or a tuple of Tensors and constants. Those that require a gradient are checked; float64.
        eps: the step of the differences.
        atol: absolute tolerance.
        rtol: relative tolerance.
        raise_exception: False returns False for a wrong gradient, instead of raising.
        nondet_tol: by how much two calls may differ.
        fast_mode: one random projection of each Jacobian instead of all entries: a few calls, whatever the size.

    Raises GradcheckError whose message shows the worst entry, and whose `report` holds the figures. DTypeError where
    `eps` is lost in the rounding of the dtype (float32), ArgumentError where no input requires a gradient or one
    shares memory with itself or another, whatever `raise_exception` says.
    """
    tolerance = Tolerance(eps, atol, rtol)
    return _verdict(
        gradcheck_report(func, inputs, **vars(tolerance), nondet_tol=nondet_tol, fast_mode=fast_mode),
        raise_exception,
    )


def gradcheck_report(
    func: Any,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
) -> GradcheckReport:
    """What `gradcheck` found, right or wrong: both Jacobians of each pair of input and output, and a text to print."""
    call, given = _callable(func), _tuple(inputs)
    places, tolerance = _places("input", given), Tolerance(eps, atol, rtol)
    _check_memory(given, places, tolerance)
    check = Check("gradcheck", call, call, given, places, "output {}".format, tolerance, nondet_tol)
    return check.report(fast_mode)


def gradgradcheck(
    func: Any,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
) -> bool:
    """True if the second derivatives are right: those of func's gradients, with respect to `inputs` and `grad_outputs`.

    The gradients are taken with create_graph=True and gone back through; the differences are those of gradients
    taken without, so that a composite is held against the fast rule that it stands for, and their values, too.

    Args:
        func: as in `gradcheck`.
        inputs: as in `gradcheck`.
        grad_outputs: the gradient at each floating output; random ones by default, which are checked, too.
        eps: the step of the differences.
        atol: absolute tolerance.
        rtol: relative tolerance.
        gen_non_contig_grad_outputs: make the random ones so that they do not lie in one row of memory.
        raise_exception: False returns False for a wrong gradient, instead of raising.
        nondet_tol: by how much two calls may differ.
        fast_mode: one random projection of each Jacobian instead of all entries.

    Raises as `gradcheck`; GradientError where no output of `func` has a gradient.
    """
    tolerance = Tolerance(eps, atol, rtol)
    report = gradgradcheck_report(
        func,
        inputs,
        grad_outputs,
        **vars(tolerance),
        gen_non_contig_grad_outputs=gen_non_contig_grad_outputs,
        nondet_tol=nondet_tol,
        fast_mode=fast_mode,
    )
    return _verdict(report, raise_exception)


def gradgradcheck_report(
    func: Any,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
) -> GradcheckReport:
    """What `gradgradcheck` found, right or wrong."""
    call, given = _callable(func), _tuple(inputs)
    wanted = [index for index, x in enumerate(given) if _checked(x)]
    with recorded(), left_alone(given):
        outputs = _collecting(call(*given))
    sent = _sent(outputs, grad_outputs, gen_non_contig_grad_outputs)

    def gradients(*args: Any, create_graph: bool) -> list[Tensor]:
        outputs = _collecting(call(*args[: len(given)]))
        return _gradients(outputs, [args[index] for index in wanted], args[len(given) :], create_graph)

    places = [*_places("input", given), *_places("gradient at output", sent)]
    tolerance = Tolerance(eps, atol, rtol)
    _check_memory((*given, *sent), places, tolerance)
    check = Check(
        "gradgradcheck",
        partial(gradients, create_graph=True),
        partial(gradients, create_graph=False),
        (*given, *sent),
        places,
        lambda index: f"gradient at input {wanted[index]}",
        tolerance,
        nondet_tol,
    )
    return check.report(fast_mode)


def _verdict(report: GradcheckReport, raise_exception: bool) -> bool:
    if raise_exception and not report.ok:
        error = GradcheckError(str(report))
        error.report = report
        raise error from report.cause
    return report.ok


# --- what is checked --------------------------------------------------------------------------------------


def _callable(func: Any) -> Func:
    """`func`, or the application of a Function, a new instance each time."""
    if isinstance(func, type) and issubclass(func, Function):
        return lambda *inputs: func()(*inputs)
    if isinstance(func, Function):
        return lambda *inputs: views.again(func)(*inputs)
    if not callable(func):
        raise DTypeError(f"gradcheck: func is a function of the inputs, not {type(func).__name__}")
    return func  # type: ignore[no-any-return]


def _tuple(inputs: Any) -> tuple[Any, ...]:
    given = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    if not any(_checked(x) for x in given):
        raise ArgumentError(
            "gradcheck: no input requires a gradient, so there is nothing to check; set requires_grad=True on "
            "those that are to be"
        )
    return given


def _checked(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _places(what: str, tensors: Sequence[Any]) -> list[Place]:
    return [
        Place(f"{what} {index}", index, getattr(x, "shape", ()), getattr(x, "dtype", np.dtype(object)))
        for index, x in enumerate(tensors)
    ]


def _collecting(returned: Any) -> list[Tensor]:
    found = [x for x in outputs_of(returned) if x.requires_grad]
    if not found:
        raise GradientError(
            "gradgradcheck: no output of func has a gradient, so it has no second one; what does gradcheck say?"
        )
    return found


def _gradients(
    outputs: list[Tensor], inputs: list[Tensor], sent: Sequence[Any], create_graph: bool
) -> list[Tensor]:
    """The gradient at each input, with the others held constant: one may be the result of another."""
    starts = []
    for y, g in zip(outputs, sent, strict=True):
        start = start_gradient(y, g, "gradgradcheck")
        tensor = start if isinstance(start, Tensor) else wrap(start)
        starts.append((views.edge(views.refreshed(y)), tensor if create_graph else tensor.array))
    places = {index: views.edge(views.refreshed(x)) for index, x in enumerate(inputs)}
    rule = OnTensors() if create_graph else Function.fitted_gradients
    found = engine.partial(starts, places, rule=rule, retain=True)
    none = [np.zeros(x.shape, x.dtype) for x in inputs]
    gradients = [found.get(index, none[index]) for index in places]
    return [g if isinstance(g, Tensor) else wrap(np.asarray(g)) for g in gradients]


def _sent(outputs: list[Tensor], given: Any, strided: bool) -> tuple[Tensor, ...]:
    """The gradients at the outputs: those given, checked, or random ones."""
    if given is not None:
        sent = tuple(given) if isinstance(given, tuple | list) else (given,)
        if [getattr(x, "shape", None) for x in sent] != [x.shape for x in outputs]:
            raise ArgumentError(
                f"gradgradcheck: grad_outputs is one Tensor for each output with a gradient, of the shapes "
                f"{[x.shape for x in outputs]}"
            )
        return sent
    rng = np.random.default_rng(0)
    made = []
    for x in outputs:
        values = rng.normal(size=(*x.shape, 2)).astype(x.dtype)[..., 0]
        made.append(wrap(values if strided else values.copy()).requires_grad_())
    return tuple(made)


def _check_memory(inputs: Sequence[Any], places: Sequence[Place], tolerance: Tolerance) -> None:
    """Refuse what cannot be moved entry by entry, or not by so little."""
    checked = [(x, place) for x, place in zip(inputs, places, strict=True) if _checked(x)]
    for index, (x, place) in enumerate(checked):
        tolerance.check(place)
        if not x.array.flags.writeable or (x.size > 1 and 0 in x.strides):
            raise ArgumentError(
                f"gradcheck: {place} is read-only, or several of its elements are one in memory, so one cannot be "
                "moved alone; clone() it first"
            )
        for y, other in checked[:index]:
            if x is not y and np.shares_memory(x.array, y.array):
                raise ArgumentError(
                    f"gradcheck: {other} and {place} show the same memory, so one cannot be moved alone; clone() one"
                )
