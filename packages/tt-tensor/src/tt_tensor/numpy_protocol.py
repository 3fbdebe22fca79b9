"""NumPy's functions on Tensors: `np.exp(t)` is `tt_tensor.exp(t)`, so it has a gradient.

NumPy asks the Tensor (NEP 13 for ufuncs, NEP 18 for the rest) and the tables here answer with the operation
of the same meaning. This is also how a rule builds the graph of its own derivative: its lines are NumPy's,
and given Tensors they arrive here.

What has no rule, or is asked for in a way that the rule does not know (`out=`, `where=`, `dtype=` …), is computed
on the arrays, every argument honoured. While somebody records and a gradient is wanted, floating results of that
kind are an error: the graph is never cut in silence. What carries no gradient (comparisons, shapes, indices,
`np.allclose`, `np.save`) always works. An array comes back as a Tensor, a number or a bool as NumPy gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

import tt_tensor
from tt_tensor import memory, recorder
from tt_tensor.dtypes import is_supported
from tt_tensor.errors import (
    ArgumentError,
    AxisError,
    DTypeError,
    GradientError,
    IndexingError,
    InPlaceError,
    ShapeError,
    TTError,
)
from tt_tensor.ops.padding import MODES
from tt_tensor.tensor import Tensor, as_tensor, wrap

__all__ = ["call_function", "call_ufunc"]

# ufunc → the name of the operation in tt_tensor
UFUNCS: dict[np.ufunc, str] = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.true_divide: "div",
    np.power: "pow",
    np.floor_divide: "floor_divide",
    np.remainder: "remainder",
    np.negative: "neg",
    np.positive: "positive",
    np.absolute: "abs",
    np.sign: "sign",
    np.square: "square",
    np.reciprocal: "reciprocal",
    np.exp: "exp",
    np.expm1: "expm1",
    np.log: "log",
    np.log2: "log2",
    np.log10: "log10",
    np.log1p: "log1p",
    np.sqrt: "sqrt",
    np.sin: "sin",
    np.cos: "cos",
    np.tanh: "tanh",
    np.tan: "tan",
    np.sinh: "sinh",
    np.cosh: "cosh",
    np.arcsin: "asin",
    np.arccos: "acos",
    np.arctan: "atan",
    np.arctan2: "atan2",
    np.arcsinh: "asinh",
    np.arccosh: "acosh",
    np.arctanh: "atanh",
    np.logaddexp: "logaddexp",
    np.floor: "floor",
    np.ceil: "ceil",
    np.trunc: "trunc",
    np.rint: "round",
    np.maximum: "maximum",
    np.minimum: "minimum",
    np.matmul: "matmul",
}

# ufunc → the operation that `ufunc.reduce` is
REDUCE: dict[np.ufunc, str] = {
    np.add: "sum",
    np.multiply: "prod",
    np.maximum: "max",
    np.minimum: "min",
    np.logical_and: "all",
    np.logical_or: "any",
}


class Rule(NamedTuple):
    """How a NumPy function becomes an operation of tt_tensor."""

    operation: str
    """Its name in tt_tensor."""
    parameters: tuple[str, ...]
    """NumPy's parameters, in NumPy's order, so far as they may be given by position."""
    operands: int
    """How many of them are handed on by position; the others go by name."""
    takes: frozenset[str]
    """The names that the operation knows too, with the same meaning."""


def _rule(operation: str, parameters: str, takes: str = "", operands: int = 1) -> Rule:
    return Rule(operation, tuple(parameters.split()), operands, frozenset(takes.split()))


FUNCTIONS: dict[Callable[..., Any], Rule] = {
    np.sum: _rule("sum", "a axis dtype out", "axis dtype keepdims"),
    np.mean: _rule("mean", "a axis dtype out", "axis dtype keepdims"),
    np.prod: _rule("prod", "a axis dtype out", "axis dtype keepdims"),
    np.max: _rule("max", "a axis out", "axis keepdims"),
    np.amax: _rule("max", "a axis out", "axis keepdims"),
    np.min: _rule("min", "a axis out", "axis keepdims"),
    np.amin: _rule("min", "a axis out", "axis keepdims"),
    np.var: _rule("var", "a axis dtype out ddof", "axis ddof keepdims correction"),
    np.std: _rule("std", "a axis dtype out ddof", "axis ddof keepdims correction"),
    np.median: _rule("median", "a axis out", "axis keepdims"),
    np.quantile: _rule("quantile", "a q axis out", "axis keepdims", operands=2),
    np.cumsum: _rule("cumsum", "a axis dtype out", "axis dtype"),
    np.diff: _rule("diff", "a n axis", "n axis"),
    np.cumprod: _rule("cumprod", "a axis dtype out", "axis dtype"),
    np.argmax: _rule("argmax", "a axis out", "axis keepdims"),
    np.argmin: _rule("argmin", "a axis out", "axis keepdims"),
    np.any: _rule("any", "a axis out", "axis keepdims"),
    np.all: _rule("all", "a axis out", "axis keepdims"),
    np.count_nonzero: _rule("count_nonzero", "a axis", "axis keepdims"),
    np.where: _rule("where", "condition x y", operands=3),
    np.clip: _rule("clip", "a min max out", "min max"),
    np.dot: _rule("dot", "a b out", operands=2),
    np.outer: _rule("outer", "a b out", operands=2),
    np.tensordot: _rule("tensordot", "a b axes", "axes", operands=2),
    np.linalg.matmul: _rule("matmul", "x1 x2", operands=2),
    np.linalg.norm: _rule("norm", "x ord axis keepdims", "axis keepdims"),
    np.linalg.inv: _rule("inverse", "a"),
    np.linalg.det: _rule("det", "a"),
    np.linalg.solve: _rule("solve", "a b", operands=2),
    np.diagonal: _rule("diagonal", "a offset axis1 axis2", "offset axis1 axis2"),
    np.trace: _rule("trace", "a offset axis1 axis2 dtype out", "offset axis1 axis2"),
    np.round: _rule("round", "a decimals out", "decimals"),
    np.reshape: _rule("reshape", "a shape order", operands=2),
    np.ravel: _rule("ravel", "a order"),
    np.transpose: _rule("transpose", "a axes", "axes"),
    np.matrix_transpose: _rule("matrix_transpose", "x"),
    np.swapaxes: _rule("swapaxes", "a axis1 axis2", operands=3),
    np.moveaxis: _rule("moveaxis", "a source destination", operands=3),
    np.squeeze: _rule("squeeze", "a axis", "axis"),
    np.expand_dims: _rule("expand_dims", "a axis", operands=2),
    np.broadcast_to: _rule("broadcast_to", "array shape subok", operands=2),
    np.concatenate: _rule("concatenate", "arrays axis out", "axis"),
    np.vstack: _rule("vstack", "tup"),
    np.hstack: _rule("hstack", "tup"),
    np.diag: _rule("diag", "v k", "k"),
    np.stack: _rule("stack", "arrays axis out", "axis"),
    np.split: _rule("split", "ary indices_or_sections axis", "axis", operands=2),
    np.array_split: _rule("array_split", "ary indices_or_sections axis", "axis", operands=2),
    np.pad: _rule("pad", "array pad_width mode", "mode constant_values", operands=2),
    np.flip: _rule("flip", "m axis", "axis"),
    np.roll: _rule("roll", "a shift axis", "axis", operands=2),
    np.repeat: _rule("repeat", "a repeats axis", "axis", operands=2),
    np.tile: _rule("tile", "A reps", operands=2),
    np.tril: _rule("tril", "m k", "k"),
    np.triu: _rule("triu", "m k", "k"),
    np.take: _rule("take", "a indices axis out mode", "axis", operands=2),
    np.take_along_axis: _rule("take_along_axis", "arr indices axis", "axis", operands=2),
    np.sort: _rule("sort", "a axis kind order", "axis stable"),
    np.argsort: _rule("argsort", "a axis kind order", "axis stable"),
    np.copy: _rule("clone", "a order subok"),
    np.zeros_like: _rule("zeros_like", "a dtype order subok shape", "dtype"),
    np.ones_like: _rule("ones_like", "a dtype order subok shape", "dtype"),
    np.empty_like: _rule("empty_like", "prototype dtype order subok shape", "dtype"),
    np.full_like: _rule("full_like", "a fill_value dtype order subok shape", "dtype", operands=2),
}

# Arguments that ask for what happens anyway.
HARMLESS = frozenset(
    [
        ("order", "C"),
        ("order", "K"),
        ("casting", "same_kind"),
        ("subok", True),
        ("subok", False),
        ("mode", "raise"),
    ]
)

# Two names of one parameter.
ALIASES = {"a_min": "min", "a_max": "max"}

# Functions whose result does not depend on the values of what they are given.
CONSTANT = frozenset((np.zeros_like, np.ones_like, np.empty_like, np.full_like))

# Functions that write into their first argument.
WRITERS = frozenset((np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis))


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The answer to `ufunc(*inputs, **kwargs)` or `ufunc.method(…)` with a Tensor among the arguments."""
    for x in inputs:
        if _is_foreign(x, "__array_ufunc__"):
            return NotImplemented
    if method == "__call__":
        # np.rint makes floats of integers, which np.round and tt_tensor.round leave alone.
        if not kwargs and ufunc in UFUNCS and (ufunc is not np.rint or inputs[0].dtype.kind == "f"):
            return getattr(tt_tensor, UFUNCS[ufunc])(*inputs)
    else:
        answer = _method_of_a_rule(ufunc, method, inputs, kwargs)
        if answer is not None:
            return answer
    out = kwargs.get("out")
    written = [inputs[0]] if method == "at" else list(out) if isinstance(out, tuple) else [out]
    name = f"np.{ufunc.__name__}" if method == "__call__" else f"np.{ufunc.__name__}.{method}"
    result = _compute(name, getattr(ufunc, method), inputs, kwargs, written, ShapeError)
    return _rewrap(result, written, np.ndarray | np.generic)


