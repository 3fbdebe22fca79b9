"""One step of Adam over a stretch of numbers: the operation "adam" of the table of kernels.

    adam(values, grads, mean, square, largest, scratch, sign, decay, shrink, beta1, beta2, pace, floor)

        g ← sign·grads + decay·values
        mean ← beta1·mean + (1 − beta1)·g
        square ← beta2·square + (1 − beta2)·g²
        largest ← max(largest, square), in the place of square from here on, if it is not None
        values ← shrink·values − pace·mean / (√square + floor)

All arrays have shape (n,) and one dtype; values, mean, square and largest are written, grads are not. `scratch` are two
more of these. The numbers are Python floats: pace and floor hold the bias corrections, which are the same for all n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tt_optim.averages import fade_mean, fade_square
from tt_tensor.kernels import table

__all__ = ["loops", "numpy"]


def loops(
    values: np.ndarray,
    grads: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    largest: np.ndarray | None,
    scratch: Sequence[np.ndarray],
    sign: float,
    decay: float,
    shrink: float,
    beta1: float,
    beta2: float,
    pace: float,
    floor: float,
) -> None:
    """One number after the other."""
    for i in range(len(values)):
        value = float(values[i])
        grad = sign * float(grads[i]) + (decay * value if decay else 0.0)
        m = beta1 * float(mean[i]) + (1 - beta1) * grad
        v = beta2 * float(square[i]) + (1 - beta2) * grad * grad
        mean[i], square[i] = m, v
        if largest is not None:
            v = max(float(largest[i]), v) if not math.isnan(v) else v
            largest[i] = v
        below = math.sqrt(v) + floor if v >= 0 else math.nan
        quotient = m / below if below else m * math.inf
        values[i] = shrink * value - pace * quotient


def numpy(
    values: np.ndarray,
    grads: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    largest: np.ndarray | None,
    scratch: Sequence[np.ndarray],
    sign: float,
    decay: float,
    shrink: float,
    beta1: float,
    beta2: float,
    pace: float,
    floor: float,
) -> None:
    """All numbers at once, a dozen passes over arrays that the cache holds."""
    work = scratch[1]
    if sign < 0:
        grads = np.negative(grads, scratch[0])
    if decay:
        grads = np.add(grads, np.multiply(values, decay, work), scratch[0])
    if shrink != 1:
        values *= shrink
    fade_mean(mean, grads, beta1, work)
    fade_square(square, grads, beta2, work)
    if largest is not None:
        square = np.maximum(largest, square, out=largest)
    np.sqrt(square, work)
    work += floor
    np.divide(mean, work, work)
    work *= pace
    np.subtract(values, work, values)


table.register("adam", "loops", loops)
table.register("adam", "numpy", numpy, default=True)
