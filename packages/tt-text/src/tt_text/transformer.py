"""Stacks of the layers in transformer_layers.py, and the model of 2017 that is made of two stacks.

Source: Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
"""

from __future__ import annotations

import copy
from typing import Any

from tt_nn import LayerNorm, Module, ModuleList, init
from tt_tensor import Tensor, as_tensor
from tt_tensor.arguments import whole_number
from tt_tensor.errors import DTypeError, ShapeError
from tt_text.masks import generate_square_subsequent_mask, is_causal_mask
from tt_text.transformer_layers import Activation, TransformerDecoderLayer, TransformerEncoderLayer

__all__ = ["Transformer", "TransformerDecoder", "TransformerEncoder"]


class TransformerEncoder(Module):
    """norm(layerₙ(… layer₁(src))): `num_layers` copies of a layer, and a norm at the end if there is one.

    The copies are deep ones of `encoder_layer`, which is no part of this module. As in PyTorch they begin with the
    same numbers: draw them anew if that is not wanted (`Transformer` does).

    Args:
        encoder_layer: a TransformerEncoderLayer, or another module with its `forward`.
        num_layers: how many.
        norm: a module for the end, or None.
        enable_nested_tensor, mask_check: taken so that PyTorch's models need no change. (In eval, PyTorch may leave
            padded positions out and give zeros for them; here they get what the layers give.)
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        self.layers = _copies("TransformerEncoder", encoder_layer, num_layers)
        self.num_layers, self.norm = int(num_layers), norm

    def forward(
        self,
        src: Any,
        mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """y of src's shape. `is_causal` None looks whether `mask` is the causal one; for the rest see the layer."""
        causal = _is_causal(mask, is_causal)
        x = as_tensor(src)
        for layer in self.layers:
            x = layer(x, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=causal)
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """norm(layerₙ(… layer₁(tgt, memory) …, memory)): see `TransformerEncoder`.

    Args:
        decoder_layer: a TransformerDecoderLayer, or another module with its `forward`.
        num_layers: how many deep copies of it.
        norm: a module for the end, or None.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = _copies("TransformerDecoder", decoder_layer, num_layers)
        self.num_layers, self.norm = int(num_layers), norm

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """y of tgt's shape. `tgt_is_causal` None looks whether `tgt_mask` is the causal one."""
        causal = _is_causal(tgt_mask, tgt_is_causal)
        x = as_tensor(tgt)
        for layer in self.layers:
            x = layer(
                x,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """decoder(tgt, encoder(src)), each with a norm at its end. All weights are drawn Xavier-uniform, as in PyTorch.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, dtype:
            of the layers; see `TransformerEncoderLayer`.
        num_encoder_layers, num_decoder_layers: how many of each.
        custom_encoder, custom_decoder: modules to take instead, called as `TransformerEncoder` and
            `TransformerDecoder` are.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        settings = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, dtype,
        )  # fmt: skip
        self.encoder, self.decoder = custom_encoder, custom_decoder
        if custom_encoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
            self.encoder = TransformerEncoder(TransformerEncoderLayer(*settings), num_encoder_layers, norm)
        if custom_decoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
            self.decoder = TransformerDecoder(TransformerDecoderLayer(*settings), num_decoder_layers, norm)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, bool(batch_first)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights of two axes or more anew from the default generator; biases and norms stay."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """y of tgt's shape: src (S, N, E), tgt (T, N, E), or (N, …, E) with batch_first, or both without N.

        The masks src_mask (S, S), tgt_mask (T, T), memory_mask (T, S) and the padding masks (N, S), (N, T), (N, S)
        are as in `MultiheadAttention`: True for what may not be seen, or numbers that are added.

        Raises ShapeError where shapes do not fit.
        """
        src, tgt = as_tensor(src), as_tensor(tgt)
        shapes = f"src {src.shape}, tgt {tgt.shape}"
        if src.ndim not in (2, 3) or src.ndim != tgt.ndim:
            raise ShapeError(f"Transformer: both inputs have 3 axes, or 2 without a batch, not {shapes}")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ShapeError(
                f"Transformer: the last axes have d_model = {self.d_model} features, not {shapes}"
            )
        batch = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batch] != tgt.shape[batch]:
            raise ShapeError(
                f"Transformer: the batch sizes (axis {batch} with batch_first={self.batch_first}) differ: {shapes}"
            )
        memory = self.encoder(  # type: ignore[misc]
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        y: Tensor = self.decoder(  # type: ignore[misc]
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return y

    generate_square_subsequent_mask = staticmethod(generate_square_subsequent_mask)


def _copies(where: str, layer: Any, count: Any) -> ModuleList:
    if not isinstance(layer, Module):
        raise DTypeError(f"{where}: the layer is a module (an instance), not {layer!r}")
    return ModuleList([copy.deepcopy(layer) for _ in range(whole_number(where, "num_layers", count))])


def _is_causal(mask: Any, told: bool | None) -> bool:
    return bool(told) if told is not None else mask is not None and is_causal_mask(mask)
