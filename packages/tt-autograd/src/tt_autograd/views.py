"""Views and in-place writes: when one tensor's bytes are another's, so is its history.

A view keeps a note of its parent. A recorded write to a view is a write to a part of the parent, so the parent's
history gets a `Put` that says so; other views of the parent then have a history that is out of date, and get a new
one when they are next used: the same cut, out of the parent as it is now.

    y = x * 2            y: Mul
    v = y[0]             v: GetItem(Mul)                     note: v is y[0]
    v.tanh_()            v: Tanh(GetItem(Mul))               y: Put(Mul, Tanh(GetItem(Mul)))
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tt_autograd.hooks import Hooks
from tt_autograd.modes import enabled, recorded
from tt_tensor import Function, Tensor, memory
from tt_tensor.errors import InPlaceError
from tt_tensor.ops.indexing import SetItem, within_rule
from tt_tensor.tensor import wrap

__all__ = ["Put", "View", "again", "check_write", "edge", "keep", "note", "put_back", "refreshed"]


class View:
    """`function` cut a view out of `parent`; `at` is the parent's history as the view's own takes it for granted."""

    __slots__ = ("at", "function", "parent", "recording")

    def __init__(self, parent: Tensor, function: Function, recording: bool) -> None:
        self.parent, self.function, self.recording = parent, function, recording
        self.at = edge(parent)


def edge(x: Any) -> Any:
    """What stands for `x` in a graph: the Function that made it, or itself."""
    node = x._node
    return x if node is None else node


def note(function: Function, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Keep in mind that `output` is a view, if it shows memory of the first input."""
    x = inputs[0]
    if not isinstance(x, Tensor) or x is output or x.array.dtype.kind != "f":
        return  # a write in place makes no view, and integers never get a history
    base = output.array.base
    if base is x.array or (x.array.base is not None and base is x.array.base):
        output._view = View(x, function, enabled.get())


def again(function: Function) -> Function:
    """The same operation, not yet applied."""
    fresh = copy.copy(function)
    for name in ("_number", "_hooks", "_kept", "_before", "needs"):
        fresh.__dict__.pop(name, None)
    return fresh


def refreshed(x: Tensor) -> Tensor:
    """`x`, a view, with a history that knows of all recorded writes to the memory it shows.

    Where backward has released what cut it, it keeps that history: whoever goes back through it is told so.
    """
    chain = [x]
    while chain[-1]._view is not None:
        chain.append(chain[-1]._view.parent)
    for child in reversed(chain[:-1]):
        view = child._view
        inputs = view.function.inputs
        node = view.parent._node
        stale = node is not None and view.at is not node  # after parent.detach_() there is none
        if view.recording and stale and inputs is not None:
            with recorded():  # whoever asks first may be inside no_grad()
                cut = again(view.function)(view.parent, *inputs[1:])
            if cut._node is not None:
                Hooks.move_keep(edge(child), cut._node)
            child._node, child._requires_grad = cut._node, cut._requires_grad
            view.at = edge(view.parent)
    return x


def check_write(target: Tensor) -> None:
    """Raise InPlaceError for a recorded write to a leaf that collects a gradient, or to a view of one."""
    x, what = target, "a leaf that collects a gradient"
    while True:
        if x._requires_grad and x._node is None:
            raise InPlaceError(
                f"in-place write to {what} (shape {x.shape}): its value from before would be lost to the gradient; "
                "write out of place (y = x + 1), or inside `with no_grad():` where it is an update"
            )
        if x._view is None:
            return
        if not x._view.recording and edge(x._view.parent) is not x._view.parent:
            raise InPlaceError(
                f"in-place write to a view (shape {x.shape}) that was made inside no_grad(), of a tensor with a "
                "history: the write would not be part of it; make the view outside of no_grad(), or write inside"
            )
        x, what = x._view.parent, "a view of a leaf that collects a gradient"


def keep(target: Tensor) -> None:
    """Before an unrecorded write: the graph holds on to the values that its next users will meet.

    `target`, and what it is a view of, keep their history, as if nothing had happened (as in PyTorch). But from now
    on their values are not what that history computes, so higher orders must not compute them again.
    """
    x = target
    while True:
        if x._node is not None:
            # As a Tensor: no rule saved it, so a later write to it harms nobody.
            x._node._kept = wrap(x.array)
        if x._view is None:
            return
        x = x._view.parent


class Put(Function):
    """A base with a part of it replaced: dbase = grad, 0 in that part; dvalue = that part of grad.

    Args:
        cut: the Function that cuts the part out of an array.
    """

    def __init__(self, cut: Function) -> None:
        self.cut = cut

    def forward(self, base: Any, value: Any) -> Any:
        self.shape, self.part = base.shape, value.shape
        return self._replaced(base, value)

    def backward(self, grad: Any) -> Any:
        return (
            self._replaced(grad, np.zeros(self.part, grad.dtype)) if self.wants(0) else None,
            grad.reshape(-1)[self._places()] if self.wants(1) else None,
        )

    def _replaced(self, base: Any, value: Any) -> Any:
        return within_rule(SetItem(self._places()), base.reshape(-1), value).reshape(self.shape)

    def _places(self) -> Any:
        """Where in flat memory the part lies, in the shape of the part."""
        places = np.arange(int(np.prod(self.shape))).reshape(self.shape)
        return again(self.cut).forward(places)


def put_back(child: Tensor, number: Any) -> None:
    """After a recorded write to `child`, tell the history of each tensor that it is a view of."""
    while child._view is not None:
        parent = child._view.parent
        put = Put(again(child._view.function))
        put.shape, put.part = parent.shape, child.shape
        # A constant parent gets a history now; what it held outside of the part is kept for higher orders.
        old = parent._node if parent._node is not None else Tensor(parent.array)
        released = child._view.function.inputs is None  # then there is no part to speak of, and no way back
        put.inputs = None if released else (old, child._node)  # type: ignore[assignment]
        put.needs = (parent._requires_grad, True)
        put.stamp, put.output_shape, put.output_dtype = memory.clock, parent.array.shape, parent.array.dtype
        put._number = number()
        Hooks.move_keep(edge(parent), put)
        parent._node, parent._requires_grad = put, True
        child._view.at = put
        child = parent
