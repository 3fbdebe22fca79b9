"""Derivatives of functions: vjp, jvp, jacobian, hessian, hvp, under PyTorch's names (torch.autograd.functional).

For f: Rⁿ → Rᵐ with Jacobian J (m, n), and for a number of many variables f: Rⁿ → R with Hessian H (n, n):

    vjp(f, x, v)      vᵀ J      v of the output's shape     one way back: reverse mode
    jvp(f, x, v)      J v       v of the input's shape      one pass along: forward mode
    jacobian(f, x)    J         m ways back, or n passes along
    hvp(f, x, v)      H v       the gradient's way back once more: about twice a gradient
    hessian(f, x)     H         n such products

`func` takes Tensors and returns a Tensor or several; `inputs` is a Tensor or a tuple of them. Results come in the
same form: a Tensor for a Tensor, a tuple for a tuple. Nobody's `.grad` changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tt_autograd.backward import grad
from tt_autograd.forward_mode import ForwardModeError, Tangents
from tt_autograd.modes import recorded
from tt_tensor import Tensor, stack
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, InPlaceError, ShapeError
from tt_tensor.tensor import as_array, wrap

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Func = Callable[..., Any]


def vjp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), vᵀ J): how the outputs, weighted by v, depend on each input. One way back.

    Args:
        v: of the shape of the outputs, a Tensor or a tuple; may be left out where the output is a single number.
        create_graph: whether the results can be differentiated again (with respect to `inputs` and v, too).
        strict: raise where an output does not depend on an input, instead of giving zeros.

    Raises ShapeError for a v that does not fit, GradientError where `strict` finds independence.
    """
    xs, one = _inputs("vjp", inputs, create_graph)
    with recorded():
        ys, one_out = _outputs("vjp", func(*xs))
    vs = _cotangents("vjp", v, ys)
    found = _pulled("vjp", ys, xs, vs, create_graph, strict)
    return _form(_let_go(ys, create_graph), one_out), _form(found, one)


def jvp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), J v): how the outputs move when the inputs move along v. One pass along, nothing kept.

    With `create_graph` or `strict`, or where `func` writes in place or takes gradients itself, it is two ways back
    instead: vᵀJ is linear in v, and its derivative along v is J v.

    Args:
        v: of the shape of the inputs, a Tensor or a tuple; may be left out where the input is a single number.

    Otherwise as `vjp`.
    """
    xs, _ = _inputs("jvp", inputs, create_graph)
    vs = _tangents("jvp", v, xs)
    if create_graph or strict:
        ys, found, one_out = _along_by_two_ways_back("jvp", func, xs, vs, create_graph, strict)
    else:
        ys, found, one_out = _along("jvp", func, xs, vs)
    return _form(ys, one_out), _form(found, one_out)


def jacobian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """J: for each output and each input the derivative, of shape (*output.shape, *input.shape).

    A Tensor for one output and one input; a tuple over the inputs, or over the outputs, or over the outputs of tuples
    over the inputs, where there are several.

    Args:
        strategy: "reverse-mode": one way back for each element of the outputs, over one forward. "forward-mode": one
            pass along for each element of the inputs. The first is cheaper for few outputs, the second for few inputs.
        vectorize: taken so that PyTorch's calls need no change.
        create_graph, strict: as for `vjp`, in reverse mode only.

    Raises ArgumentError for an unknown strategy, or forward mode with `create_graph` or `strict`.
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ArgumentError(f"jacobian: strategy is 'reverse-mode' or 'forward-mode', not {strategy!r}")
    xs, one = _inputs("jacobian", inputs, create_graph)
    if strategy == "forward-mode":
        if create_graph or strict:
            what = "create_graph" if create_graph else "strict"
            raise ArgumentError(f"jacobian: {what}=True goes with strategy='reverse-mode'")
        rows, one_out = _columns(func, xs)
    else:
        with recorded():
            ys, one_out = _outputs("jacobian", func(*xs))
        rows = [_rows(index, y, xs, create_graph, strict) for index, y in enumerate(ys)]
    parts = [_form(row, one) for row in rows]
    return parts[0] if one_out else tuple(parts)


def hessian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """H: the second derivatives of a function with one number as its output, of shape (*input.shape, *input.shape).

    A tuple of tuples where there are several inputs. The Jacobian of the gradient.

    Raises ShapeError where the output is not a single number.
    """
    one = not isinstance(inputs, tuple | list)

    def gradient(*xs: Tensor) -> Any:
        ys, _ = _outputs("hessian", func(*xs))
        _single("hessian", ys)
        return tuple(_pulled("hessian", ys, list(xs), [None], True, strict))

    found = jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return found[0] if one else found


