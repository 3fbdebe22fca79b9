"""The tape: the recorder in tt-tensor's slot, which hangs each applied Function on its output.

There is no list that grows. An output holds the Function that made it, a Function holds those that made its
inputs, and when nobody holds the output any more, all of it is gone.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from tt_autograd import views
from tt_autograd.engine import accumulate, flow
from tt_autograd.hooks import Handle, Hooks
from tt_autograd.modes import enabled, inference, inference_mode
from tt_autograd.watching import alert, told
from tt_tensor import Function, Tensor
from tt_tensor.errors import DTypeError, GradientError, ShapeError
from tt_tensor.tensor import as_array, wrap

__all__ = ["Tape", "start_gradient"]

number = count(1).__next__
recording = enabled.get
FIRST, SECOND = (True, False), (False, True)
# What a rule does with a NumPy number costs a tenth of what an array of shape () costs.
NUMBER_ONE = {char: np.dtype(char).type(1) for char in "efd"}


class Tape:
    """tt_tensor.recorder.Recorder, filled in: one for the process."""

    # --- forward ----------------------------------------------------------------------------------------

    def record(self, function: Function, inputs: tuple[Any, ...], output: Tensor) -> bool:
        """Hang `function` on `output`, if an input wants a gradient; True if so."""
        array = output.array
        if alert.on:
            # Someone watches, or something was written in place.
            if output is inputs[0]:
                return self._record_write(function, inputs, output)
            for x in inputs:
                if isinstance(x, Tensor) and x._view is not None:
                    views.refreshed(x)
            if alert.watchers and told(function, inputs, output):
                return False
        if array.base is not None:
            views.note(function, inputs, output)
        # The common arities are written out, and what is called is looked up in place: this runs in every operation.
        if len(inputs) == 1:
            x = inputs[0]
            if not (isinstance(x, Tensor) and x._requires_grad and recording()):
                return False
            if x._node is not None:
                function.inputs = (x._node,)
        elif len(inputs) == 2:
            x, y = inputs
            of_x = isinstance(x, Tensor) and x._requires_grad
            of_y = isinstance(y, Tensor) and y._requires_grad
            if of_x:
                if not recording():
                    return False
                if of_y:
                    nx, ny = x._node, y._node
                    if nx is not None or ny is not None:
                        function.inputs = (x if nx is None else nx, y if ny is None else ny)
                else:
                    function.needs = FIRST
                    if x._node is not None:
                        function.inputs = (x._node, y)
            elif of_y and recording():
                function.needs = SECOND
                if y._node is not None:
                    function.inputs = (x, y._node)
            else:
                return False
        elif len(inputs) == 3:
            x, y, z = inputs
            of_x = isinstance(x, Tensor) and x._requires_grad
            of_y = isinstance(y, Tensor) and y._requires_grad
            of_z = isinstance(z, Tensor) and z._requires_grad
            if not (of_x or of_y or of_z) or not recording():
                return False
            if not (of_x and of_y and of_z):
                function.needs = (of_x, of_y, of_z)
            nx = x._node if of_x else None
            ny = y._node if of_y else None
            nz = z._node if of_z else None
            if nx is not None or ny is not None or nz is not None:
                function.inputs = (
                    x if nx is None else nx,
                    y if ny is None else ny,
                    z if nz is None else nz,
                )
        else:
            needs = tuple([isinstance(x, Tensor) and x._requires_grad for x in inputs])
            if True not in needs or not recording():
                return False
            if False in needs:
                function.needs = needs
            function.inputs = tuple(
                [x._node if need and x._node is not None else x for x, need in zip(inputs, needs)]  # noqa: B905
            )
        dtype = array.dtype
        if dtype.kind != "f":
            function.inputs = inputs
            return False
        function._number = number()
        function.output_dtype = dtype
        output._requires_grad = True
        output._node = function
        return True

    def before_write(self, target: Tensor) -> bool:
        """Refuse a write to a leaf that collects a gradient; True where the value from before is to be kept."""
        if not recording():
            if target._node is not None or target._view is not None:
                views.keep(target)
            return alert.watchers > 0  # whoever watches may want to see it
        alert.on = alert.wrote = True  # from now on a view can be out of date
        if target._view is not None:
            views.refreshed(target)
        views.check_write(target)
        return True

    def _record_write(self, function: Function, inputs: tuple[Any, ...], target: Tensor) -> bool:
        """An in-place write: the target's history goes on, and that of all whose memory it shows."""
        for x in inputs[1:]:
            if isinstance(x, Tensor) and x._view is not None:
                views.refreshed(x)
        needs = tuple([getattr(x, "_requires_grad", False) for x in inputs])
        if alert.watchers and told(function, inputs, target):
            return False
        before = function.__dict__.pop("_before", None)
        if True not in needs or target.array.dtype.kind != "f" or not recording():
            return False
        old: Any = target._node
        if old is not None and old._kept is not None:
            old._kept = wrap(before) if before is not None else Tensor(target.array)
        if old is None:
            # A constant that gets a history: what it held is kept for higher orders.
            old = Tensor(target.array) if before is None else wrap(before)
        function.inputs = (old, *[views.edge(x) if isinstance(x, Tensor) else x for x in inputs[1:]])
        if False in needs:
            function.needs = needs
        function._number = number()
        if isinstance(old, Function):
            Hooks.move_keep(old, function)
        function.output_dtype = target.array.dtype
        target._requires_grad = True
        target._node = function
        views.put_back(target, number)
        return True

    def settle(self, tensor: Tensor) -> None:
        """Bring the history of a view up to date."""
        views.refreshed(tensor)

    def recording(self) -> bool:
        """Whether operations are recorded, in this thread and task."""
        return recording()

    def by_hand(self) -> bool:
        """Whether layers keep what they applied unrecorded, for backward by hand: not in `inference_mode`."""
        return not inference.get()

    def paused(self) -> inference_mode:
        """A block that records nothing: what `tt_tensor.recorder.paused` gives."""
        return inference_mode()

    # --- backward ---------------------------------------------------------------------------------------

    def backward(
        self,
        tensor: Tensor,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """`tensor.backward(gradient)`: see `tt_autograd.backward`."""
        node = tensor._node
        if (
            gradient is None
            and node is not None
            and not create_graph
            and inputs is None
            and tensor._view is None
        ):
            array = tensor.array
            if not array.ndim:
                accumulate(flow([(node, NUMBER_ONE[array.dtype.char])], retain=bool(retain_graph)))
                return
        from tt_autograd.backward import backward

        backward((tensor,), (gradient,), retain_graph, create_graph, inputs)

    def retain_grad(self, tensor: Tensor) -> None:
        """Fill `tensor.grad` in backward, though it is no leaf."""
        node = _collecting(tensor, "retain_grad")
        if isinstance(node, Function):
            held = weakref.ref(tensor)  # the graph must not keep its own output alive

            def keep(grad: Any) -> None:
                kept = held()
                if kept is not None:
                    found = grad if isinstance(grad, Tensor) and grad._requires_grad else wrap(np.array(grad))
                    kept._grad = found if kept._grad is None else kept._grad + found

            Hooks.of(node).retain(keep)

    def register_hook(self, tensor: Tensor, hook: Callable[[Tensor], Any]) -> Handle:
        """Call `hook` with the gradient at `tensor`."""
        if not callable(hook):
            raise DTypeError(
                f"register_hook: a hook is called with the gradient; {type(hook).__name__} is not callable"
            )
        return Hooks.of(_collecting(tensor, "register_hook")).add(hook)


def _collecting(tensor: Tensor, what: str) -> Any:
    if not isinstance(tensor, Tensor):
        raise DTypeError(f"{what}: expected a Tensor, got {type(tensor).__name__}")
    if tensor._view is not None:
        views.refreshed(tensor)
    if not tensor._requires_grad:
        raise GradientError(
            f"{what}: no gradient is collected for this tensor of shape {tensor.shape}; set requires_grad=True before "
            "computing with it"
        )
    return views.edge(tensor)


def start_gradient(tensor: Tensor, gradient: Any, what: str) -> Any:
    """The gradient to begin with at `tensor`: what was given, checked, or 1 for a single element.

    An array, or a Tensor where one with a history was given.
    """
    if gradient is None:
        if tensor.size != 1:
            raise GradientError(
                f"{what}: an output of shape {tensor.shape} is not a single number, so it needs a gradient of "
                "its shape; pass one, or reduce the output first, with sum() or mean()"
            )
        return np.ones(tensor.shape, tensor.dtype)
    given = gradient if isinstance(gradient, Tensor) else wrap(as_array(gradient, what))
    if given.shape != tensor.shape:
        raise ShapeError(
            f"{what}: the gradient has shape {given.shape}, the output {tensor.shape}; they must be equal"
        )
    if given.dtype != tensor.dtype:
        given = given.astype(tensor.dtype)
    return given if given._requires_grad else given.array
