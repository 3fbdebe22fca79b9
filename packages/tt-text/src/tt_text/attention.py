"""Attention: every query takes a mean of values, weighted by how well their keys match.

    out = softmax(q kᵀ / √d) v

Source: Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import numpy as np

from tt_nn.dropout import draw_mask
from tt_tensor import Function, Generator, Tensor, as_tensor, kernels, matmul, softmax, swapaxes
from tt_tensor.arguments import probability, whole_number
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_text.kernels.attention import AttentionForm, AttentionKernel
from tt_text.kernels.attention_form import grouped, sight
from tt_text.kernels.attention_plain import exponentials, of_group

__all__ = [
    "AttentionFunction",
    "PackedAttentionFunction",
    "scaled_dot_product_attention",
    "watch_attention",
    "watching",
]

_watched: ContextVar[list[Any] | None] = ContextVar("tt_text_watched_attention", default=None)


class AttentionFunction(Function):
    """out = softmax(scale · q kᵀ + mask) v for each head, on the kernel "attention" in use.

    Inputs: q (…, H, T, D), k (…, G, S, D), v (…, G, S, E), then a mask or None and a dropout mask or None. With
    `heads_last` heads come after positions: q (…, T, H, D), k and v (…, S, G, D), out (…, T, H, E). Heads may be left
    out: (T, D) or (N, T, D).

    The gradients are the kernel's: dv = pᵀ g, ds = p (g vᵀ - Σ g out), dq = scale · ds k, dk = scale · dsᵀ q, and of a
    mask of numbers ds.
    """

    def __init__(self, form: AttentionForm, heads_last: bool = False) -> None:
        self.form, self.heads_last = form, heads_last

    def forward(self, q: Any, k: Any, v: Any, mask: Any = None, drop: Any = None) -> Any:
        self.q, self.k, self.v = self.arranged(q, k, v)
        n, h, t, _ = self.q.shape
        self.mask = self.drop = None
        scores = (n, h, t, self.k.shape[2])
        if mask is not None:
            self.mask = _of_scores("mask", mask, scores, self.lead, self.single)
            if self.mask.dtype.kind == "f":
                self.mask = self.mask.astype(self.q.dtype, copy=False)
        if drop is not None:
            self.drop = _of_scores("dropout mask", drop, scores, self.lead, self.single)
        self.kernel = cast(AttentionKernel, kernels.kernel("attention"))
        # In the order of the caller's axes, so that what comes out needs no copy.
        y, self.out = _new((n, h, t, self.v.shape[3]), self.q.dtype, self.heads_last)
        self.saved = self.kernel.forward(self.q, self.k, self.v, self.mask, self.drop, self.form, self.out)
        if _watched.get() is not None:
            _watch(self.q, self.k, self.mask, self.form)
        return self.restored(y)

    def backward(self, grad: Any) -> Any:
        made = [_new(x.shape, x.dtype, self.heads_last) for x in (self.q, self.k, self.v)]
        dmask = None
        if self.mask is not None and self.mask.dtype.kind == "f" and self.wants(3):
            dmask = np.zeros(self.mask.shape, self.q.dtype)
        (grad,) = self.in_four_axes(grad)
        self.kernel.backward(
            grad.astype(self.q.dtype, copy=False), self.q, self.k, self.v, self.mask, self.drop, self.form, self.out,
            self.saved, *[array for _, array in made], dmask,
        )  # fmt: skip
        if dmask is not None:
            dmask = dmask[:, 0] if self.single else dmask
            # Axes of the mask that were broadcast are summed up outside.
            lead = self.lead if len(dmask) == math.prod(self.lead) else (1,) * len(self.lead)
            dmask = dmask.reshape(lead + dmask.shape[1:])
        return (*[self.restored(memory) for memory, _ in made], dmask, None)[: len(self.inputs)]

    def arranged(self, q: Any, k: Any, v: Any) -> list[Any]:
        """All as (N, heads, length, features), in the dtype to compute in. Raises typed errors."""
        shapes = f"query {q.shape}, key {k.shape}, value {v.shape}"
        dtype = self.dtype = q.dtype if q.dtype == k.dtype == v.dtype else np.result_type(q, k, v)
        if dtype.kind != "f":
            raise DTypeError(f"attention: floating numbers are needed, not {q.dtype}, {k.dtype}, {v.dtype}")
        least = 3 if self.heads_last or max(q.ndim, k.ndim, v.ndim) > 3 else 2
        if min(q.ndim, k.ndim, v.ndim) < least:
            raise ShapeError(f"attention: at least {least} axes are needed, not {shapes}")
        self.single = not self.heads_last and max(q.ndim, k.ndim, v.ndim) < 4
        self.lead: tuple[int, ...] = ()
        if not (q.ndim == k.ndim == v.ndim == 4 and q.shape[0] == k.shape[0] == v.shape[0]):
            lead = -3 if self.heads_last or not self.single else -2
            try:
                self.lead = np.broadcast_shapes(q.shape[:lead], k.shape[:lead], v.shape[:lead])
            except ValueError as error:
                raise ShapeError(f"attention: the leading axes do not fit each other: {shapes}") from error
            q, k, v = (np.broadcast_to(x, self.lead + x.shape[lead:]) for x in (q, k, v))
        else:
            self.lead = q.shape[:1]
        q, k, v = self.in_four_axes(q, k, v)
        if q.shape[3] != k.shape[3]:
            raise ShapeError(f"attention: query and key differ in their last axis: {shapes}")
        if k.shape[1:3] != v.shape[1:3]:
            raise ShapeError(f"attention: key and value differ in heads or length: {shapes}")
        if q.shape[1] % k.shape[1] if k.shape[1] else q.shape[1]:
            raise ShapeError(
                f"attention: {q.shape[1]} heads of the query cannot share {k.shape[1]} of key and value: {shapes}"
            )
        wide = np.float32 if dtype == np.float16 else dtype
        return [x.astype(wide, copy=False) for x in (q, k, v)]

    def in_four_axes(self, *arrays: Any) -> list[Any]:
        """Views (N, heads, length, features) of arrays that have the leading axes `self.lead`."""
        k = len(self.lead)
        if k != 1:
            arrays = tuple(x.reshape(math.prod(self.lead), *x.shape[k:]) for x in arrays)
        if self.single:
            return [x[:, None] for x in arrays]
        return [x.swapaxes(1, 2) for x in arrays] if self.heads_last else list(arrays)

    def restored(self, y: Any) -> Any:
        """What lies in memory in the caller's order, with the caller's axes and dtype."""
        if self.single:
            y = y[:, 0]
        if len(self.lead) != 1:
            y = y.reshape(*self.lead, *y.shape[1:])
        return y.astype(np.float16) if self.dtype == np.float16 else y

    def composite(self, q: Any, k: Any, v: Any, mask: Any = None, drop: Any = None) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        if self.heads_last:
            q, k, v = (swapaxes(x, -2, -3) for x in (q, k, v))
        has_heads = self.heads_last or max(q.ndim, k.ndim, v.ndim) > 3
        many = q.shape[-3] // k.shape[-3] if has_heads else 1
        if many > 1:
            k, v = (np.repeat(x, many, axis=-3) for x in (k, v))
        p = softmax(self.scores(q, k, mask), axis=-1)
        if drop is not None:
            p = p * drop * self.form.keep
        y = matmul(p, v)
        return swapaxes(y, -2, -3) if self.heads_last else y

    def scores(self, q: Any, k: Any, mask: Any) -> Any:
        """scale · q kᵀ + mask, -inf where a key is out of sight."""
        s = matmul(q, swapaxes(k, -1, -2)) * self.form.scale
        seen = sight(self.form, (0, s.shape[-2]), (0, s.shape[-1])) if self.form.limited else None
        if seen is not None:
            s = np.where(np.broadcast_to(seen, s.shape), s, -np.inf)  # type: ignore[assignment]
        if mask is None:
            return s
        if mask.dtype.kind == "b":
            return np.where(np.broadcast_to(getattr(mask, "array", mask), s.shape), s, -np.inf)
        return s + mask


class PackedAttentionFunction(Function):
    """The attention of a sequence to itself, from queries, keys and values that lie side by side in one array.

    qkv (N, T, (H + 2G) · D) holds H heads of queries, then G of keys, then G of values; out (N, T, H · D). The same
    as cutting it up, `AttentionFunction`, and joining the heads, without the copies; nor are any made of the gradient.
    """

    def __init__(self, form: AttentionForm, heads: int, groups: int) -> None:
        self.form, self.heads, self.groups = form, heads, groups

    def forward(self, qkv: Any) -> Any:
        x = qkv.astype(np.float32) if qkv.dtype == np.float16 else qkv
        if x.dtype.kind != "f":
            raise DTypeError(f"attention: floating numbers are needed, not {x.dtype}")
        if x.ndim != 3 or x.shape[2] % (self.heads + 2 * self.groups):
            raise ShapeError(
                f"attention: an input of shape {x.shape} is not (N, T, ({self.heads} + 2 · {self.groups}) · head_dim)"
            )
        self.q, self.k, self.v = self.cut(x)
        self.kernel = cast(AttentionKernel, kernels.kernel("attention"))
        n, h, t, d = self.q.shape
        y, self.out = _new((n, h, t, d), x.dtype, True)
        self.saved = self.kernel.forward(self.q, self.k, self.v, None, None, self.form, self.out)
        if _watched.get() is not None:
            _watch(self.q, self.k, None, self.form)
        return y.reshape(n, t, h * d).astype(qkv.dtype, copy=False)

    def backward(self, grad: Any) -> Any:
        n, h, t, d = self.q.shape
        dx = np.empty((n, t, (h + 2 * self.groups) * d), self.q.dtype)
        grad = grad.astype(dx.dtype, copy=False).reshape(n, t, h, d).swapaxes(1, 2)
        self.kernel.backward(
            grad, self.q, self.k, self.v, None, None, self.form, self.out, self.saved, *self.cut(dx), None
        )
        return dx

    def cut(self, x: Any) -> tuple[Any, Any, Any]:
        """Views: q (N, H, T, D), k and v (N, G, T, D)."""
        n, t, c = x.shape
        h, g = self.heads, self.groups
        x = x.reshape(n, t, h + 2 * g, c // (h + 2 * g)).swapaxes(1, 2)
        return x[:, :h], x[:, h : h + g], x[:, h + g :]

    def composite(self, qkv: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        n, t, c = qkv.shape
        h, g = self.heads, self.groups
        x = swapaxes(qkv.reshape(n, t, h + 2 * g, c // (h + 2 * g)), 1, 2)
        y = AttentionFunction(self.form).composite(x[:, :h], x[:, h : h + g], x[:, h + g :])
        return swapaxes(y, 1, 2).reshape(n, t, h * (c // (h + 2 * g)))


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    window: int | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """softmax(scale · query keyᵀ + attn_mask) value, for each head.

    Args:
        query: (…, T, D) or (…, H, T, D).
        key, value: (…, S, D) and (…, S, E); leading axes broadcast.
        attn_mask: bools, True where a key may be seen, or numbers that are added; broadcasts to (…, T, S).
        dropout_p: with this probability a weight is 0, and the others grow by 1 / (1 - p). Always: pass 0 in eval.
        is_causal: query i sees keys j ≤ i only (as in PyTorch, also where S differs from T).
        scale: 1 / √D by default.
        enable_gqa: key and value have fewer heads, (…, G, S, D), each for H / G heads of the query in a row.
        window: at most so many keys are seen, with `is_causal` the last ones, j > i - window, else |i - j| < window.
        generator: where the dropout mask is drawn from; by default the generator that `manual_seed` seeds.

    Returns (…, T, E). A query that may see no key gets zeros, and sends no gradient (PyTorch: NaN).

    Raises ShapeError where shapes do not fit, DTypeError for what is not floating, ArgumentError for both a mask and
    `is_causal`, for heads that differ without `enable_gqa`, and for values out of range.
    """
    q, k, v = as_tensor(query), as_tensor(key), as_tensor(value)
    what = "scaled_dot_product_attention"
    if attn_mask is not None and is_causal:
        raise ArgumentError(
            f"{what}: attn_mask and is_causal exclude each other; put the causality into the mask"
        )
    heads = tuple(x.shape[-3] if x.ndim > 3 else 1 for x in (q, k))
    if not enable_gqa and 1 not in heads and heads[0] != heads[1]:
        raise ArgumentError(
            f"{what}: query has {heads[0]} heads, key {heads[1]}; if they are to share, pass enable_gqa=True"
        )
    dropout_p = probability(what, "dropout_p", dropout_p)
    if window is not None:
        window = whole_number(what, "window", window, 1)
    if scale is None:
        scale = 1 / math.sqrt(q.shape[-1]) if q.ndim and q.shape[-1] else 1.0
    elif not isinstance(scale, int | float | np.number) or not math.isfinite(scale):
        raise ArgumentError(f"{what}: scale is a finite number, not {scale!r}")
    keep = 1 / (1 - dropout_p) if dropout_p < 1 else 0.0
    form = AttentionForm(float(scale), bool(is_causal), 0, window, keep)
    function = AttentionFunction(form)
    if not dropout_p:
        return function(q, k, v) if attn_mask is None else function(q, k, v, as_tensor(attn_mask))
    heads_at = -3 if max(q.ndim, k.ndim, v.ndim) > 3 else -2
    try:
        lead = np.broadcast_shapes(*[x.shape[:heads_at] for x in (q, k, v)]) + q.shape[heads_at:-2]
        scores = (*lead, q.shape[-2], k.shape[-2])
    except (ValueError, IndexError):
        return function(q, k, v)  # which says what is wrong with the shapes
    drop = draw_mask(scores, dropout_p, generator)
    return function(q, k, v, None if attn_mask is None else as_tensor(attn_mask), drop)


@contextmanager
def watch_attention() -> Iterator[list[Any]]:
    """Collect the weights of every attention inside the block: arrays (N, H, T, S), in the order of the calls.

    For looking at small models: it computes all weights a second time, and holds them. Holds for this thread and task.
    """
    seen: list[Any] = []
    token = _watched.set(seen)
    try:
        yield seen
    finally:
        _watched.reset(token)


def watching() -> bool:
    """Whether `watch_attention` is on, in this thread and task."""
    return _watched.get() is not None


def _watch(q: Any, k: Any, mask: Any, form: AttentionForm) -> None:
    groups = k.shape[1]
    e, inverse = exponentials(
        grouped(q * np.asarray(form.scale, q.dtype), groups), k[:, :, None], of_group(mask, groups), form
    )
    seen = _watched.get()
    if seen is not None:
        seen.append((e * inverse).reshape(*q.shape[:3], k.shape[2]))


def _new(shape: tuple[int, ...], dtype: Any, heads_last: bool) -> tuple[Any, Any]:
    """New memory for (N, H, T, D) in the caller's order of axes, and a view of it in ours."""
    if not heads_last:
        memory = np.empty(shape, dtype)
        return memory, memory
    n, h, t, d = shape
    memory = np.empty((n, t, h, d), dtype)
    return memory, memory.swapaxes(1, 2)


def _of_scores(what: str, mask: Any, shape: tuple[int, ...], lead: tuple[int, ...], single: bool) -> Any:
    """A mask in four axes that broadcast to `shape`, (N, H, T, S). Raises typed errors where it does not fit."""
    if mask.dtype.kind not in "bf":
        raise DTypeError(f"attention: a {what} is of bools or floating numbers, not {mask.dtype}")
    wanted = (*lead, *shape[2:]) if single else (*lead, *shape[1:])
    padded = mask.reshape((1,) * (len(wanted) - mask.ndim) + mask.shape)
    if padded.ndim != len(wanted) or any(
        size not in (1, full) for size, full in zip(padded.shape, wanted, strict=True)
    ):
        raise ShapeError(
            f"attention: a {what} of shape {mask.shape} does not broadcast to the scores' {wanted}"
        )
    k = len(lead)
    if k != 1:
        if padded.shape[:k] not in (lead, (1,) * k):
            padded = np.broadcast_to(padded, lead + padded.shape[k:])
        padded = padded.reshape(math.prod(padded.shape[:k]), *padded.shape[k:])
    return padded[:, None] if single else padded