def hvp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), H v): how the gradient of a number moves along v, without the Hessian: ∇⟨∇f, v⟩.

    Args:
        v: of the shape of the inputs; may be left out where the input is a single number.

    Raises ShapeError where the output is not a single number, or v does not fit. Source: B. Pearlmutter, "Fast exact
    multiplication by the Hessian", 1994.
    """
    xs, one = _inputs("hvp", inputs, create_graph)
    vs = _tangents("hvp", v, xs)
    with recorded():
        ys, one_out = _outputs("hvp", func(*xs))
        _single("hvp", ys)
        slopes = _pulled("hvp", ys, xs, [None], True, strict)
        moved = [(g, t) for g, t in zip(slopes, vs, strict=True) if g._requires_grad]
        found = [wrap(np.zeros(x.shape, x.dtype)) for x in xs]
        if moved:
            outputs, along = [g for g, _ in moved], [t for _, t in moved]
            found = list(
                grad(outputs, xs, along, create_graph=create_graph, retain_graph=True, materialize_grads=True)
            )
    return _form(_let_go(ys, create_graph), one_out), _form(found, one)


def vhp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), vᵀ H): the same as `hvp`, since a Hessian is symmetric."""
    return hvp(func, inputs, v, create_graph, strict)


# --- rows and columns -------------------------------------------------------------------------------------


def _rows(index: int, y: Tensor, xs: list[Tensor], create_graph: bool, strict: bool) -> list[Tensor]:
    """The Jacobian of one output by rows: a way back for each of its elements."""
    rows: list[list[Tensor]] = []
    for place in np.ndindex(y.shape):
        one_hot = np.zeros(y.shape, y.dtype)
        one_hot[place] = 1
        rows.append(_pulled("jacobian", [y], xs, [wrap(one_hot)], create_graph, strict, index))
    if not rows:
        return [wrap(np.zeros((*y.shape, *x.shape), x.dtype)) for x in xs]
    columns = zip(*rows, strict=True)
    return [stack(list(column)).reshape((*y.shape, *x.shape)) for column, x in zip(columns, xs, strict=True)]


def _columns(func: Func, xs: list[Tensor]) -> tuple[list[list[Tensor]], bool]:
    """The Jacobians of all outputs by columns: a pass along for each element of the inputs."""
    still = [wrap(np.zeros(x.shape, x.dtype)) for x in xs]
    passes: list[list[Tensor]] = []
    for index, x in enumerate(xs):
        for place in np.ndindex(x.shape):
            one_hot = np.zeros(x.shape, x.dtype)
            one_hot[place] = 1
            direction = [*still[:index], wrap(one_hot), *still[index + 1 :]]
            ys, moves, one_out = _along("jacobian", func, xs, direction)
            passes.append(moves)
    if not passes:
        ys, _, one_out = _along("jacobian", func, xs, still)
    ends = np.cumsum([x.size for x in xs])[:-1]
    rows = []
    for number, y in enumerate(ys):
        columns = [moves[number].array for moves in passes]
        whole = np.stack(columns, axis=-1) if columns else np.zeros((*y.shape, 0))
        parts = zip(np.split(whole, ends, axis=-1), xs, strict=True)
        rows.append([wrap(part.reshape((*y.shape, *x.shape)).astype(x.dtype)) for part, x in parts])
    return rows, one_out


def _along(
    what: str, func: Func, xs: list[Tensor], vs: list[Tensor]
) -> tuple[list[Tensor], list[Tensor], bool]:
    """Outputs, their tangents, and whether it is one output: forward mode where it can, two ways back where not."""
    tangents = Tangents()
    moving = [wrap(x.array) for x in xs]
    for x, v in zip(moving, vs, strict=True):
        tangents[x] = v.array
    try:
        with tangents.travel():
            ys, one = _outputs(what, func(*moving))
    except (ForwardModeError, InPlaceError):
        leaves = [x.detach().requires_grad_() for x in xs]
        return _along_by_two_ways_back(what, func, leaves, vs, False, False)
    found = [tangents.get(y) for y in ys]
    return (
        [y.detach() for y in ys],
        [
            wrap(np.zeros(y.shape, y.dtype) if t is None else np.array(t))
            for y, t in zip(ys, found, strict=True)
        ],
        one,
    )


def _along_by_two_ways_back(
    what: str, func: Func, xs: list[Tensor], vs: list[Tensor], create_graph: bool, strict: bool
) -> tuple[list[Tensor], list[Tensor], bool]:
    """The same as the derivative of u ↦ Jᵀu, which is linear, along v."""
    with recorded():
        ys, one = _outputs(what, func(*xs))
        us = [wrap(np.zeros(y.shape, y.dtype)).requires_grad_() for y in ys]
        pulled = _pulled(what, ys, xs, us, True, strict)
        moved = [(g, v) for g, v in zip(pulled, vs, strict=True) if g._requires_grad]
        found = [wrap(np.zeros(y.shape, y.dtype)) for y in ys]
        if moved:
            outputs, along = [g for g, _ in moved], [v for _, v in moved]
            found = list(
                grad(outputs, us, along, create_graph=create_graph, retain_graph=True, materialize_grads=True)
            )
    return _let_go(ys, create_graph), found, one