def _method_of_a_rule(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`reduce`, `accumulate` and `outer` by the operation that they are, or None."""
    given = {key: value for key, value in kwargs.items() if not _is_absent(key, value, ("axis",))}
    if method == "reduce" and ufunc in REDUCE and not given.keys() - {"axis", "keepdims"}:
        given.setdefault("axis", 0)  # the ufunc's default, which is not that of np.sum
        return getattr(tt_tensor, REDUCE[ufunc])(*inputs, **given)
    if method == "accumulate" and ufunc is np.add and not given.keys() - {"axis"}:
        return tt_tensor.cumsum(inputs[0], given.get("axis", 0))
    if method == "outer" and ufunc in UFUNCS and not given:
        x, y = inputs
        x = as_tensor(x)
        return getattr(tt_tensor, UFUNCS[ufunc])(x.reshape(x.shape + (1,) * np.ndim(y)), y)
    return None


def call_function(
    func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The answer to `func(*args, **kwargs)` with a Tensor somewhere in the arguments."""
    if not all(issubclass(kind, Tensor | np.ndarray) for kind in types):
        return NotImplemented
    if func is np.einsum and not kwargs.keys() - {"optimize"}:
        return tt_tensor.einsum(*args)
    rule = FUNCTIONS.get(func)
    if rule is not None:
        call = _bound(rule, args, kwargs)
        if call is not None:
            operands, named = call
            return getattr(tt_tensor, rule.operation)(*operands, **named)
    written = [kwargs.get("out")]
    if rule is not None and len(args) > (place := _place_of_out(rule)):
        written.append(args[place])
    if func in WRITERS:
        written.append(args[0] if args else next(iter(kwargs.values())))
    result = _compute(_name(func), func, args, kwargs, written, ArgumentError)
    # np.sum(t, initial=1) is a Tensor like np.sum(t); np.nanmedian(t) is a number.
    return _rewrap(result, written, np.ndarray if rule is None else np.ndarray | np.generic)


def _bound(
    rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]] | None:
    """The arguments as the operation takes them, or None if it does not know one of them."""
    names, count = rule.parameters, rule.operands
    if len(args) > len(names):
        return None
    given = dict(zip(names, args, strict=False))
    for key, value in kwargs.items():
        given[ALIASES.get(key, key)] = value
    operands = []
    for name in names[:count]:
        if name not in given:
            return None
        operands.append(given.pop(name))
    named = {}
    for key, value in given.items():
        if key in rule.takes and value is not np._NoValue:  # type: ignore[attr-defined]
            named[key] = value
        elif not _is_absent(key, value):
            return None
    if rule.operation == "pad" and named.get("mode", "constant") not in MODES:
        return None  # "mean", "linear_ramp" …, which have no rule
    return operands, named


