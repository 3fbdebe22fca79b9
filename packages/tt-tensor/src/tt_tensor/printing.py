"""How a Tensor looks: PyTorch's manner, in words that `tensor(...)` reads again while it is small.

    tensor([[1., 2.],
            [3., 4.]])

The dtype is shown where the values do not imply it, the shape where the values do not show it.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tt_tensor.tensor import Tensor

__all__ = ["printoptions", "represent"]


class Options(NamedTuple):
    """How much is shown."""

    precision: int = 4
    """Digits behind the point."""
    threshold: int = 1000
    """A tensor of more elements is summarised."""
    edgeitems: int = 3
    """How many are shown at either end of a summarised axis."""
    linewidth: int = 80
    """Characters in a line."""


_STANDARD = Options()
_options: ContextVar[Options] = ContextVar("tt_tensor_printing", default=_STANDARD)


@contextmanager
def printoptions(**changes: int) -> Iterator[Options]:
    """Show more or less in the block: `precision`, `threshold`, `edgeitems`, `linewidth` (4, 1000, 3, 80).

    Raises ArgumentError for another name or a negative value, DTypeError for what is no integer.
    """
    for name, value in changes.items():
        if name not in Options._fields:
            raise ArgumentError(f"printoptions: no option {name!r}; there are {list(Options._fields)}")
        if not isinstance(value, int) or isinstance(value, bool):
            raise DTypeError(f"printoptions: {name} is an integer, not {value!r}")
        if value < 0:
            raise ArgumentError(f"printoptions: {name} is negative ({value})")
    options = _options.get()._replace(**changes)
    token = _options.set(options)
    try:
        yield options
    finally:
        _options.reset(token)


# What tensor() makes of Python numbers, so that it goes without saying.
_IMPLIED = (np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_))


def represent(tensor: Tensor) -> str:
    """`repr(tensor)`: values, then what they do not tell."""
    array, options = tensor.array, _options.get()
    name = "tensor" if type(tensor).__name__ == "Tensor" else type(tensor).__name__
    summarised = array.size > options.threshold
    rest: list[str] = []
    if array.size == 0 and array.shape != (0,):
        body = "[]"
    else:
        body = _values(array, f"{name}(", options)
    if summarised or (array.size == 0 and array.shape != (0,)):
        rest.append(f"shape={array.shape}")
    if array.dtype not in _IMPLIED or (array.size == 0 and array.dtype != np.float32):
        rest.append(f"dtype={array.dtype}")
    if tensor._node is not None:
        rest.append(f"grad_fn=<{type(getattr(tensor._node, 'function', tensor._node)).__name__}>")
    elif tensor.requires_grad:
        rest.append("requires_grad=True")
    return _joined(f"{name}({body}", rest, len(name) + 1, options.linewidth)


def _values(array: np.ndarray[Any, Any], prefix: str, options: Options) -> str:
    whole = True
    if array.dtype.kind == "f":
        shown = _corners(array, options.edgeitems) if array.size > options.threshold else array
        shown = shown[np.isfinite(shown)]
        whole = bool(np.all(shown == np.trunc(shown)))
    # All of NumPy's options are named, so that nobody's np.set_printoptions changes what a Tensor looks like.
    with np.printoptions(
        precision=options.precision,
        threshold=options.threshold,
        edgeitems=options.edgeitems,
        linewidth=options.linewidth,
        floatmode="maxprec" if whole else "fixed",  # 1. and 2., but 1.0000 and 2.5000
        suppress=False,
        sign="-",
        nanstr="nan",
        infstr="inf",
        formatter=None,
        legacy=False,
    ):
        return np.array2string(array, separator=", ", prefix=prefix, suffix=")")


def _corners(array: np.ndarray[Any, Any], edge: int) -> np.ndarray[Any, Any]:
    """What a summary shows of `array`."""
    shown = [[*range(edge), *range(n - edge, n)] if n > 2 * edge else list(range(n)) for n in array.shape]
    return array[np.ix_(*shown)]


def _joined(text: str, rest: list[str], indent: int, width: int) -> str:
    """`text, rest…)`, going to a new line where the last one is full."""
    for word in rest:
        last = len(text) - (text.rfind("\n") + 1)
        text += f", {word}" if last + len(word) + 3 <= width else f",\n{' ' * indent}{word}"
    return text + ")"
