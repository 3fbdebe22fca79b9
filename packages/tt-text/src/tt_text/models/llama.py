"""Llama: rotary positions, RMS norms, gated MLPs, heads that share keys; with the names of Hugging Face.

Source: Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023, arXiv:2302.13971; Ainslie et al.,
"GQA: Training Generalized Multi-Query Transformer Models", 2023, arXiv:2305.13245.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tt_nn import Linear, Module, ModuleList, RMSNorm, infer, init
from tt_nn.dropout import draw_mask
from tt_tensor import Tensor, observing, random
from tt_tensor.tensor import wrap
from tt_text.attention import AttentionFunction
from tt_text.cache import AppendCache, Cache
from tt_text.cached_attention import attend_cached, of_kept, through_cache
from tt_text.embedding import Embedding
from tt_text.feed_forward import SwiGLU
from tt_text.kernels.attention import AttentionForm
from tt_text.kernels.decode import activation_name, is_plain
from tt_text.kernels.decode_layers import Layers, Plan, is_row
from tt_text.kernels.decode_rotary_row import decode_rotary_row, of_rotary_layer, runs_plain, suits_rotary
from tt_text.models.config import LlamaConfig
from tt_text.models.language_model import LanguageModel
from tt_text.rotary import RotaryEmbedding, RotaryFunction
from tt_text.rotation import Rotation

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Llama", "LlamaAttention", "LlamaLayer"]


class LlamaAttention(Module):
    """o_proj(attention(rotated q, rotated k, v)), for H heads of queries and G of keys and values.

    With qk_norm, q and k go through an RMS norm over the features of a head first.
    """

    def __init__(self, config: LlamaConfig) -> None:
        h, g, d = config.num_attention_heads, config.groups, config.width
        self.heads, self.groups, self.width = h, g, d
        self.window, self.dropout = config.sliding_window, config.attention_dropout
        self.q_proj = Linear(config.hidden_size, h * d, config.attention_bias)
        self.k_proj = Linear(config.hidden_size, g * d, config.attention_bias)
        self.v_proj = Linear(config.hidden_size, g * d, config.attention_bias)
        self.o_proj = Linear(h * d, config.hidden_size, config.attention_bias)
        self.normed = config.qk_norm
        if config.qk_norm:
            self.q_norm, self.k_norm = RMSNorm(d, config.rms_norm_eps), RMSNorm(d, config.rms_norm_eps)

    def forward(self, x: Any, rotation: Rotation, mask: Any, cache: Cache | None, layer: int) -> Tensor:
        n, t, _ = x.shape
        h, g, d = self.heads, self.groups, self.width
        q = self.q_proj(x).reshape(n, t, h, d)  # (N, T, H, D)
        k: Any = self.k_proj(x).reshape(n, t, g, d)  # (N, T, G, D)
        if self.normed:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k = RotaryFunction(rotation)(q), RotaryFunction(rotation)(k)
        v: Any = self.v_proj(x).reshape(n, t, g, d)
        if cache is not None:
            k, v = through_cache(cache, layer, k, v)  # (N, S, G, D)
        s = k.shape[1]
        p = self.dropout if self.training else 0.0
        # One query at the end sees all that is there, unless a window cuts it off.
        form = AttentionForm(
            1 / math.sqrt(d), t > 1 or self.window is not None, s - t, self.window, 1 / (1 - p)
        )
        function = AttentionFunction(form, heads_last=True)
        if mask is None and not p:
            y = function(q, k, v)
        else:
            mask = None if mask is None else of_kept(mask, s)[:, None, None]
            y = function(q, k, v, mask, draw_mask((n, h, t, s), p) if p else None)
        return self.o_proj(y.reshape(n, t, h * d))

    def infer(self, x: Any, *rest: Any) -> Any:
        rotation, mask, cache, layer = rest
        n, t, _ = x.shape
        q = infer(self.q_proj, x).reshape(n, t, self.heads, self.width)
        k = infer(self.k_proj, x).reshape(n, t, self.groups, self.width)
        if self.normed:
            q, k = infer(self.q_norm, q), infer(self.k_norm, k)
        q, k = rotation(q).swapaxes(1, 2), rotation(k).swapaxes(1, 2)
        v = infer(self.v_proj, x).reshape(n, t, self.groups, self.width).swapaxes(1, 2)
        keys, values = cache.update(layer, k, v)
        y = attend_cached(q, keys, values, mask, 1 / math.sqrt(self.width), self.window)
        return infer(self.o_proj, y)


class LlamaLayer(Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: LlamaConfig) -> None:
        self.self_attn = LlamaAttention(config)
        self.mlp = SwiGLU(config.hidden_size, config.intermediate_size, config.mlp_bias, config.hidden_act)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Any, rotation: Rotation, mask: Any, cache: Cache | None, layer: int) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rotation, mask, cache, layer)
        return x + self.mlp(self.post_attention_layernorm(x))

    def infer(self, x: Any, *rest: Any) -> Any:
        x = x + infer(self.self_attn, infer(self.input_layernorm, x), *rest)
        x += infer(self.mlp, infer(self.post_attention_layernorm, x))
        return x


class LlamaModel(Module):
    """The parts of a Llama but its head, under the names that its weights have elsewhere."""

    def __init__(self, config: LlamaConfig) -> None:
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        self.layers = ModuleList([LlamaLayer(config) for _ in range(config.num_hidden_layers)])
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


def _plan(layers: Any) -> Plan | None:
    """All layers as what a row takes; None where one of them is not what it was made as."""
    modules, parts = [], []
    for layer in layers:
        if not (
            is_plain(layer, LlamaLayer)
            and is_plain(layer.self_attn, LlamaAttention)
            and not layer.self_attn.normed  # a row has no place for these norms
            and is_plain(layer.mlp, SwiGLU)
            and _heads(layer.self_attn) == _heads(layers[0].self_attn)
        ):
            return None
        attn, mlp = layer.self_attn, layer.mlp
        norms = layer.input_layernorm, layer.post_attention_layernorm
        projections = attn.q_proj, attn.k_proj, attn.v_proj, attn.o_proj
        gated = mlp.gate_proj, mlp.up_proj, mlp.down_proj
        name, found = activation_name(mlp.act), [layer, attn, mlp, mlp.act, *norms, *projections, *gated]
        if (
            name is None
            or not all(is_plain(norm, RMSNorm) for norm in norms)
            or not all(is_plain(linear, Linear) for linear in projections + gated)
            # A list of hooks that is empty now may have some later.
            or any(module._forward_hooks is not None for module in found)
        ):
            return None
        modules += found
        parts.append(of_rotary_layer(norms[0], projections, norms[1], gated, name))
    return Plan(layers, modules, Layers(parts))


def _heads(attn: Any) -> tuple[Any, ...]:
    return attn.heads, attn.groups, attn.width, attn.window


class Llama(LanguageModel):
    """A decoder-only transformer with rotary positions. See `LanguageModel` for the forward.

    Weights are drawn from normal(0, 0.02), those that add to the residual stream by 1 / √(2 layers) smaller.
    """

    def __init__(self, config: LlamaConfig) -> None:
        self.config = config
        self.model = LlamaModel(config)
        self.rotary = RotaryEmbedding(
            config.width,
            base=config.rope_theta,
            max_positions=config.context,
            layout=config.rope_layout,
            scaling=config.rope_scaling,
        )
        self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)
        if init.wanted():
            self.reset_parameters()
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def reset_parameters(self) -> None:
        """Draw all weights anew from the default generator."""
        shrink = 1 / math.sqrt(2 * self.config.num_hidden_layers)
        for name, parameter in self.named_parameters():
            if "norm." in name:
                parameter.write(1)
            elif name.endswith("bias"):
                parameter.write(0)
            else:
                std = 0.02 * (shrink if name.endswith(("o_proj.weight", "down_proj.weight")) else 1.0)
                parameter.write(random.normal(0.0, std, parameter.shape, dtype=parameter.dtype))

    @property
    def context(self) -> int:
        """How many positions it reads at once: max_position_embeddings, or more where rope_scaling stretches them."""
        return self.config.context

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""
        return self.config.vocab_size

    def forward(
        self,
        tokens: Any,
        positions: Any = None,
        attention_mask: Any = None,
        cache: Cache | None = None,
        last: bool = False,
    ) -> Tensor:
        tokens = self._tokens(tokens, cache)
        mask = self._mask(tokens, attention_mask, cache)
        positions = self._positions(tokens, positions, mask, cache)
        quick = cache is not None and self._quick()
        x: Any = (
            infer(self.model.embed_tokens, tokens) if quick else self.model.embed_tokens(tokens)
        )  # (N, T, C)
        n, t, _ = x.shape
        # Of queries and keys alike, and of all layers.
        rotation = self.rotary.rotation(np.empty((n, t, 1, self.config.width), x.dtype), positions, axis=1)
        if quick:
            return self._inferred(x, rotation, mask, cache, last)
        for layer, block in enumerate(self.model.layers):
            x = block(x, rotation, mask, cache, layer)
        if cache is not None:
            cache.advance(tokens.shape[1])
        if last:
            x = x[:, -1:]
        return self.lm_head(self.model.norm(x))  # (N, T, V)

    def _inferred(self, x: Any, rotation: Rotation, mask: Any, cache: Any, last: bool) -> Tensor:
        """The same on plain arrays."""
        y = self._at_once(x, rotation, mask, cache)
        if y is None:
            for layer, block in enumerate(self.model.layers):
                x = infer(block, x, rotation, mask, cache, layer)
        else:
            x = y
        cache.advance(x.shape[1])
        return wrap(infer(self.lm_head, infer(self.model.norm, x[:, -1:] if last else x)))

    def _at_once(self, x: Any, rotation: Rotation, mask: Any, cache: Any) -> Any:
        """All layers for one new token of one text, in few calls of NumPy; None where that cannot be."""
        layers = self.model.layers
        if (
            mask is not None
            or not is_row(x)
            or not len(layers)
            or "extend_all" not in cache.__class__.__dict__  # a subclass may have another `update`
            or observing.active is not None
            or not runs_plain()
        ):
            return None
        plan = self._planned(layers, _plan)
        if plan is None or not suits_rotary(plan.layers):
            return None
        attn: Any = layers[0].self_attn
        shape = (1, attn.groups, 1, attn.width)
        room = cache.extend_all(shape, x.dtype)
        if room is None and cache.__class__ is AppendCache:
            room = cache.begin(len(layers), shape, x.dtype)
        if room is None or len(room[0]) != len(layers):
            return None
        held, first, stop = room
        if attn.window is not None:
            first = max(first, stop - attn.window)
        return decode_rotary_row(x, plan.layers, held, first, stop, rotation, 1 / math.sqrt(attn.width))

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str]) -> Self:
        """The Llama in a folder in Hugging Face's format: see `tt_text.models.llama_files`."""
        from tt_text.models.llama_files import load_llama

        return load_llama(cls, folder)

    def save_pretrained(self, folder: str | PathLike[str], tokenizer: Any = None) -> None:
        """Write a folder in that format, which the transformers library reads: see `tt_text.models.llama_files`."""
        from tt_text.models.llama_files import save_llama

        save_llama(self, folder, tokenizer)

    @classmethod
    def from_llama2c(cls, path: str | PathLike[str]) -> Self:
        """The model in a file of llama2.c's legacy format: see `tt_text.models.llama2c_file`."""
        from tt_text.models.llama2c_file import load_llama2c

        return load_llama2c(cls, path)
