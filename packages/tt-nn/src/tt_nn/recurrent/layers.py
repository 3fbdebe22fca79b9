"""RNN, LSTM and GRU: layers of one Function for each direction over the whole sequence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import init
from tt_nn.by_tape import ByTape
from tt_nn.dropout import dropout as drop
from tt_nn.parameter import Parameter
from tt_nn.recurrent.cells import is_relu
from tt_nn.recurrent.gru import GRUFunction
from tt_nn.recurrent.lstm import LSTMFunction
from tt_nn.recurrent.packing import PackedSequence, again_like, side_by_side
from tt_nn.recurrent.rnn import RNNFunction
from tt_tensor import Function, Tensor, as_tensor, concatenate, random, stack, swapaxes, zeros
from tt_tensor.arguments import probability, whole_number
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["GRU", "LSTM", "RNN"]

PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
"""The parameters of a layer, in the order in which its Function takes them."""


class _Layers(ByTape):
    """`num_layers` of them, each of which reads what the one below said, in one direction or in both."""

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = None,
    ) -> None:
        name = type(self).__name__
        self.input_size = whole_number(name, "input_size", input_size)
        self.hidden_size = whole_number(name, "hidden_size", hidden_size, 1)
        self.num_layers = whole_number(name, "num_layers", num_layers, 1)
        self.bias, self.batch_first, self.bidirectional = bool(bias), bool(batch_first), bool(bidirectional)
        self.dropout = probability(name, "dropout", dropout)
        wide = self.gates * self.hidden_size
        for layer in range(self.num_layers):
            below = self.hidden_size * len(self._directions()) if layer else self.input_size
            for end in self._directions():
                shapes = [(wide, below), (wide, self.hidden_size), *([(wide,), (wide,)] if bias else [])]
                for part, shape in zip(PARTS, shapes, strict=False):
                    made = Parameter(np.zeros(shape, np.float32), dtype=dtype)
                    setattr(self, f"{part}_l{layer}{end}", made)
        if init.wanted():
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all anew, uniformly from ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            parameter.write(random.uniform(-bound, bound, parameter.shape, dtype=parameter.dtype))

    def flatten_parameters(self) -> None:
        """Nothing: in PyTorch it moves the weights to where cuDNN wants them."""

    def function(self, ends: Any = None) -> Function:
        """One application, over a sequence."""
        raise NotImplementedError

    def _directions(self) -> tuple[str, ...]:
        """How the names of their parameters end."""
        return ("", "_reverse") if self.bidirectional else ("",)

    def _through(self, input: Any, states: tuple[Any, ...]) -> tuple[Any, list[Tensor]]:
        """What the last layer said at each step, and each kind of last states, (layers · directions, N, H)."""
        if isinstance(input, PackedSequence):
            return self._through_packed(input, states)
        x = as_tensor(input)
        name, features = type(self).__name__, self.input_size
        batched = x.ndim == 3
        if x.ndim not in (2, 3) or x.shape[-1] != features:
            order = "(batch, steps, {})" if self.batch_first else "(steps, batch, {})"
            raise ShapeError(
                f"{name}: the input is {order.format(features)}, or (steps, {features}) without a batch, not of shape "
                f"{x.shape}"
            )
        if not batched:
            x = x[:, None]
        elif self.batch_first:
            x = swapaxes(x, 0, 1)
        if not len(x):
            raise ShapeError(
                f"{name}: the input of shape {as_tensor(input).shape} has no step; at least one is needed"
            )
        x, ends = self._run(x, self._initial(states, x, batched))
        if not batched:
            return x[:, 0], [end[:, 0] for end in ends]
        return (swapaxes(x, 0, 1) if self.batch_first else x), ends

    def _through_packed(self, input: PackedSequence, states: tuple[Any, ...]) -> tuple[Any, list[Tensor]]:
        """The same for sequences of different lengths, in the order of the batch that was packed."""
        x, last = side_by_side(input)
        if x.ndim != 3 or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{type(self).__name__}: what is packed has {self.input_size} numbers for each step, not shape "
                f"{input.data.shape[1:]}"
            )
        initial = self._initial(states, x, True)
        if input.sorted_indices is not None:
            initial = [state[:, input.sorted_indices.array] for state in initial]
        y, ends = self._run(x, initial, last)
        if input.unsorted_indices is not None:
            ends = [end[:, input.unsorted_indices.array] for end in ends]
        return again_like(input, y), ends

    def _run(self, x: Tensor, initial: list[Tensor], ends: Any = None) -> tuple[Tensor, list[Tensor]]:
        """All layers over x (T, N, I); `ends` is the last step of each sequence, None where it is T - 1."""
        steps, directions = len(x), self._directions()
        everyone = np.arange(x.shape[1])
        at_end: Any = -1 if ends is None else (ends, everyone)
        back: Any = slice(None, None, -1)
        if ends is not None:  # each sequence from its own end; what lies behind it stays there
            times = np.arange(steps)[:, None]
            back = (np.where(times <= ends, ends - times, times), everyone)
        last: list[list[Tensor]] = [[] for _ in initial]
        for layer in range(self.num_layers):
            said = []
            for index, end in enumerate(directions):
                at = layer * len(directions) + index
                y = self.function(ends)(
                    x[back] if end else x, *[state[at] for state in initial], *self._parameters_of(layer, end)
                )
                hidden = y[:steps] if len(initial) > 1 else y
                last[0].append(hidden[at_end])
                if len(initial) > 1:
                    last[1].append(y[steps])
                said.append(hidden[back] if end else hidden)
            x = concatenate(said, 2) if len(said) > 1 else said[0]
            if self.dropout and layer < self.num_layers - 1:
                x = drop(x, self.dropout, self.training)
        return x, [stack(found) for found in last]

    def _parameters_of(self, layer: int, end: str) -> list[Parameter]:
        return [getattr(self, f"{part}_l{layer}{end}") for part in PARTS[: 4 if self.bias else 2]]

    def _initial(self, states: tuple[Any, ...], x: Tensor, batched: bool) -> list[Tensor]:
        """The states to begin with, (layers · directions, N, H): zeros where none is given."""
        shape = (self.num_layers * len(self._directions()), x.shape[1], self.hidden_size)
        wanted = shape if batched else (shape[0], shape[2])
        found = []
        for state in states:
            given = zeros(wanted, dtype=x.dtype) if state is None else as_tensor(state)
            if given.shape != wanted:
                raise ShapeError(
                    f"{type(self).__name__}: a state to begin with has shape (num_layers · directions, "
                    f"{'batch, ' if batched else ''}hidden_size) = {wanted}, also with batch_first; not {given.shape}"
                )
            found.append(given if batched else given[:, None])
        return found

    def extra_repr(self) -> str:
        shown = [f"{self.input_size}, {self.hidden_size}"]
        if self.num_layers != 1:
            shown.append(f"num_layers={self.num_layers}")
        if not self.bias:
            shown.append("bias=False")
        shown += [f"{name}=True" for name in ("batch_first", "bidirectional") if getattr(self, name)]
        if self.dropout:
            shown.insert(-1 if self.bidirectional else len(shown), f"dropout={self.dropout}")
        return ", ".join(shown)


class RNN(_Layers):
    """hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh) over a sequence, or the positive part in the place of tanh.

    Args:
        input_size, hidden_size: I and H.
        num_layers: how many, each of which reads the hidden states of the one below.
        nonlinearity: "tanh" or "relu".
        bias: whether there are biases.
        batch_first: the input is (N, T, I) in the place of (T, N, I), and the output likewise; states are as ever.
        dropout: the probability of a number between two layers to be silenced, in training.
        bidirectional: a second network reads from the end; each step's output is of both, (…, 2H).
        dtype: of the parameters; float32 by default.

    Parameters, of layer k: `weight_ih_lk` (H, I), `weight_hh_lk` (H, H), `bias_ih_lk` and `bias_hh_lk` (H,), with
    `_reverse` for the second direction; all drawn uniformly from ±1/√H.

    Source: Elman, "Finding Structure in Time", 1990.

    >>> output, h = RNN(3, 5)(zeros((7, 2, 3)))
    >>> output.shape, h.shape
    ((7, 2, 5), (1, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = None,
    ) -> None:
        is_relu("RNN", nonlinearity)
        self.nonlinearity = nonlinearity
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype
        )

    def function(self, ends: Any = None) -> Function:
        return RNNFunction(self.nonlinearity == "relu")

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Tensor]:
        """The last layer's hidden states (T, N, directions · H), and each one's last (layers · directions, N, H).

        `hx`, of the latter's shape, is where it begins, zeros by default. Without a batch, all lack N. Of a
        PackedSequence, each sequence ends for itself, and the output is one, too.

        Raises ShapeError for what does not fit, DTypeError for integers.
        """
        output, (h,) = self._through(input, (hx,))
        return output, h


