"""GRU: the LSTM's idea with one state and two gates: what is not rewritten stays.

    r, z = σ(aᵣ + bᵣ), σ(a_z + b_z)                     a = W_ih xₜ + b_ih, b = W_hh hₜ₋₁ + b_hh, in three parts
    n = tanh(a_n + r b_n)                               what would be written; r resets what is remembered
    hₜ = (1 - z) n + z hₜ₋₁                             z updates: of the old state a share z stays

The kernels, "loops" and "numpy", share one signature:

    gru(sums (T, N, 3H), h (N, H), weight (3H, H), bias (H,)) → y (T, N, H), gates (T, N, 3H), inner (T, N, H)
    gru_backward(grad (T, N, H), y, gates, inner, h, weight) → gradients at sums, at b, both (T, N, 3H), and at h

`sums` is a for all steps with b_hh of r and z added; `bias` is b_hh of n, which r multiplies; `inner` is b_n.

Source: Cho et al., 2014, arXiv:1406.1078; r stands after the product, as in cuDNN and PyTorch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn.recurrent.over_time import OverTime, products_with
from tt_tensor import Function, Tensor, kernels, sigmoid, split, stack, tanh

__all__ = ["GRUFunction"]


def loops(sums: Any, h: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Number after number."""
    steps, (batch, size) = len(sums), h.shape
    y, gates = np.empty((steps, batch, size), sums.dtype), np.empty_like(sums)
    inner = np.empty_like(y)
    for t, n, j in np.ndindex(steps, batch, size):
        before = h[n] if t == 0 else y[t - 1, n]
        of_r, of_z, of_n = [
            sum(float(w) * float(b) for w, b in zip(weight[j + k * size], before, strict=True))
            for k in range(3)
        ]
        r = 0.5 + 0.5 * math.tanh((float(sums[t, n, j]) + of_r) / 2)  # = σ
        z = 0.5 + 0.5 * math.tanh((float(sums[t, n, j + size]) + of_z) / 2)
        inner[t, n, j] = of_n + float(bias[j])
        new = math.tanh(float(sums[t, n, j + 2 * size]) + r * float(inner[t, n, j]))
        gates[t, n, [j, j + size, j + 2 * size]] = r, z, new
        y[t, n, j] = (1 - z) * new + z * float(before[j])
    return y, gates, inner


def loops_backward(grad: Any, y: Any, gates: Any, inner: Any, h: Any, weight: Any) -> tuple[Any, Any, Any]:
    """Number after number, from the last step to the first."""
    steps, batch, size = inner.shape
    sums, hidden, dh = np.empty_like(gates), np.empty_like(gates), np.zeros_like(h)
    for t in reversed(range(steps)):
        kept = np.empty_like(h)
        for n, j in np.ndindex(batch, size):
            r, z, new = [float(gates[t, n, j + k * size]) for k in range(3)]
            before = float(h[n, j] if t == 0 else y[t - 1, n, j])
            at_h = float(dh[n, j]) + float(grad[t, n, j])
            at_n = at_h * (1 - z) * (1 - new * new)
            sums[t, n, j] = hidden[t, n, j] = at_n * float(inner[t, n, j]) * r * (1 - r)
            sums[t, n, j + size] = hidden[t, n, j + size] = at_h * (before - new) * z * (1 - z)
            sums[t, n, j + 2 * size], hidden[t, n, j + 2 * size] = at_n, at_n * r
            kept[n, j] = at_h * z
        for n, k in np.ndindex(batch, size):
            dh[n, k] = float(kept[n, k]) + sum(
                float(hidden[t, n, j]) * float(weight[j, k]) for j in range(3 * size)
            )
    return sums, hidden, dh