def _is_absent(key: str, value: Any, meaningful: tuple[str, ...] = ()) -> bool:
    """True if the argument says nothing: a default, or what happens anyway."""
    if value is None:
        return key not in meaningful
    if value is np._NoValue:  # type: ignore[attr-defined]
        return True
    return value.__class__ in (str, bool) and (key, value) in HARMLESS


def _place_of_out(rule: Rule) -> int:
    return rule.parameters.index("out") if "out" in rule.parameters else 99


def _name(func: Callable[..., Any]) -> str:
    module = str(getattr(func, "__module__", "numpy"))
    return f"{module.replace('numpy', 'np', 1)}.{func.__name__}"


def _is_foreign(x: Any, protocol: str) -> bool:
    """True for somebody else's kind of array, which then has the say."""
    kind = x.__class__
    return (
        kind not in (Tensor, np.ndarray, float, int, bool, list)
        and hasattr(kind, protocol)
        and not isinstance(x, Tensor | np.ndarray | np.generic)
    )


def _compute(
    name: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    written: list[Any],
    error: type[TTError],
) -> Any:
    """`function` on the arrays. `written` is what it writes into (None among it)."""
    wants_gradient = (
        function not in CONSTANT
        and recorder.recording()
        and any(x.requires_grad for x in _tensors((args, kwargs)))
    )
    for x in written:
        if x is not None and wants_gradient:
            raise GradientError(
                f"{name}: writing into memory that exists already loses the gradient; "
                "compute without out=, or use x.detach()"
            )
        if isinstance(x, Tensor) and not x.array.flags.writeable:
            raise InPlaceError(
                f"{name}: the tensor of shape {x.shape} to write into is read-only; clone() it first"
            )
    try:
        result = function(*_unwrap(args), **_unwrap(kwargs))
    except (TTError, np.linalg.LinAlgError):
        raise
    except np.exceptions.AxisError as wrong:
        raise AxisError(f"{name}: {wrong}") from wrong
    except IndexError as wrong:
        raise IndexingError(f"{name}: {wrong}") from wrong
    except TypeError as wrong:
        raise DTypeError(f"{name}: {wrong}") from wrong
    except ValueError as wrong:
        raise error(f"{name}: {wrong}") from wrong
    except (OverflowError, ZeroDivisionError) as wrong:  # 300 in uint8, weights that add up to 0
        raise ArgumentError(f"{name}: {wrong}") from wrong
    for x in written:
        if isinstance(x, Tensor | np.ndarray):
            memory.mark_written(x.array if isinstance(x, Tensor) else x)
    if wants_gradient and _is_floating(result):
        raise GradientError(
            f"{name} with these arguments has no rule for a gradient; use x.detach() if none is wanted"
        )
    return result


