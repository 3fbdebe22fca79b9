"""RNNCell, LSTMCell and GRUCell: one step, for loops of your own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import init
from tt_nn.by_tape import ByTape
from tt_nn.parameter import Parameter
from tt_nn.recurrent.gru import GRUFunction
from tt_nn.recurrent.lstm import LSTMFunction
from tt_nn.recurrent.rnn import RNNFunction
from tt_tensor import Tensor, as_tensor, random, zeros
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "is_relu"]


def is_relu(what: str, nonlinearity: Any) -> bool:
    """Whether it is "relu"; the other one is "tanh". Raises ArgumentError for any other."""
    if nonlinearity not in ("tanh", "relu"):
        raise ArgumentError(f"{what}: nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
    return bool(nonlinearity == "relu")


class _Cell(ByTape):
    """One step of a recurrent network: its parameters, and how it is given its state."""

    gates = 1

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = None) -> None:
        name = type(self).__name__
        self.input_size = whole_number(name, "input_size", input_size)
        self.hidden_size = whole_number(name, "hidden_size", hidden_size, 1)
        self.bias, wide = bool(bias), self.gates * self.hidden_size

        def made(*shape: int) -> Parameter:
            return Parameter(np.zeros(shape, np.float32), dtype=dtype)

        self.weight_ih, self.weight_hh = made(wide, self.input_size), made(wide, self.hidden_size)
        self.bias_ih = made(wide) if bias else None
        self.bias_hh = made(wide) if bias else None
        if init.wanted():
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all anew, uniformly from ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            parameter.write(random.uniform(-bound, bound, parameter.shape, dtype=parameter.dtype))

    def step(self, function: Any, x: Tensor, *states: Any) -> Tensor:
        """`function` over a sequence of this one step; x and the states are (N, …) or without that axis."""
        name = type(self).__name__
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: the input is (batch, {self.input_size}) or ({self.input_size},), not of shape {x.shape}"
            )
        shape = (*x.shape[:-1], self.hidden_size)
        given = [zeros(shape, dtype=x.dtype) if state is None else as_tensor(state) for state in states]
        for state in given:
            if state.shape != shape:
                raise ShapeError(
                    f"{name}: for an input of shape {x.shape}, a state has shape {shape}, not {state.shape}"
                )
        wide = (1, x.shape[0] if x.ndim == 2 else 1)
        y = function(
            x.reshape(*wide, self.input_size),
            *[state.reshape(wide[1], self.hidden_size) for state in given],
            self.weight_ih,
            self.weight_hh,
            *[bias for bias in (self.bias_ih, self.bias_hh) if bias is not None],
        )
        return y.reshape(len(y), *shape)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    """h′ = tanh(W_ih x + b_ih + W_hh h + b_hh), or the positive part.

    Args:
        input_size, hidden_size: I and H.
        bias: whether there are biases.
        nonlinearity: "tanh" or "relu".
        dtype: of the parameters; float32 by default.

    Parameters: `weight_ih` (H, I), `weight_hh` (H, H), `bias_ih` and `bias_hh` (H,), drawn uniformly from ±1/√H.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = None,
    ) -> None:
        is_relu("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        """The new state (N, H), of x (N, I) and the state before, zeros by default; or both without N."""
        return self.step(RNNFunction(self.nonlinearity == "relu"), as_tensor(input), hx)[0]

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else ", nonlinearity=relu")


class LSTMCell(_Cell):
    """c′ = f c + i g and h′ = o tanh(c′): see `LSTM`.

    Parameters: `weight_ih` (4H, I), `weight_hh` (4H, H), `bias_ih` and `bias_hh` (4H,), the parts for i, f, g, o one
    after the other, drawn uniformly from ±1/√H.
    """

    gates = 4

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Tensor]:
        """(h′, c′), each (N, H), of x (N, I) and (h, c), zeros by default; or all without N."""
        if hx is not None and not (isinstance(hx, tuple | list) and len(hx) == 2):
            raise ArgumentError(f"LSTMCell: the state is a tuple (h, c), not {type(hx).__name__}")
        y = self.step(LSTMFunction(), as_tensor(input), *(hx or (None, None)))
        return y[0], y[1]


class GRUCell(_Cell):
    """h′ = (1 - z) n + z h: see `GRU`.

    Parameters: `weight_ih` (3H, I), `weight_hh` (3H, H), `bias_ih` and `bias_hh` (3H,), the parts for r, z, n one after
    the other, drawn uniformly from ±1/√H.
    """

    gates = 3

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        """The new state (N, H), of x (N, I) and the state before, zeros by default; or both without N."""
        return self.step(GRUFunction(), as_tensor(input), hx)[0]
