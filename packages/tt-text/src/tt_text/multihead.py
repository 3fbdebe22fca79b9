"""MultiheadAttention: several attentions side by side, each on its own projection of the input.

    headₕ = attention(query W_Qₕᵀ, key W_Kₕᵀ, value W_Vₕᵀ),    out = [head₁ … head_H] W_Oᵀ + b_O

Sources: Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762; heads that share keys and values: Ainslie
et al., "GQA: Training Generalized Multi-Query Transformer Models", 2023, arXiv:2305.13245.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import Linear, Module, Parameter, init
from tt_nn.dropout import draw_mask
from tt_nn.functional import linear
from tt_tensor import Tensor, as_tensor, broadcast_to, concatenate, expand_dims, softmax, swapaxes
from tt_tensor.arguments import probability, whole_number
from tt_tensor.errors import ArgumentError, ShapeError
from tt_text.attention import AttentionFunction, PackedAttentionFunction
from tt_text.cache import Cache
from tt_text.cached_attention import through_cache
from tt_text.kernels.attention import AttentionForm
from tt_text.kernels.attention_form import sight
from tt_text.masks import all_of, check_mask, is_causal_mask, may_see

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in `num_heads` heads, with PyTorch's arguments, names and masks, so that its state dict loads.

    Args:
        embed_dim: E, features of query and output.
        num_heads: H; each head has D = E / H features.
        dropout: in training, the probability of a weight to be silenced.
        bias: whether the four projections have one.
        add_bias_kv: one more key and value for all to see, which are learned.
        add_zero_attn: one more key and value for all to see, which are zeros.
        kdim, vdim: features of key and of value; E by default.
        batch_first: inputs are (N, T, E) instead of (T, N, E).
        num_key_value_heads: G, how many heads key and value have, each for H / G heads of the query; H by default,
            1 is multi-query attention. Not in PyTorch.
        window: how many keys are seen at most; see `scaled_dot_product_attention`. Not in PyTorch.
        dtype: of the parameters; float32 by default.

    Parameters: `in_proj_weight` (E + 2 G D, E), rows of queries, keys and values one below the other; where kdim or
    vdim differ from E, `q_proj_weight` (E, E), `k_proj_weight` (G D, kdim) and `v_proj_weight` (G D, vdim) instead;
    `in_proj_bias` (E + 2 G D,); `out_proj.weight` (E, E), `out_proj.bias` (E,); with `add_bias_kv` also `bias_k` and
    `bias_v` (1, 1, G D). Drawn as PyTorch does: Xavier-uniform, biases 0, `out_proj` as a Linear.

    Raises ArgumentError for values out of range and for heads that do not divide E.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        num_key_value_heads: int | None = None,
        window: int | None = None,
        dtype: Any = None,
    ) -> None:
        groups = num_heads if num_key_value_heads is None else num_key_value_heads
        kdim, vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        what = "MultiheadAttention"
        self.embed_dim = whole_number(what, "embed_dim", embed_dim, 1)
        self.kdim, self.vdim = whole_number(what, "kdim", kdim, 1), whole_number(what, "vdim", vdim, 1)
        self.num_heads = whole_number(what, "num_heads", num_heads, 1)
        self.num_key_value_heads = whole_number(what, "num_key_value_heads", groups, 1)
        self.window = None if window is None else whole_number(what, "window", window, 1)
        if embed_dim % num_heads:
            raise ArgumentError(
                f"MultiheadAttention: embed_dim {embed_dim} is no multiple of num_heads {num_heads}, and each head "
                "has embed_dim / num_heads features"
            )
        if num_heads % groups:
            raise ArgumentError(
                f"MultiheadAttention: {num_heads} heads cannot share {groups} heads of keys and values; "
                "num_heads must be a multiple of num_key_value_heads"
            )
        self.head_dim = self.embed_dim // self.num_heads
        self.dropout = float(probability(what, "dropout", dropout))
        self.batch_first, self.add_zero_attn = bool(batch_first), add_zero_attn
        shared = self.num_key_value_heads * self.head_dim  # features of all keys

        def empty(*shape: int) -> Parameter:
            return Parameter(np.zeros(shape, np.float32), dtype=dtype)

        packed = self.kdim == self.vdim == self.embed_dim
        self.in_proj_weight = empty(self.embed_dim + 2 * shared, self.embed_dim) if packed else None
        self.q_proj_weight = None if packed else empty(self.embed_dim, self.embed_dim)
        self.k_proj_weight = None if packed else empty(shared, self.kdim)
        self.v_proj_weight = None if packed else empty(shared, self.vdim)
        self.in_proj_bias = empty(self.embed_dim + 2 * shared) if bias else None
        self.bias_k = empty(1, 1, shared) if add_bias_kv else None
        self.bias_v = empty(1, 1, shared) if add_bias_kv else None
        self.out_proj = Linear(self.embed_dim, self.embed_dim, bias, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew from the default generator."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        self.out_proj.reset_parameters()
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        *,
        cache: Cache | None = None,
        layer: int = 0,
    ) -> tuple[Tensor, Tensor | None]:
        """What every query gathers, and how it weighed the keys.

        Args:
            query: (T, N, E), (N, T, E) with batch_first, or (T, E) for one sequence without a batch.
            key: (S, N, kdim), (N, S, kdim), or (S, kdim).
            value: (S, N, vdim), (N, S, vdim), or (S, vdim).
            key_padding_mask: (N, S) or (S,): bools, True for a key that no query may see, or numbers that are added.
            need_weights: whether weights are returned. They cost a second pass and memory that grows with T · S.
            attn_mask: (T, S) or (N · H, T, S): bools, True where a query may NOT see a key (in
                `scaled_dot_product_attention` True has the opposite meaning, as in PyTorch), or numbers that are added.
            average_attn_weights: weights are the mean over the heads.
            is_causal: query i sees keys j ≤ i only. Needs no attn_mask here (in PyTorch it is a hint about one);
                where there is one, both hold.
            cache: keys and values of earlier tokens, for self-attention: query, key and value are then the same
                object, T new tokens, and the S of the masks counts the cached ones too. The caller calls
                cache.advance(T) once all layers are through. Arrays in a cache have no history: use it in `no_grad`.
            layer: the number under which the cache keeps them.

        Returns out, of query's shape, and weights (N, T, S), or (N, H, T, S) if not averaged, without N where the
        input has none; None without `need_weights`. In training they are those after dropout. A query that may see
        no key has weights 0 and sends no gradient to keys and values (PyTorch: NaN).

        Raises ShapeError where shapes do not fit, DTypeError for a mask that is neither bools nor floating numbers,
        ArgumentError for a cache with other inputs than one, GradientError for a cache where gradients are recorded.
        """
        # One object stays one: its projections are then one product.
        q_in = as_tensor(query)
        k_in = q_in if key is query else as_tensor(key)
        v_in = k_in if value is key else q_in if value is query else as_tensor(value)
        batched = self._checked(q_in, k_in, v_in)
        ours = {id(x): self._batch_first(x, batched) for x in (q_in, k_in, v_in)}
        q_in, k_in, v_in = (ours[id(x)] for x in (q_in, k_in, v_in))  # (N, T, E), (N, S, kdim), (N, S, vdim)
        if cache is not None and not (q_in is k_in is v_in):
            raise ArgumentError(
                "MultiheadAttention: a cache is for self-attention: query, key and value must be one and the same "
                "object, the new tokens"
            )
        if q_in is not k_in and k_in.shape[0] != q_in.shape[0]:
            raise ShapeError(
                f"MultiheadAttention: query and key differ in batch size: {q_in.shape[0]}, {k_in.shape[0]} with "
                f"batch_first={self.batch_first}"
            )
        scale, p = 1 / math.sqrt(self.head_dim), self.dropout if self.training else 0.0
        if attn_mask is not None and is_causal and is_causal_mask(attn_mask) and cache is None:
            attn_mask = None  # the form says the same without memory
        extra = (self.bias_k is not None) + bool(self.add_zero_attn)
        masks = attn_mask is not None or key_padding_mask is not None
        plain = not (masks or p or need_weights or extra) and cache is None
        if plain and q_in is k_in is v_in and self.in_proj_weight is not None:
            qkv = linear(q_in, self.in_proj_weight, self.in_proj_bias)  # (N, T, E + 2 G D)
            form = AttentionForm(scale, bool(is_causal), 0, self.window)
            y = PackedAttentionFunction(form, self.num_heads, self.num_key_value_heads)(qkv)
            return self._returned(self.out_proj(y), batched), None
        q, k, v = self._projected(q_in, k_in, v_in)  # (N, T, H, D), (N, S, G, D)
        if cache is not None:
            k, v = through_cache(cache, layer, k, v)
        n, t, s = q.shape[0], q.shape[1], k.shape[1]
        offset = s - t if cache is not None else 0
        form = AttentionForm(scale, bool(is_causal), offset, self.window, 1 / (1 - p) if p < 1 else 0.0)
        mask = self._mask(attn_mask, key_padding_mask, n, t, s, batched, q.dtype)
        if extra:
            k, v, mask, form = self._extended(k, v, mask, form, t)
        drop = draw_mask((n, self.num_heads, t, k.shape[1]), p) if p else None
        y = AttentionFunction(form, heads_last=True)(q, k, v, mask, drop)  # (N, T, H, D)
        out = self._returned(self.out_proj(y.reshape(n, t, self.embed_dim)), batched)
        if not need_weights:
            return out, None
        weights = self._weights(q, k, mask, drop, form)  # (N, H, T, S)
        if average_attn_weights:
            weights = weights.mean(axis=1)
        return out, weights if batched else weights[0]

    def _checked(self, q: Tensor, k: Tensor, v: Tensor) -> bool:
        """Is there a batch? Raises ShapeError where shapes do not fit each other or this module."""
        shapes = f"query {q.shape}, key {k.shape}, value {v.shape}"
        if q.ndim not in (2, 3) or not q.ndim == k.ndim == v.ndim:
            raise ShapeError(
                f"MultiheadAttention: all inputs have 3 axes, or 2 for one sequence without a batch, not {shapes}"
            )
        wanted = (self.embed_dim, self.kdim, self.vdim)
        if (q.shape[-1], k.shape[-1], v.shape[-1]) != wanted:
            raise ShapeError(
                f"MultiheadAttention: the last axes of query, key and value have {wanted} features, not {shapes}"
            )
        if k.shape[:-1] != v.shape[:-1]:
            raise ShapeError(f"MultiheadAttention: key and value differ in length or batch: {shapes}")
        return q.ndim == 3

    def _batch_first(self, x: Tensor, batched: bool) -> Tensor:
        if not batched:
            return expand_dims(x, 0)
        return x if self.batch_first else swapaxes(x, 0, 1)

    def _returned(self, y: Tensor, batched: bool) -> Tensor:
        """(N, T, E) with the caller's axes."""
        if not batched:
            return y[0]
        return y if self.batch_first else swapaxes(y, 0, 1)

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Any, Any, Any]:
        """q (N, T, H, D), k and v (N, S, G, D)."""
        h, g, d, e = self.num_heads, self.num_key_value_heads, self.head_dim, self.embed_dim
        n, t, s = query.shape[0], query.shape[1], key.shape[1]
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if weight is not None and query is key is value:
            parts = linear(query, weight, bias).reshape(n, t, h + 2 * g, d)
            return parts[:, :, :h], parts[:, :, h : h + g], parts[:, :, h + g :]
        cuts = (slice(0, e), slice(e, e + g * d), slice(e + g * d, e + 2 * g * d))
        biases = [None if bias is None else bias[cut] for cut in cuts]
        if weight is None:
            weights: list[Any] = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        else:
            weights = [weight[cut] for cut in cuts]
        if weight is not None and key is value:
            both = linear(key, weight[e:], None if bias is None else bias[e:]).reshape(n, s, 2 * g, d)
            k, v = both[:, :, :g], both[:, :, g:]
        else:
            k, v = (
                linear(x, w, b).reshape(n, s, g, d)
                for x, w, b in zip((key, value), weights[1:], biases[1:], strict=True)
            )
        return linear(query, weights[0], biases[0]).reshape(n, t, h, d), k, v

    def _mask(self, attn_mask: Any, padding: Any, n: int, t: int, s: int, batched: bool, dtype: Any) -> Any:
        """Both masks as one that broadcasts to (N, H, T, S), in `AttentionFunction`'s meaning; None for none."""
        h = self.num_heads
        if attn_mask is not None:
            attn_mask = as_tensor(attn_mask)
            check_mask("MultiheadAttention", "attn_mask", attn_mask, [(t, s), (n * h, t, s)])
            attn_mask = may_see(attn_mask)
            attn_mask = attn_mask if attn_mask.ndim == 2 else attn_mask.reshape(n, h, t, s)
        if padding is not None:
            padding = as_tensor(padding)
            check_mask("MultiheadAttention", "key_padding_mask", padding, [(n, s) if batched else (s,)])
            padding = may_see(padding).reshape(n, 1, 1, s)
        return all_of(attn_mask, padding, dtype)

    def _extended(self, k: Any, v: Any, mask: Any, form: AttentionForm, t: int) -> tuple[Any, Any, Any, Any]:
        """With the learned key and value, and that of zeros, at the end, where every query sees them."""
        n, s, g, d = k.shape
        keys, values = [k], [v]
        if self.bias_k is not None and self.bias_v is not None:
            keys.append(broadcast_to(self.bias_k.reshape(1, 1, g, d), (n, 1, g, d)))
            values.append(broadcast_to(self.bias_v.reshape(1, 1, g, d), (n, 1, g, d)))
        if self.add_zero_attn:
            zero = np.zeros((n, 1, g, d), k.dtype)
            keys.append(zero)
            values.append(zero)
        # They have no position, so what positions rule out goes into the mask.
        mask = all_of(mask, sight(form, (0, t), (0, s)), k.dtype)
        if mask is not None:
            more = np.full((*mask.shape[:-1], len(keys) - 1), mask.dtype.kind == "b", mask.dtype)
            mask = concatenate([mask, more], axis=-1)
        form = AttentionForm(form.scale, keep=form.keep)
        return concatenate(keys, axis=1), concatenate(values, axis=1), mask, form

    def _weights(self, q: Any, k: Any, mask: Any, drop: Any, form: AttentionForm) -> Tensor:
        """softmax(scores) (N, H, T, S), with a history of its own."""
        dtype = q.dtype
        wide = np.float32 if dtype == np.float16 else dtype
        q, k = (swapaxes(as_tensor(x), 1, 2).astype(wide) for x in (q, k))
        if mask is not None and mask.dtype.kind == "f":
            mask = mask.astype(wide)
        if self.num_key_value_heads != self.num_heads:
            k = np.repeat(k, self.num_heads // self.num_key_value_heads, axis=1)
        weights = softmax(AttentionFunction(form).scores(q, k, mask), axis=-1)
        weights = weights if drop is None else weights * drop * form.keep
        return weights.astype(dtype)

    def extra_repr(self) -> str:
        shared = self.num_key_value_heads != self.num_heads
        return f"{self.embed_dim}, num_heads={self.num_heads}, dropout={self.dropout}" + (
            f", num_key_value_heads={self.num_key_value_heads}" if shared else ""
        )