def _tensors(x: Any) -> Iterator[Tensor]:
    """Every Tensor within nested tuples, lists and dicts."""
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, list | tuple):
        for item in x:
            yield from _tensors(item)
    elif isinstance(x, dict):
        for item in x.values():
            yield from _tensors(item)


def _unwrap(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.array
    if x.__class__ in (list, tuple):
        return x.__class__([_unwrap(item) for item in x])
    if x.__class__ is dict:
        return {key: _unwrap(value) for key, value in x.items()}
    return x


def _rewrap(result: Any, written: list[Any], kinds: Any) -> Any:
    """`result` with its arrays as Tensors, and what was written into as it was given."""
    for x in written:
        if x is not None and result is _unwrap(x):
            return x
    if isinstance(result, kinds):
        # Complex numbers, dates and text stay NumPy's: no Tensor holds them.
        return wrap(np.asarray(result)) if is_supported(result.dtype) else result
    if isinstance(result, list | tuple):
        items = [_rewrap(item, written, kinds) for item in result]
        return result._make(items) if hasattr(result, "_make") else type(result)(items)
    return result


def _is_floating(result: Any) -> bool:
    """True if a gradient could flow into some part of the result."""
    if isinstance(result, np.ndarray | np.generic):
        return result.dtype.kind in "fc"
    if isinstance(result, list | tuple):
        return any(_is_floating(item) for item in result)
    return isinstance(result, float | complex)
