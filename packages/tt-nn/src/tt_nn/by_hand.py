"""Gradients by hand: call the rule of a Function and leave what belongs to the parameters on them.

The tape of tt-autograd will call the very same rules; here we are the tape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tt_tensor import Function, Tensor, memory
from tt_tensor.tensor import as_array, wrap

from tt_nn.parameter import Parameter

__all__ = ["accumulate", "send_back"]


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
    for index in range(1, len(inputs)):
        parameter = inputs[index]
        if isinstance(parameter, Parameter) and parameter._requires_grad and grads[index] is not None:
            accumulate(parameter, grads[index], array)
    first = grads[0]
    if first is not None:
        return wrap(first if first.__class__ is np.ndarray else np.asarray(first))
    return None if inputs[0].dtype.kind != "f" else wrap(np.zeros(inputs[0].shape, inputs[0].dtype))


def accumulate(parameter: Tensor, grad: Any, upstream: Any = None) -> None:
    """parameter.grad += grad, in memory of its own: a rule may hand on the gradient that it was given."""
    if parameter._grad is not None:
        parameter._grad.array += grad
        memory.mark_written(parameter._grad.array)
    elif grad is upstream or grad.__class__ is not np.ndarray or grad.base is not None:
        parameter._grad = wrap(np.array(grad))
    else:
        parameter._grad = wrap(grad)
