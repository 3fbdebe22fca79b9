"""GPT: GPT-2's architecture, with the names of nanoGPT and of Hugging Face's GPT-2.

Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; A. Karpathy, nanoGPT.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from tt_nn import Dropout, LayerNorm, Linear, Module, ModuleList, infer, init
from tt_nn.dropout import draw_mask
from tt_tensor import Tensor, kernels, observing, random
from tt_tensor.tensor import wrap
from tt_text.attention import AttentionFunction, PackedAttentionFunction
from tt_text.cache import AppendCache, Cache
from tt_text.cached_attention import attend_cached, of_kept, through_cache
from tt_text.embedding import Embedding
from tt_text.feed_forward import MLP
from tt_text.kernels.attention import AttentionForm
from tt_text.kernels.decode import (
    activation_name,
    decode_block_numpy,
    decode_layer_numpy,
    is_linear,
    is_plain,
    norm_linear_numpy,
    normed_linear,
    of_linear,
    of_norm,
)
from tt_text.kernels.decode_layers import Layers, Plan, decode_layers_numpy, is_row
from tt_text.kernels.decode_row import normed_product, suits
from tt_text.models.config import GPTConfig
from tt_text.models.language_model import LanguageModel

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["GPT", "Block", "CausalSelfAttention"]


class CausalSelfAttention(Module):
    """out = c_proj(attention(q, k, v)), with q, k, v = c_attn(x) cut in three, heads side by side; no look ahead."""

    def __init__(self, config: GPTConfig) -> None:
        self.n_head = config.n_head
        self.c_attn = Linear(config.n_embd, 3 * config.n_embd, config.bias)
        self.c_proj = Linear(config.n_embd, config.n_embd, config.bias)
        self.attn_dropout, self.resid_dropout = Dropout(config.dropout), Dropout(config.dropout)
        self.scale = 1 / math.sqrt(config.n_embd // config.n_head)

    def forward(self, x: Any, mask: Any = None, cache: Cache | None = None, layer: int = 0) -> Tensor:
        qkv = self.c_attn(x)  # (N, T, 3C)
        p = self.attn_dropout.p if self.training else 0.0
        if cache is None and mask is None and not p:
            y = PackedAttentionFunction(AttentionForm(self.scale, True), self.n_head, self.n_head)(qkv)
        else:
            y = self.attend(qkv, mask, cache, layer, p)
        y = self.c_proj(y)
        return self.resid_dropout(y) if p else y

    def attend(self, qkv: Tensor, mask: Any, cache: Cache | None, layer: int, p: float) -> Tensor:
        """With a mask (N, S), a cache, or dropout."""
        n, t, c = qkv.shape
        parts = qkv.reshape(n, t, 3, self.n_head, c // (3 * self.n_head))
        q, k, v = parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]  # (N, T, H, D)
        if cache is not None:
            k, v = through_cache(cache, layer, k, v)  # (N, S, H, D)
        s = k.shape[1]
        drop = draw_mask((n, self.n_head, t, s), p) if p else None
        form = AttentionForm(self.scale, t > 1, s - t, keep=1 / (1 - p))
        mask = None if mask is None else of_kept(mask, s)[:, None, None]
        return AttentionFunction(form, heads_last=True)(q, k, v, mask, drop).reshape(n, t, c // 3)

    def infer(self, x: Any, *rest: Any) -> Any:
        mask, cache, layer = rest
        q, keys, values = self.through_cache(infer(self.c_attn, x), cache, layer)
        return infer(self.c_proj, attend_cached(q, keys, values, mask, self.scale))

    def through_cache(self, qkv: Any, cache: Any, layer: int) -> tuple[Any, Any, Any]:
        """q (N, H, T, D) of the new tokens, keys and values (N, H, S, D) of all, for plain qkv (N, T, 3C)."""
        n, t, c = qkv.shape
        parts = qkv.reshape(n, t, 3, self.n_head, c // (3 * self.n_head)).transpose(2, 0, 3, 1, 4)
        return parts[0], *cache.update(layer, parts[1], parts[2])


class Block(Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): a residual stream that both parts read from and add to."""

    def __init__(self, config: GPTConfig) -> None:
        self.ln_1 = LayerNorm(config.n_embd, config.layer_norm_epsilon, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = LayerNorm(config.n_embd, config.layer_norm_epsilon, bias=config.bias)
        self.mlp = MLP(config.n_embd, config.hidden, config.bias, config.activation, config.dropout)

    def forward(self, x: Any, mask: Any = None, cache: Cache | None = None, layer: int = 0) -> Tensor:
        x = x + self.attn(self.ln_1(x), mask, cache, layer)
        return x + self.mlp(self.ln_2(x))

    def infer(self, x: Any, *rest: Any) -> Any:
        if x.shape[1] == 1 and kernels.kernel("decode_block") is not decode_block_numpy and self._whole():
            return self._decoded(x, *rest)
        x = x + infer(self.attn, infer(self.ln_1, x), *rest)
        x += infer(self.mlp, infer(self.ln_2, x))
        return x

    def _decoded(self, x: Any, mask: Any, cache: Any, layer: int) -> Any:
        """One new token by one kernel, or two where the cache does not hand out its memory."""
        attn, mlp = self.attn, self.mlp
        behind = (
            attn.scale, *of_linear(attn.c_proj), *of_norm(self.ln_2), *of_linear(mlp.c_fc), activation_name(mlp.act),
            *of_linear(mlp.c_proj),
        )  # fmt: skip
        kernel, room = kernels.kernel("decode_layer"), None
        if (
            kernel is not decode_layer_numpy
            and self._begins_so()
            and "extend" in cache.__class__.__dict__  # a subclass may have another `update`
        ):
            shape = (len(x), attn.n_head, 1, attn.c_attn.out_features // (3 * attn.n_head))
            room = cache.extend(layer, shape, x.dtype)
        if room is not None:
            keys, values = room
            return kernel(
                x,
                *of_norm(self.ln_1),
                *of_linear(attn.c_attn),
                keys,
                values,
                of_kept(mask, keys.shape[2]),
                *behind,
            )
        q, keys, values = attn.through_cache(normed_linear(self.ln_1, attn.c_attn, x), cache, layer)
        kernel = kernels.kernel("decode_block")
        return kernel(x, q[:, :, 0], keys, values, of_kept(mask, keys.shape[2]), *behind)

    def _begins_so(self) -> bool:
        """May the same kernel do what comes before the cache?"""
        qkv = self.attn.c_attn
        return is_plain(self.ln_1, LayerNorm) and is_linear(qkv) and qkv.__class__ is self.mlp.c_fc.__class__

    def _whole(self) -> bool:
        """May one kernel take the place of all modules behind the cache? Each must be what it was made as."""
        attn, mlp = self.attn, self.mlp
        return (
            is_plain(attn, CausalSelfAttention)
            and is_linear(attn.c_proj)
            and is_plain(self.ln_2, LayerNorm)
            and is_plain(mlp, MLP)
            and is_linear(mlp.c_fc)
            and is_linear(mlp.c_proj)
            and attn.c_proj.__class__ is mlp.c_fc.__class__ is mlp.c_proj.__class__
            and activation_name(mlp.act) is not None
        )


class Transformer(Module):
    """The parts of a GPT but its head, under the names that its weights have elsewhere."""

    def __init__(self, config: GPTConfig) -> None:
        self.wte = Embedding(config.vocab_size, config.n_embd)
        self.wpe = Embedding(config.block_size, config.n_embd)
        self.drop = Dropout(config.dropout)
        self.h = ModuleList([Block(config) for _ in range(config.n_layer)])
        self.ln_f = LayerNorm(config.n_embd, config.layer_norm_epsilon, bias=config.bias)


def _plan(blocks: Any) -> Plan | None:
    """All blocks as what a kernel takes; None where one of them is not what it was made as."""
    modules, parts = [], []
    for block in blocks:
        if not (is_plain(block, Block) and block._whole() and block._begins_so()):
            return None
        attn, mlp = block.attn, block.mlp
        found = [block, block.ln_1, attn, attn.c_attn, attn.c_proj, block.ln_2, mlp, mlp.c_fc, mlp.act]
        found.append(mlp.c_proj)
        # A list of hooks that is empty now may have some later.
        if any(module._forward_hooks is not None for module in found) or attn.n_head != blocks[0].attn.n_head:
            return None
        modules += found
        rest = (
            *of_linear(attn.c_proj), *of_norm(block.ln_2), *of_linear(mlp.c_fc), activation_name(mlp.act),
            *of_linear(mlp.c_proj),
        )  # fmt: skip
        parts.append(((*of_norm(block.ln_1), *of_linear(attn.c_attn)), attn.scale, rest))
    return Plan(blocks, modules, Layers(parts))


class GPT(LanguageModel):
    """A decoder-only transformer with learned positions and pre-norm blocks. See `LanguageModel` for the forward.

    Weights are drawn as GPT-2's: normal(0, 0.02), biases 0, those that add to the residual stream by 1 / √(2 n_layer)
    smaller. The head shares its table with the embedding, unless config.tie_word_embeddings is False.
    """

    def __init__(self, config: GPTConfig) -> None:
        self.config = config
        self.transformer = Transformer(config)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
        if init.wanted():
            self.reset_parameters()
        if config.tie_word_embeddings:
            self.lm_head.weight = self.transformer.wte.weight

    def reset_parameters(self) -> None:
        """Draw all weights anew from the default generator."""
        shrink = 1 / math.sqrt(2 * self.config.n_layer)
        for name, parameter in self.named_parameters():
            if ".ln_" in name:
                parameter.write(1.0 if name.endswith("weight") else 0.0)
            elif name.endswith("bias"):
                parameter.write(0)
            else:
                std = 0.02 * (shrink if name.endswith("c_proj.weight") else 1.0)
                parameter.write(random.normal(0.0, std, parameter.shape, dtype=parameter.dtype))

    @property
    def context(self) -> int:
        """block_size: how many positions it can read at once."""
        return self.config.block_size

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
        parts = self.transformer
        tokens = self._tokens(tokens, cache)
        mask = self._mask(tokens, attention_mask, cache)
        if cache is not None and self._quick():
            return self._inferred(tokens, self._positions(tokens, positions, mask, cache), mask, cache, last)
        x = parts.wte(tokens) + parts.wpe(self._positions(tokens, positions, mask, cache))  # (N, T, C)
        if self.training and parts.drop.p:
            x = parts.drop(x)
        for layer, block in enumerate(parts.h):
            x = block(x, mask, cache, layer)
        if cache is not None:
            cache.advance(tokens.shape[1])
        if last:
            x = x[:, -1:]
        return self.lm_head(parts.ln_f(x))  # (N, T, V)

    def _inferred(self, tokens: Any, positions: Any, mask: Any, cache: Cache, last: bool) -> Tensor:
        """The same on plain arrays."""
        parts = self.transformer
        x = infer(parts.wte, tokens) + infer(parts.wpe, positions)  # (N, T, C)
        y = self._at_once(x, mask, cache)
        if y is None:
            for layer, block in enumerate(parts.h):
                x = infer(block, x, mask, cache, layer)
        else:
            x = y
        cache.advance(tokens.shape[1])
        if last and x.shape[1] > 1:
            x = x[:, -1:]
        logits = None if y is None else self._headed(y)
        return wrap(normed_linear(parts.ln_f, self.lm_head, x) if logits is None else logits)

    def _headed(self, x: Any) -> Any:
        """The logits of x as `_at_once` gave it, by the memory that this took; None where it took another kernel."""
        norm, head, plan = self.transformer.ln_f, self.lm_head, self.__dict__.get("_plan")
        if (
            kernels.kernel("norm_linear") is not norm_linear_numpy
            or plan is None
            or not is_row(x)
            or not suits(plan.layers)
            or not is_plain(norm, LayerNorm)
            or not is_plain(head, Linear)
        ):
            return None
        attn: Any = self.transformer.h[0].attn
        sizes = attn.n_head, attn.c_attn.out_features // (3 * attn.n_head)
        return normed_product(x, plan.layers, sizes, *of_norm(norm), *of_linear(head))

    def _at_once(self, x: Any, mask: Any, cache: Any) -> Any:
        """All blocks for a few new tokens, by one kernel; None where that cannot be."""
        kernel, blocks = kernels.kernel("decode_layers"), self.transformer.h
        plain = kernel is decode_layers_numpy
        if (
            (plain and not (mask is None and is_row(x)))  # layer after layer is as quick
            or not len(blocks)
            or "extend_all" not in cache.__class__.__dict__  # a subclass may have another `update`
            or observing.active is not None
        ):
            return None
        plan = self._planned(blocks, _plan)
        if plan is None or (plain and not suits(plan.layers)):
            return None
        attn: Any = blocks[0].attn
        shape = (len(x), attn.n_head, x.shape[1], attn.c_attn.out_features // (3 * attn.n_head))
        room = cache.extend_all(shape, x.dtype)
        if room is None and plain and cache.__class__ is AppendCache:
            room = cache.begin(len(blocks), shape, x.dtype)
        if room is None or len(room[0]) != len(plan.layers.parts):
            return None
        held, first, stop = room
        return kernel(x, plan.layers, held, first, stop, of_kept(mask, stop - first))

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str]) -> Self:
        """The GPT-2 in a folder in Hugging Face's format: see `tt_text.models.gpt2_files`."""
        from tt_text.models.gpt2_files import load_gpt2

        return load_gpt2(cls, folder)

    def save_pretrained(self, folder: str | PathLike[str], tokenizer: Any = None) -> None:
        """Write a folder in that format, which the transformers library reads: see `tt_text.models.gpt2_files`."""
        from tt_text.models.gpt2_files import save_gpt2

        save_gpt2(self, folder, tokenizer)