def _pulled(
    what: str,
    ys: list[Tensor],
    xs: list[Tensor],
    vs: Sequence[Any],
    create_graph: bool,
    strict: bool,
    first: int = 0,
) -> list[Tensor]:
    """vᵀ J for each input; zeros where no output depends on it. The outputs are counted from `first`."""
    outputs = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    found: Sequence[Any] = [None] * len(xs)
    if outputs:
        found = grad(
            [y for y, _ in outputs],
            xs,
            [v for _, v in outputs],
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
    if strict:
        for index, y in enumerate(ys, first):
            if not y.requires_grad:
                raise GradientError(
                    f"{what}: output {index} depends on no input, and strict=True asks for it"
                )
        for index, g in enumerate(found):
            if g is None:
                raise GradientError(
                    f"{what}: no output depends on input {index}, and strict=True asks for it"
                )
    return [wrap(np.zeros(x.shape, x.dtype)) if g is None else g for x, g in zip(xs, found, strict=True)]


# --- what comes in and goes out ---------------------------------------------------------------------------


def _inputs(what: str, inputs: Any, create_graph: bool) -> tuple[list[Tensor], bool]:
    """The inputs as Tensors that want a gradient, and whether it was one alone."""
    one = not isinstance(inputs, tuple | list)
    xs = []
    for index, x in enumerate((inputs,) if one else inputs):
        if not isinstance(x, Tensor):
            raise DTypeError(f"{what}: input {index} is a {type(x).__name__}; give Tensors")
        if x.dtype.kind != "f":
            raise DTypeError(
                f"{what}: input {index} is {x.dtype}, which has no derivative; use astype('float64') first"
            )
        if create_graph and x.requires_grad:
            with recorded():
                xs.append(x.view(x.shape))  # a result of its own, connected with x
        else:
            xs.append(x.detach().requires_grad_())
    if not xs:
        raise ArgumentError(f"{what}: no inputs were given")
    return xs, one


def _outputs(what: str, outputs: Any) -> tuple[list[Tensor], bool]:
    one = isinstance(outputs, Tensor)
    ys = [outputs] if one else list(outputs) if isinstance(outputs, tuple | list) else []
    for y in ys:
        if not isinstance(y, Tensor) or y.dtype.kind != "f":
            kind = str(y.dtype) if isinstance(y, Tensor) else type(y).__name__
            raise DTypeError(f"{what}: func gives a {kind}; it must give floating Tensors")
    if not ys:
        raise DTypeError(
            f"{what}: func gives {type(outputs).__name__}; it must give a Tensor or a tuple of them"
        )
    return ys, one


def _vectors(what: str, v: Any, like: list[Tensor], of: str) -> list[Tensor]:
    given = list(v) if isinstance(v, tuple | list) and len(like) != 1 else [v]
    if isinstance(v, tuple | list) and len(like) == 1 and len(v) == 1 and isinstance(v[0], Tensor):
        given = list(v)
    if len(given) != len(like):
        raise ShapeError(
            f"{what}: v has {len(given)} parts for {len(like)} {of}s; give a tuple with one for each"
        )
    found = []
    for index, (part, x) in enumerate(zip(given, like, strict=True)):
        t = part if isinstance(part, Tensor) else wrap(as_array(part, what))
        if t.shape != x.shape:
            raise ShapeError(
                f"{what}: v has shape {t.shape} where {of} {index} has {x.shape}; they must be equal"
            )
        found.append(t if t.dtype == x.dtype else t.astype(x.dtype))
    return found


def _cotangents(what: str, v: Any, ys: list[Tensor]) -> list[Any]:
    if v is None:
        _single(what, ys)
        return [None]
    return _vectors(what, v, ys, "output")


def _tangents(what: str, v: Any, xs: list[Tensor]) -> list[Tensor]:
    if v is None:
        if len(xs) != 1 or xs[0].size != 1:
            raise ShapeError(
                f"{what}: v may be left out only where the input is a single number; give one of its shape"
            )
        return [wrap(np.ones(xs[0].shape, xs[0].dtype))]
    return _vectors(what, v, xs, "input")


def _single(what: str, ys: list[Tensor]) -> None:
    if len(ys) != 1 or ys[0].size != 1:
        shapes = ", ".join(str(y.shape) for y in ys)
        raise ShapeError(
            f"{what}: func must give a single number here, but gives shape {shapes}; reduce it, or give v"
        )


def _form(found: Sequence[Any], one: bool) -> Any:
    return found[0] if one else tuple(found)


def _let_go(ys: list[Tensor], create_graph: bool) -> list[Tensor]:
    return ys if create_graph else [y.detach() for y in ys]
