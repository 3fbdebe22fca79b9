"""NumPy's functions on Tensors: `np.exp(t)` is `tt_tensor.exp(t)`, so it has a gradient.

NumPy asks the Tensor (NEP 13 for ufuncs, NEP 18 for the rest) and the tables here answer with the operation
of the same meaning. This is also how a rule builds the graph of its own derivative: its lines are NumPy's,
and given Tensors they arrive here. What has no rule is computed on the arrays, unless somebody is recording
and a gradient is wanted: then it is an error, never a silently cut graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tt_tensor
from tt_tensor import recorder
from tt_tensor.errors import DTypeError, GradientError
from tt_tensor.tensor import Tensor, wrap

__all__ = ["call_function", "call_ufunc"]

# ufunc → the name of the operation in tt_tensor
UFUNCS: dict[np.ufunc, str] = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.true_divide: "div",
    np.power: "pow",
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
    np.maximum: "maximum",
    np.minimum: "minimum",
    np.matmul: "matmul",
}

# function → the name of the operation in tt_tensor; the arguments have NumPy's names there
FUNCTIONS: dict[Callable[..., Any], str] = {
    np.sum: "sum",
    np.mean: "mean",
    np.prod: "prod",
    np.max: "max",
    np.min: "min",
    np.var: "var",
    np.std: "std",
    np.cumsum: "cumsum",
    np.argmax: "argmax",
    np.argmin: "argmin",
    np.any: "any",
    np.all: "all",
    np.where: "where",
    np.clip: "clip",
    np.dot: "dot",
    np.einsum: "einsum",
    np.reshape: "reshape",
    np.ravel: "ravel",
    np.transpose: "transpose",
    np.swapaxes: "swapaxes",
    np.moveaxis: "moveaxis",
    np.squeeze: "squeeze",
    np.expand_dims: "expand_dims",
    np.broadcast_to: "broadcast_to",
    np.concatenate: "concatenate",
    np.stack: "stack",
    np.split: "split",
    np.pad: "pad",
    np.flip: "flip",
    np.roll: "roll",
    np.repeat: "repeat",
    np.tril: "tril",
    np.triu: "triu",
    np.take_along_axis: "take_along_axis",
    np.sort: "sort",
    np.argsort: "argsort",
    np.zeros_like: "zeros_like",
    np.ones_like: "ones_like",
    np.full_like: "full_like",
    np.empty_like: "empty_like",
}


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The answer to `ufunc(*inputs, **kwargs)` with a Tensor among the inputs."""
    if method == "__call__" and not kwargs and ufunc in UFUNCS:
        return getattr(tt_tensor, UFUNCS[ufunc])(*inputs)
    _refuse_gradient(f"np.{ufunc.__name__}", inputs)
    arrays = [_unwrap(x) for x in inputs]
    return _rewrap(getattr(ufunc, method)(*arrays, **{key: _unwrap(value) for key, value in kwargs.items()}))


def call_function(func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
    """The answer to `func(*args, **kwargs)` with a Tensor somewhere in the arguments."""
    if func in FUNCTIONS:
        return getattr(tt_tensor, FUNCTIONS[func])(*args, **kwargs)
    _refuse_gradient(f"np.{func.__name__}", [*args, *kwargs.values()])
    return _rewrap(func(*_unwrap(list(args)), **{key: _unwrap(value) for key, value in kwargs.items()}))


def _unwrap(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.array
    if isinstance(x, list | tuple):
        return type(x)(_unwrap(item) for item in x)
    return x


def _rewrap(x: Any) -> Any:
    if isinstance(x, np.ndarray | np.generic):
        return wrap(np.asarray(x))
    if isinstance(x, list | tuple):
        return type(x)(_rewrap(item) for item in x)
    return x


def _refuse_gradient(name: str, args: Any) -> None:
    if recorder.active is None:
        return
    for x in args:
        if isinstance(x, Tensor) and x.requires_grad:
            raise GradientError(f"{name} has no rule for a gradient; use x.detach() if none is wanted")
        if isinstance(x, list | tuple):
            _refuse_gradient(name, x)
