"""The part of a transformer that works on each position by itself: two layers of a perceptron, or three with a gate."""

from __future__ import annotations

from typing import Any

from tt_nn import GELU, Dropout, Linear, Module, ReLU, SiLU, infer
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError

__all__ = ["MLP", "SwiGLU", "activation"]


def activation(name: str) -> Module:
    """The layer for a name of PyTorch or Hugging Face: gelu, gelu_new (= gelu_tanh), relu, silu (= swish).

    Raises ArgumentError for another name.
    """
    if name in ("gelu_new", "gelu_tanh", "gelu_pytorch_tanh", "gelu_fast"):
        return GELU("tanh")
    made = {"gelu": GELU, "relu": ReLU, "silu": SiLU, "swish": SiLU}.get(name)
    if made is None:
        raise ArgumentError(f"activation: {name!r} is none of gelu, gelu_new, relu, silu")
    return made()


class MLP(Module):
    """y = dropout(c_proj(act(c_fc(x)))), as in GPT-2: `dim` to `hidden` features and back.

    Args:
        dim: features of input and output, the last axis.
        hidden: features in between; GPT-2 has 4 · dim.
        bias: whether both layers have one.
        act: the activation's name; see `activation`.
        dropout: probability of the dropout at the end.
    """

    def __init__(
        self, dim: int, hidden: int, bias: bool = True, act: str = "gelu", dropout: float = 0.0
    ) -> None:
        self.c_fc = Linear(dim, hidden, bias)
        self.act = activation(act)
        self.c_proj = Linear(hidden, dim, bias)
        self.dropout = Dropout(dropout)

    def forward(self, x: Any) -> Tensor:
        y = self.c_proj(self.act(self.c_fc(x)))
        return self.dropout(y) if self.dropout.p else y

    def infer(self, x: Any, *rest: Any) -> Any:
        return infer(self.c_proj, infer(self.act, infer(self.c_fc, x)))


class SwiGLU(Module):
    """y = down_proj(silu(gate_proj(x)) · up_proj(x)), as in Llama.

    Args:
        dim: features of input and output, the last axis.
        hidden: features in between.
        bias: whether the three layers have one.
        act: the activation of the gate.

    Source: Shazeer, "GLU Variants Improve Transformer", 2020, arXiv:2002.05202.
    """

    def __init__(self, dim: int, hidden: int, bias: bool = False, act: str = "silu") -> None:
        self.gate_proj = Linear(dim, hidden, bias)
        self.up_proj = Linear(dim, hidden, bias)
        self.down_proj = Linear(hidden, dim, bias)
        self.act = activation(act)

    def forward(self, x: Any) -> Tensor:
        return self.down_proj(self.act(self.gate_proj(x)) * self.up_proj(x))

    def infer(self, x: Any, *rest: Any) -> Any:
        gate = infer(self.act, infer(self.gate_proj, x))
        gate *= infer(self.up_proj, x)
        return infer(self.down_proj, gate)