class GRU(_Layers):
    """hₜ = (1 - z) n + z hₜ₋₁ over a sequence: what is not rewritten stays.

    r, z = σ(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh), the parts for r and z; n = tanh(W_in xₜ + b_in + r (W_hn hₜ₋₁ + b_hn)).

    Arguments, inputs and outputs are those of `RNN`, without the nonlinearity. Parameters, of layer k: `weight_ih_lk`
    (3H, I), `weight_hh_lk` (3H, H), `bias_ih_lk` and `bias_hh_lk` (3H,), the parts for r, z, n one after the other.

    Source: Cho et al., 2014, arXiv:1406.1078.
    """

    gates = 3

    def function(self, ends: Any = None) -> Function:
        return GRUFunction()

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Tensor]:
        """The last layer's hidden states, and each layer's last one: see `RNN.forward`."""
        output, (h,) = self._through(input, (hx,))
        return output, h


class LSTM(_Layers):
    """cₜ = f cₜ₋₁ + i g and hₜ = o tanh(cₜ) over a sequence: a cell behind gates that open to write, forget and read.

    i, f, g, o = σ, σ, tanh, σ of the four parts of W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh.

    Arguments, input and output are those of `RNN`, without the nonlinearity; the state is the two, (h, c). Parameters,
    of layer k: `weight_ih_lk` (4H, I), `weight_hh_lk` (4H, H), `bias_ih_lk` and `bias_hh_lk` (4H,), the parts for i, f,
    g, o one after the other.

    Source: Hochreiter & Schmidhuber, "Long Short-Term Memory", 1997.

    >>> lstm = LSTM(3, 5, num_layers=2, batch_first=True, bidirectional=True)
    >>> output, (h, c) = lstm(zeros((2, 7, 3)))
    >>> output.shape, h.shape, c.shape
    ((2, 7, 10), (4, 2, 5), (4, 2, 5))
    """

    gates = 4

    def function(self, ends: Any = None) -> Function:
        return LSTMFunction(ends)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        """The last layer's hidden states, and each layer's last (h, c), (layers, N, H) each: see `RNN.forward`.

        `hx` is such a pair, zeros by default. Raises ArgumentError for a state that is no pair.
        """
        if hx is not None and not (isinstance(hx, tuple | list) and len(hx) == 2):
            raise ArgumentError(f"LSTM: the state is a tuple (h, c), not {type(hx).__name__}")
        output, (h, c) = self._through(input, tuple(hx or (None, None)))
        return output, (h, c)
