"""The table of kernels: operation → {name: function}, and which one runs.

A heavy operation has several implementations with one signature. "loops" is the definition, "numpy" the
default; later wheels register more. `with kernels.use("loops"):` runs an unchanged model on the loops.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tt_tensor.errors import ArgumentError

__all__ = ["kernel", "names", "operations", "prefer", "preferred", "register", "set_default", "use"]

Kernel = Callable[..., Any]

_table: dict[str, dict[str, Kernel]] = {}
_default: dict[str, Kernel] = {}
# What runs where `use` chose nothing: the preferred kernel of an operation, else its default.
_running: dict[str, Kernel] = {}
_preferred: str | None = None
# What `use` chose in this thread and task: operation → function. None: nothing, the usual case.
_chosen: ContextVar[dict[str, Kernel] | None] = ContextVar("tt_tensor_kernels", default=None)

# Operations that are called so often on small arrays that they look at `plain` before they ask for their kernel. The
# others ask always, so that a wheel which registers a quicker kernel for one of them leaves these as they are.
_SMALL = ("elementwise", "matmul", "reductions")
# The kernels "numpy" of this wheel, whatever is registered under that name later.
_own: dict[str, Kernel] = {}

plain = True
"""True while the kernels of all small operations are NumPy's own everywhere in the process: then they skip the
table, which would cost as much as they do. Read it as `table.plain`."""

_lock = threading.Lock()
_uses = 0


def _count_uses(change: int) -> None:
    global plain, _uses
    with _lock:
        _uses += change
        plain = _uses == 0 and all(_running.get(operation) is _own.get(operation) for operation in _SMALL)


def register(operation: str, name: str, function: Kernel, *, default: bool = False) -> None:
    """Enter `function` as the kernel `name` of `operation`; with `default`, it runs from now on.

    Registering a name again replaces it.
    """
    _table.setdefault(operation, {})[name] = function
    if name == "numpy":
        _own.setdefault(operation, function)
    if default or operation not in _default:
        _default[operation] = function
    _settle(operation)


def _settle(operation: str) -> None:
    _running[operation] = _table[operation].get(_preferred or "", _default[operation])
    _count_uses(0)


def prefer(name: str | None) -> None:
    """Let every operation that has a kernel `name` run on it, in the whole process, unless `use` chooses another.

    It holds for operations that are registered later, too. None: the defaults run again.
    """
    global _preferred
    _preferred = name
    for operation in list(_table):
        _settle(operation)


def preferred() -> str | None:
    """What `prefer` was last given."""
    return _preferred


def set_default(operation: str, name: str) -> None:
    """Let the kernel `name` run for `operation` wherever neither `use` nor `prefer` chooses another."""
    _default[operation] = _find(operation, name)
    _settle(operation)


def operations() -> list[str]:
    """The operations that have kernels, sorted."""
    return sorted(_table)


def names(operation: str) -> list[str]:
    """The kernels of one operation, in the order of their registration."""
    _check(operation)
    return list(_table[operation])


def kernel(operation: str, name: str | None = None) -> Kernel:
    """The function that runs `operation` now, or the one called `name`.

    Raises ArgumentError for an unknown operation or name.
    """
    if name is not None:
        return _find(operation, name)
    chosen = _chosen.get()
    if chosen is not None and operation in chosen:
        return chosen[operation]
    try:
        return _running[operation]
    except KeyError:
        _check(operation)
        raise


@contextmanager
def use(name: str, *operations: str) -> Iterator[None]:
    """Run on the kernels called `name` inside the block, or the function that this decorates.

    Without `operations`: every operation that has one of that name, the others go on as before. Holds for this
    thread and task only.

    Raises ArgumentError for a name that no operation has, or that one of `operations` has not.
    """
    if operations:
        picked = {operation: _find(operation, name) for operation in operations}
    else:
        picked = {operation: table[name] for operation, table in _table.items() if name in table}
        if not picked:
            known = sorted({known for table in _table.values() for known in table})
            raise ArgumentError(f"kernels.use: no operation has a kernel {name!r}; there are {known}")
    token = _chosen.set({**(_chosen.get() or {}), **picked})
    _count_uses(1)
    try:
        yield
    finally:
        _count_uses(-1)
        _chosen.reset(token)


def _check(operation: str) -> None:
    if operation not in _table:
        raise ArgumentError(f"kernels: no operation {operation!r}; there are {sorted(_table)}")


def _find(operation: str, name: str) -> Kernel:
    _check(operation)
    if name not in _table[operation]:
        raise ArgumentError(f"kernels: {operation} has no kernel {name!r}; it has {list(_table[operation])}")
    return _table[operation][name]
