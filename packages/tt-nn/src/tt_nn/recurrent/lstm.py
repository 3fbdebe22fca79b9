"""LSTM: a cell that keeps what was written into it, behind gates that open to write, to forget and to read.

    i, f, g, o = σ(aᵢ), σ(a_f), tanh(a_g), σ(a_o)       a = W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh, four parts (N, H)
    cₜ = f cₜ₋₁ + i g                                   the cell: a sum, through which a gradient passes unharmed
    hₜ = o tanh(cₜ)                                     what the others see

The kernels, "loops" and "numpy", share one signature:

    lstm(sums (T, N, 4H), h (N, H), c (N, H), weight (4H, H), ends) → y (T + 1, N, H), gates (T, N, 4H), cells (T, N, H)
    lstm_backward(grad (T + 1, N, H), gates, cells, c, weight, ends) → gradients at sums, h and c

`sums` is W_ih x with both biases, for all steps; the last row of y is the last cell, the others are the hidden states.
`ends` is the last step of each sequence of the batch, integers (N,), or None where it is T - 1 for all.

Source: Hochreiter & Schmidhuber, "Long Short-Term Memory", 1997; the gate that forgets is by Gers, Schmidhuber &
Cummins, "Learning to Forget", 2000.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn.recurrent.over_time import OverTime, products_with
from tt_tensor import Function, Tensor, kernels, sigmoid, split, stack, tanh

__all__ = ["LSTMFunction"]


def loops(sums: Any, h: Any, c: Any, weight: Any, ends: Any = None) -> tuple[Any, Any, Any]:
    """Number after number."""
    steps, (batch, size) = len(sums), h.shape
    y, gates = np.empty((steps + 1, batch, size), sums.dtype), np.empty_like(sums)
    cells = np.empty((steps, batch, size), sums.dtype)
    y[steps] = c
    for t, n in np.ndindex(steps, batch):
        hidden, cell = (h[n], c[n]) if t == 0 else (y[t - 1, n], cells[t - 1, n])
        for j in range(4 * size):
            a = float(sums[t, n, j]) + sum(
                float(w) * float(b) for w, b in zip(weight[j], hidden, strict=True)
            )
            is_tanh = 2 * size <= j < 3 * size
            gates[t, n, j] = math.tanh(a) if is_tanh else 0.5 + 0.5 * math.tanh(a / 2)  # = σ(a)
        for j in range(size):
            i, f, g, o = [float(gates[t, n, j + k * size]) for k in range(4)]
            cells[t, n, j] = f * float(cell[j]) + i * g
            y[t, n, j] = o * math.tanh(float(cells[t, n, j]))
        if ends is None or t == ends[n]:
            y[steps, n] = cells[t, n]
    return y, gates, cells


def loops_backward(
    grad: Any, gates: Any, cells: Any, c: Any, weight: Any, ends: Any = None
) -> tuple[Any, Any, Any]:
    """Number after number, from the last step to the first."""
    steps, batch, size = cells.shape
    sums, dh = np.empty_like(gates), np.zeros_like(c)
    dc = grad[steps].copy() if ends is None else np.zeros_like(c)
    for t in reversed(range(steps)):
        for n, j in np.ndindex(batch, size):
            i, f, g, o = [float(gates[t, n, j + k * size]) for k in range(4)]
            before = float(c[n, j] if t == 0 else cells[t - 1, n, j])
            if ends is not None and t == ends[n]:
                dc[n, j] += grad[steps, n, j]
            seen, at_h = math.tanh(float(cells[t, n, j])), float(dh[n, j]) + float(grad[t, n, j])
            at_c = float(dc[n, j]) + at_h * o * (1 - seen * seen)
            sums[t, n, j] = at_c * g * i * (1 - i)
            sums[t, n, j + size] = at_c * before * f * (1 - f)
            sums[t, n, j + 2 * size] = at_c * i * (1 - g * g)
            sums[t, n, j + 3 * size] = at_h * seen * o * (1 - o)
            dc[n, j] = at_c * f
        for n, k in np.ndindex(batch, size):
            dh[n, k] = sum(float(sums[t, n, j]) * float(weight[j, k]) for j in range(4 * size))
    return sums, dh, dc


def numpy(sums: Any, h: Any, c: Any, weight: Any, ends: Any = None) -> tuple[Any, Any, Any]:
    """The same, a step at a time, all four gates in one pass: σ(a) = tanh(a/2)/2 + 1/2, and a/2 rounds nothing."""
    steps, (batch, size) = len(sums), h.shape
    scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], sums.dtype), size)
    gates, weight, rest = sums * scale, weight.T * scale, 1 - scale
    y, cells = (np.empty((count, batch, size), sums.dtype) for count in (steps + 1, steps))
    for t in range(steps):
        now, cell = gates[t], cells[t]
        now += h.dot(weight)
        np.tanh(now, now)
        now *= scale
        now += rest
        i, f, g, o = (now[:, k * size : (k + 1) * size] for k in range(4))
        np.multiply(f, c, cell)
        cell += i * g
        h, c = np.tanh(cell, y[t]), cell
        h *= o
    y[steps] = c if ends is None else cells[ends, np.arange(batch)]
    return y, gates, cells


def numpy_backward(
    grad: Any, gates: Any, cells: Any, c: Any, weight: Any, ends: Any = None
) -> tuple[Any, Any, Any]:
    """The same, a step at a time; the slopes of all steps at once."""
    steps, batch, size = cells.shape
    sums = 1 - gates
    sums *= gates
    of_g = slice(2 * size, 3 * size)
    sums[:, :, of_g] = 1 - gates[:, :, of_g] ** 2
    seen = np.tanh(cells)
    dh = np.zeros((batch, size), grad.dtype)
    dc = grad[steps].copy() if ends is None else np.zeros_like(dh)
    for t in reversed(range(steps)):
        now = sums[t]
        i, f, g, o = (gates[t, :, k * size : (k + 1) * size] for k in range(4))
        di, df, dg, do = (now[:, k * size : (k + 1) * size] for k in range(4))
        dh += grad[t]
        do *= dh * seen[t]
        dh *= o
        if ends is not None:
            here = ends == t
            dc[here] += grad[steps, here]
        dc += dh
        dh *= seen[t]
        dh *= seen[t]
        dc -= dh
        di *= dc * g
        df *= dc * (cells[t - 1] if t else c)
        dg *= dc * i
        dc *= f
        dh = now.dot(weight)
    return sums, dh, dc


kernels.register("lstm", "loops", loops)
kernels.register("lstm", "numpy", numpy, default=True)
kernels.register("lstm_backward", "loops", loops_backward)
kernels.register("lstm_backward", "numpy", numpy_backward, default=True)


class LSTMFunction(OverTime, Function):
    """(T + 1, N, H), hidden states and the last cell, of x (T, N, I), h and c (N, H), weights and two biases, or none.

    With dhₜ = gradₜ + W_hhᵀ daₜ₊₁ and dcₜ = fₜ₊₁ dcₜ₊₁ + dhₜ o (1 - tanh²cₜ): da is, part by part, dc g i(1 - i),
    dc cₜ₋₁ f(1 - f), dc i (1 - g²) and dh tanh(c) o(1 - o); dx = da W_ih, dW_ih = Σ daₜᵀ xₜ, dW_hh = Σ daₜᵀ hₜ₋₁,
    db = Σ daₜ.
    """

    name, gates, states = "lstm", 4, 2

    def __init__(self, ends: Any = None) -> None:
        self.ends = ends

    def run(self, sums: Any, h: Any, c: Any, weight: Any, *biases: Any) -> Any:
        self.y, self.opened, self.cells = kernels.kernel("lstm")(sums, h, c, weight, self.ends)
        return self.y

    def send_back(self, grad: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        sums, dh, dc = kernels.kernel("lstm_backward")(
            grad, self.opened, self.cells, self.initial[1], self.weight_hh, self.ends
        )
        return sums, sums, (dh, dc)

    @property
    def hidden(self) -> Any:
        return self.y[:-1]

    def composite(
        self, x: Any, h: Any, c: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any = None, bias_hh: Any = None
    ) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        found: list[Any] = []
        cells: list[Any] = []
        sums = products_with(x, weight_ih, bias_ih)
        for t in range(len(x)):
            i, f, g, o = split(sums[t] + products_with(h, weight_hh, bias_hh), 4, 1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(c)
            found.append(h)
            cells.append(c)
        last = c if self.ends is None else stack(cells)[self.ends, np.arange(x.shape[1])]
        return stack([*found, last])
