"""One step of SGD over a stretch of numbers: the operation "sgd" of the table of kernels.

    sgd(values, grads, buffer, scratch, sign, decay, momentum, share, nesterov, lr)

        g ← sign·grads + decay·values
        buffer ← momentum·buffer + share·g
        g ← g + momentum·buffer with nesterov, else buffer
        values ← values − lr·g

Without momentum buffer is None, and the two lines in the middle fall away. All arrays have shape (n,) and one dtype;
values and buffer are written, grads are not. `scratch` are two more of these. In the first step the buffer holds zeros,
and share is 1; later it is 1 − dampening. The numbers are Python floats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tt_tensor.kernels import table
from tt_tensor.ops.plain import number_like

__all__ = ["loops", "numpy"]


def loops(
    values: np.ndarray,
    grads: np.ndarray,
    buffer: np.ndarray | None,
    scratch: Sequence[np.ndarray],
    sign: float,
    decay: float,
    momentum: float,
    share: float,
    nesterov: bool,
    lr: float,
) -> None:
    """One number after the other."""
    for i in range(len(values)):
        value = float(values[i])
        grad = sign * float(grads[i]) + (decay * value if decay else 0.0)
        if buffer is not None:
            kept = momentum * float(buffer[i]) + share * grad
            buffer[i] = kept
            grad = grad + momentum * kept if nesterov else kept
        values[i] = value - lr * grad


def numpy(
    values: np.ndarray,
    grads: np.ndarray,
    buffer: np.ndarray | None,
    scratch: Sequence[np.ndarray],
    sign: float,
    decay: float,
    momentum: float,
    share: float,
    nesterov: bool,
    lr: float,
) -> None:
    """All numbers at once, over arrays that the cache holds."""
    work = scratch[1]
    if sign < 0:
        grads = np.negative(grads, scratch[0])
    if decay:
        grads = np.add(grads, np.multiply(values, decay, work), scratch[0])
    if buffer is not None:
        buffer *= momentum
        buffer += grads if share == 1 else np.multiply(grads, share, work)
        if nesterov:
            grads = np.add(grads, np.multiply(buffer, momentum, work), scratch[0])
        else:
            grads = buffer
    np.subtract(values, np.multiply(grads, number_like(lr, work), work), values)


table.register("sgd", "loops", loops)
table.register("sgd", "numpy", numpy, default=True)