def numpy(sums: Any, h: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any]:
    """The same, a step at a time, both gates in one pass: σ(a) = tanh(a/2)/2 + 1/2."""
    steps, (batch, size) = len(sums), h.shape
    y, inner = (np.empty((steps, batch, size), sums.dtype) for _ in range(2))
    gates, weight, two = sums.copy(), weight.T, 2 * size
    for t in range(steps):
        now, of_n = gates[t], inner[t]
        products = h.dot(weight)
        np.add(products[:, two:], bias, of_n)
        both, new = now[:, :two], now[:, two:]
        both += products[:, :two]
        both *= 0.5
        np.tanh(both, both)
        both *= 0.5
        both += 0.5
        new += both[:, :size] * of_n
        np.tanh(new, new)
        after = np.subtract(h, new, y[t])
        after *= both[:, size:]
        after += new
        h = after
    return y, gates, inner


def numpy_backward(grad: Any, y: Any, gates: Any, inner: Any, h: Any, weight: Any) -> tuple[Any, Any, Any]:
    """The same, a step at a time; the slopes of all steps at once."""
    steps, batch, size = inner.shape
    two = 2 * size
    r, z, new = (gates[:, :, k * size : (k + 1) * size] for k in range(3))
    sums = 1 - gates
    sums *= gates
    sums[:, :, two:] = (1 - z) * (1 - new * new)
    sums[:, :, :size] *= inner
    if steps:
        sums[0, :, size:two] *= h - new[0]
        sums[1:, :, size:two] *= y[:-1] - new[1:]
    hidden, dh = np.empty_like(sums), np.zeros((batch, size), grad.dtype)
    for t in reversed(range(steps)):
        now, for_h = sums[t], hidden[t]
        dh += grad[t]
        now[:, size:two] *= dh
        now[:, two:] *= dh
        now[:, :size] *= now[:, two:]
        for_h[:, :two] = now[:, :two]
        np.multiply(now[:, two:], r[t], for_h[:, two:])
        dh *= z[t]
        dh += for_h.dot(weight)
    return sums, hidden, dh


kernels.register("gru", "loops", loops)
kernels.register("gru", "numpy", numpy, default=True)
kernels.register("gru_backward", "loops", loops_backward)
kernels.register("gru_backward", "numpy", numpy_backward, default=True)


class GRUFunction(OverTime, Function):
    """y (T, N, H) of x (T, N, I), h (N, H), weight_ih, weight_hh and two biases, or none.

    With dhₜ = gradₜ + z dhₜ₊₁ + W_hhᵀ dbₜ₊₁: da_n = dh (1 - z)(1 - n²), da_z = dh (hₜ₋₁ - n) z(1 - z),
    daᵣ = da_n b_n r(1 - r), and db is da, in its third part times r; dx = da W_ih, dW_ih = Σ daₜᵀ xₜ,
    dW_hh = Σ dbₜᵀ hₜ₋₁, and of the biases Σ daₜ and Σ dbₜ.
    """

    name, gates = "gru", 3

    def _added_at_once(self, bias_ih: Any, bias_hh: Any) -> Any:
        found = bias_ih + bias_hh
        inside = 2 * len(found) // 3
        found[inside:] = bias_ih[inside:]
        return found

    def run(self, sums: Any, h: Any, weight: Any, *biases: Any) -> Any:
        size = h.shape[1]
        bias = biases[1][2 * size :] if biases else np.zeros(size, sums.dtype)
        self.y, self.opened, self.inner = kernels.kernel("gru")(sums, h, weight, bias)
        return self.y

    def send_back(self, grad: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        sums, hidden, dh = kernels.kernel("gru_backward")(
            grad, self.y, self.opened, self.inner, self.initial[0], self.weight_hh
        )
        return sums, hidden, (dh,)

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
            of_x, of_h = split(sums[t], 3, 1), split(products_with(h, weight_hh, bias_hh), 3, 1)
            r, z = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
            new = tanh(of_x[2] + r * of_h[2])
            h = new + z * (h - new)
            found.append(h)
        return stack(found) if found else sums[:, :, : h.shape[1]]
