"""Gradients by hand: call the rule of a Function and leave what belongs to the parameters on them.

The tape of tt-autograd will call the very same rules; here we are the tape.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.parameter import Parameter
from tt_tensor import Function, Tensor, memory
from tt_tensor.tensor import as_array, wrap

__all__ = ["accumulate", "send_back"]

ndarray = np.ndarray


def send_back(function: Function, grad: Any) -> Tensor | None:
    """Send `grad` back through `function`: add to `.grad` of the Parameters among its inputs, return the gradient
    at its first input (None where that is of an integer dtype).

    Raises ShapeError if `grad` does not fit the output, InPlaceError if a saved value was overwritten since.
    """
    array: Any = grad
    if isinstance(grad, Tensor):
        array = grad.array
    elif not isinstance(grad, np.floating):
        array = as_array(grad, "backward")
    grads = function.gradients(array)
    inputs = function.inputs
    if len(inputs) > 1:
        # What may not become a parameter's own: the gradient that came in, the one that goes out, one taken before.
        taken = {id(array), id(grads[0])}
        for parameter, g in zip(inputs[1:], grads[1:], strict=True):
            if g is not None and isinstance(parameter, Parameter) and parameter._requires_grad:
                own = g.__class__ is ndarray and g.base is None and id(g) not in taken
                if own and parameter._grad is None:
                    parameter._grad = wrap(g)
                    taken.add(id(g))
                else:
                    accumulate(parameter, g)
    first = grads[0]
    if first is not None:
        return wrap(first if first.__class__ is ndarray else np.asarray(first))
    return None if inputs[0].dtype.kind != "f" else wrap(np.zeros(inputs[0].shape, inputs[0].dtype))


def accumulate(parameter: Tensor, grad: Any) -> None:
    """parameter.grad += grad, in memory of its own."""
    if parameter._grad is None:
        parameter._grad = wrap(np.array(grad))
    else:
        parameter._grad.array += grad
        memory.mark_written(parameter._grad.array)
