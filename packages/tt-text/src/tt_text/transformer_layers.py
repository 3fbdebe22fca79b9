"""The layers of "Attention Is All You Need", with PyTorch's arguments and names, so that its state dicts load.

Source: Vaswani et al., 2017, arXiv:1706.03762; norms first: Xiong et al., "On Layer Normalization in the Transformer
Architecture", 2020, arXiv:2002.04745.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tt_nn import Dropout, LayerNorm, Linear, Module
from tt_tensor import Tensor, as_tensor
from tt_tensor.errors import ArgumentError
from tt_text.feed_forward import activation as activation_of_name
from tt_text.multihead import MultiheadAttention

__all__ = ["TransformerDecoderLayer", "TransformerEncoderLayer"]

Activation = str | Callable[[Any], Any]


class _Layer(Module):
    """What both layers share: attention to oneself, and a perceptron of two layers for each position."""

    self_attn: MultiheadAttention
    activation: Callable[[Any], Any]
    norm_first: bool

    def _feed_forward_parts(
        self, d_model: int, dim_feedforward: int, dropout: float, bias: bool, dtype: Any
    ) -> None:
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype)

    def _feed_forward(self, x: Any) -> Tensor:
        """linear2(dropout(activation(linear1(x))))."""
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _to_itself(self, x: Any, mask: Any, padding: Any, is_causal: bool) -> Tensor:
        return self.self_attn(x, x, x, padding, False, mask, is_causal=is_causal)[0]

    def extra_repr(self) -> str:
        return f"norm_first={self.norm_first}"


class TransformerEncoderLayer(_Layer):
    """Each position gathers from all others, then works on what it has.

    Norm last (2017):            x = norm1(x + attention(x)),    y = norm2(x + mlp(x))
    Norm first (`norm_first`):   x = x + attention(norm1(x)),    y = x + mlp(norm2(x))

    with mlp(x) = linear2(dropout(activation(linear1(x)))), and a dropout on what attention and mlp give.

    Args:
        d_model: E, features of each position.
        nhead: heads of the attention.
        dim_feedforward: features between linear1 and linear2.
        dropout: the probability of all dropouts, also that on the weights of the attention.
        activation: a name ("relu", "gelu", …), a function or a module.
        layer_norm_eps: eps of the norms.
        batch_first: inputs are (N, T, E) instead of (T, N, E).
        norm_first: norms stand before attention and mlp, inside the residual branch.
        bias: whether linear layers and norms have one.
        dtype: of the parameters; float32 by default.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype
        )
        self._feed_forward_parts(d_model, dim_feedforward, dropout, bias, dtype)
        self.norm_first = bool(norm_first)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.activation = checked_activation("TransformerEncoderLayer", activation)

    def forward(
        self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        """y of src's shape, (T, N, E), (N, T, E) with batch_first, or (T, E). Masks as in `MultiheadAttention`."""
        x = as_tensor(src)
        if self.norm_first:
            x = x + self.dropout1(self._to_itself(self.norm1(x), src_mask, src_key_padding_mask, is_causal))
            return x + self.dropout2(self._feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout1(self._to_itself(x, src_mask, src_key_padding_mask, is_causal)))
        return self.norm2(x + self.dropout2(self._feed_forward(x)))


class TransformerDecoderLayer(_Layer):
    """Each position gathers from its own sequence, then from another one (`memory`), then works on what it has.

    Norm last (2017): x = norm1(x + attention(x)),  x = norm2(x + attention(x, memory)),  y = norm3(x + mlp(x));
    with `norm_first` the norms stand inside the residual branches, as in `TransformerEncoderLayer`, which has the
    same arguments.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        self.self_attn, self.multihead_attn = (
            MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
            for _ in range(2)
        )
        self._feed_forward_parts(d_model, dim_feedforward, dropout, bias, dtype)
        self.norm_first = bool(norm_first)
        self.norm1, self.norm2, self.norm3 = (
            LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype) for _ in range(3)
        )
        self.dropout1, self.dropout2, self.dropout3 = (Dropout(dropout) for _ in range(3))
        self.activation = checked_activation("TransformerDecoderLayer", activation)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """y of tgt's shape, (T, N, E), (N, T, E) with batch_first, or (T, E); memory has S positions.

        tgt_mask (T, T) and memory_mask (T, S) (or N · nhead of them), the padding masks (N, T) and (N, S), all as in
        `MultiheadAttention`: True for what may not be seen.
        """
        x = as_tensor(tgt)
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        other = memory, memory_mask, memory_key_padding_mask, memory_is_causal
        if self.norm_first:
            x = x + self.dropout1(self._to_itself(self.norm1(x), *own))
            x = x + self.dropout2(self._to_memory(self.norm2(x), *other))
            return x + self.dropout3(self._feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout1(self._to_itself(x, *own)))
        x = self.norm2(x + self.dropout2(self._to_memory(x, *other)))
        return self.norm3(x + self.dropout3(self._feed_forward(x)))

    def _to_memory(self, x: Any, memory: Any, mask: Any, padding: Any, is_causal: bool) -> Tensor:
        return self.multihead_attn(x, memory, memory, padding, False, mask, is_causal=is_causal)[0]


def checked_activation(where: str, activation: Any) -> Any:
    """A module or function as it is, or the layer of that name."""
    if isinstance(activation, str):
        return activation_of_name(activation)
    if not callable(activation) or isinstance(activation, type):
        raise ArgumentError(
            f"{where}: activation is a name, a function or a module (an instance), not {activation!r}"
        )
    return activation
