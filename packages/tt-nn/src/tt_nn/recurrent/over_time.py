"""What RNN, LSTM and GRU have in common as Functions: one application reads a whole sequence.

The products of all inputs with `weight_ih` wait for nobody, so they are one product of matrices; what does wait, step
after step, is the kernel of the operation (rnn.py, lstm.py, gru.py). On the way back the kernel gives the gradients of
all steps' sums at once, and the gradients of the weights are one product each.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn.blocks import working
from tt_nn.products import matrix_product
from tt_nn.sums import over_rows
from tt_tensor.errors import ShapeError

if TYPE_CHECKING:
    from tt_tensor import Tensor

__all__ = ["OverTime", "products_with"]


class OverTime:
    """Part of a Function of x (T, N, I), states (N, H), weight_ih (G·H, I), weight_hh (G·H, H), two biases (G·H,).

    The biases may be left out, both. G is the number of `gates`, each of whose rows stand together.
    """

    name: str
    gates: int
    states = 1
    inputs: tuple[Any, ...]
    needs: tuple[bool, ...] | None

    def forward(self, x: Any, *given: Any) -> Any:
        kind = np.result_type(x, *given)
        wide = [working(part, self.name).astype(self._computed_in(kind), copy=False) for part in (x, *given)]
        x, (weight_ih, weight_hh, *biases) = wide[0], wide[1 + self.states :]
        states = wide[1 : 1 + self.states]
        self._check(x, states, weight_ih, weight_hh, biases)
        self.x, self.initial, self.weight_ih, self.weight_hh = x, states, weight_ih, weight_hh
        sums = matrix_product(self._rows(x), weight_ih.T)
        if biases:
            sums += self._added_at_once(*biases)
        y = self.run(sums.reshape(*x.shape[:2], len(weight_ih)), *states, weight_hh, *biases)
        return y.astype(kind, copy=False)

    def backward(self, grad: Any) -> Any:
        grad = grad.astype(self.x.dtype, copy=False)
        sums, hidden, states = self.send_back(grad)
        needs = self.needs or (True,) * len(self.inputs)
        first, (of_ih, of_hh, *of_biases) = needs[0], needs[1 + self.states :]
        rows = self._rows(sums)
        found = [
            matrix_product(rows, self.weight_ih).reshape(self.x.shape) if first else None,
            *states,
            matrix_product(rows.T, self._rows(self.x)) if of_ih else None,
            self._of_weight_hh(hidden) if of_hh else None,
        ]
        if of_biases:
            found.append(over_rows(rows))
            found.append(np.array(found[-1]) if hidden is sums else over_rows(self._rows(hidden)))
        return tuple(found)

    def run(self, sums: Any, *given: Any) -> Any:
        """The steps, forth: what comes out, of the sums over the inputs (T, N, G·H), the states, weight_hh, biases."""
        raise NotImplementedError

    def send_back(self, grad: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        """The steps, back: gradients at the sums over the inputs, at those over the hidden state, at the states."""
        raise NotImplementedError

    @property
    def hidden(self) -> Any:
        """The hidden states after each step, (T, N, H)."""
        raise NotImplementedError

    def _of_weight_hh(self, sums: Any) -> Any:
        """Σ over the steps of sumsₜᵀ hₜ₋₁, without a copy of all the hidden states behind the first."""
        found = np.zeros_like(self.weight_hh)
        if len(sums):
            found += sums[0].T.dot(self.initial[0])
            found += matrix_product(self._rows(sums[1:]).T, self._rows(self.hidden[: len(sums) - 1]))
        return found

    def _added_at_once(self, bias_ih: Any, bias_hh: Any) -> Any:
        """What is added to the sums over the inputs of all steps."""
        return bias_ih + bias_hh

    @staticmethod
    def _rows(x: Any) -> Any:
        return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])

    @staticmethod
    def _computed_in(kind: Any) -> Any:
        return np.dtype(np.float32) if kind == np.float16 else kind

    def _check(self, x: Any, states: list[Any], weight_ih: Any, weight_hh: Any, biases: list[Any]) -> None:
        """Raise ShapeError where anything does not fit."""
        if x.ndim != 3:
            raise ShapeError(f"{self.name}: the input is (steps, batch, input_size), not of shape {x.shape}")
        _, n, features = x.shape
        size = weight_hh.shape[-1] if weight_hh.ndim else 0
        wide = self.gates * size
        wanted: list[tuple[str, Any, tuple[int, ...]]] = [("the state", state, (n, size)) for state in states]
        wanted += [("weight_ih", weight_ih, (wide, features)), ("weight_hh", weight_hh, (wide, size))]
        wanted += [("a bias", bias, (wide,)) for bias in biases]
        for what, part, shape in wanted:
            if part.shape != shape:
                raise ShapeError(
                    f"{self.name}: for an input of shape {x.shape} and a hidden size of {size}, {what} has shape "
                    f"{shape}, not {part.shape}"
                )


def products_with(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """x weightᵀ + bias on Tensors: what a composite is made of."""
    from tt_tensor import matmul, swapaxes

    y = matmul(x, swapaxes(weight, 0, 1))
    return y if bias is None else y + bias
