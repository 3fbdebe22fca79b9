"""The simple recurrent network of 1990: the new state is made of the input and of the state before.

    hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh), or the positive part in the place of tanh

Its gradient goes through as many products with W_hh as there are steps, and so dies out or explodes: what LSTM is for.
The kernels, "loops" and "numpy", share one signature:

    rnn(sums (T, N, H), h (N, H), weight (H, H), relu) → y (T, N, H)
    rnn_backward(grad (T, N, H), y, weight, relu) → gradients at sums and h

`sums` is W_ih x with both biases, for all steps.

Source: Elman, "Finding Structure in Time", 1990; the way back is Werbos's, "Backpropagation Through Time", 1990.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn.recurrent.over_time import OverTime, products_with
from tt_tensor import Function, Tensor, kernels, maximum, stack, tanh

__all__ = ["RNNFunction"]


def loops(sums: Any, h: Any, weight: Any, relu: bool) -> Any:
    """Number after number."""
    y = np.empty_like(sums)
    for t, n, j in np.ndindex(sums.shape):
        before = h[n] if t == 0 else y[t - 1, n]
        a = float(sums[t, n, j]) + sum(float(w) * float(b) for w, b in zip(weight[j], before, strict=True))
        y[t, n, j] = max(a, 0.0) if relu else math.tanh(a)
    return y


def loops_backward(grad: Any, y: Any, weight: Any, relu: bool) -> tuple[Any, Any]:
    """Number after number, from the last step to the first."""
    sums, dh = np.zeros_like(grad), np.zeros_like(grad[0] if len(grad) else grad.sum(axis=0))
    for t in reversed(range(len(grad))):
        dh = dh + grad[t]
        for n, j in np.ndindex(dh.shape):
            slope = float(y[t, n, j] > 0) if relu else 1 - float(y[t, n, j]) ** 2
            sums[t, n, j] = float(dh[n, j]) * slope
        for n, k in np.ndindex(dh.shape):
            dh[n, k] = sum(float(sums[t, n, j]) * float(weight[j, k]) for j in range(len(weight)))
    return sums, dh


def numpy(sums: Any, h: Any, weight: Any, relu: bool) -> Any:
    """The same, a step at a time."""
    y, weight = sums.copy(), weight.T
    for now in y:
        now += h.dot(weight)
        h = np.maximum(now, 0, out=now) if relu else np.tanh(now, now)
    return y


def numpy_backward(grad: Any, y: Any, weight: Any, relu: bool) -> tuple[Any, Any]:
    """The same, a step at a time; the slopes of all steps at once."""
    sums = (y > 0).astype(y.dtype) if relu else 1 - y * y
    dh = np.zeros(grad.shape[1:], grad.dtype)
    for t in reversed(range(len(grad))):
        dh += grad[t]
        sums[t] *= dh
        dh = sums[t].dot(weight)
    return sums, dh


kernels.register("rnn", "loops", loops)
kernels.register("rnn", "numpy", numpy, default=True)
kernels.register("rnn_backward", "loops", loops_backward)
kernels.register("rnn_backward", "numpy", numpy_backward, default=True)


class RNNFunction(OverTime, Function):
    """y (T, N, H) of x (T, N, I), h (N, H), weight_ih, weight_hh and two biases, or none: hₜ = tanh(aₜ), see above.

    With dhₜ = gradₜ + W_hhᵀ daₜ₊₁ and daₜ = dhₜ (1 - hₜ²): dx = da W_ih, dW_ih = Σ daₜᵀ xₜ, dW_hh = Σ daₜᵀ hₜ₋₁,
    db = Σ daₜ; the slope is that of the positive part where `relu` is said.
    """

    name, gates = "rnn", 1

    def __init__(self, relu: bool = False) -> None:
        self.relu = relu

    def run(self, sums: Any, h: Any, weight: Any, *biases: Any) -> Any:
        self.y = kernels.kernel("rnn")(sums, h, weight, self.relu)
        return self.y

    def send_back(self, grad: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        sums, dh = kernels.kernel("rnn_backward")(grad, self.y, self.weight_hh, self.relu)
        return sums, sums, (dh,)

    @property
    def hidden(self) -> Any:
        return self.y

    def composite(
        self, x: Any, h: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any = None, bias_hh: Any = None
    ) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        found: list[Any] = []
        sums = products_with(x, weight_ih, bias_ih)
        for t in range(len(x)):
            a = sums[t] + products_with(h, weight_hh, bias_hh)
            h = maximum(a, 0) if self.relu else tanh(a)
            found.append(h)
        return stack(found) if found else sums
