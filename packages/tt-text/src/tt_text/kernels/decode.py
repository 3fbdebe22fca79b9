"""What a transformer does for each new token, as operations of the table: few calls where a compiled kernel runs.

    norm_linear(x, scale, shift, eps, weight, bias) = linear(layer_norm(x))
    decode_attention(q, keys, values, mask, factor) = softmax(factor · q keysᵀ) values
    decode_block(x, q, keys, values, mask, factor, out, out_bias, scale, shift, eps, up, up_bias, activation, down,
        down_bias) = z + down(activation(up(layer_norm(z)))) with z = x + out(decode_attention(q, …))
    decode_layer(x, scale_1, shift_1, eps_1, qkv, qkv_bias, keys, values, mask, …) = decode_block(x, q, keys, values, …)
        with q, the last of keys and the last of values from qkv(layer_norm(x))

with x (…, C), scale and shift (C,) or None, weights (out, in), biases (out,) or None, activation one of ACTIVATIONS;
q (N, H, D) of one new token of each sequence, keys (N, G, S, D) and values (N, G, S, E) of all, the new one included,
mask (N, S) of bools, True at what may be seen, or None; out (N, H, E). H is a multiple of G. A query that sees nothing
gives zeros.

A layer that computes x Wᵀ + b from a weight of its own kind (one that is stored in bytes, say) may stand for a Linear:
a class says so by `stands_for_linear = True`. W is then the layer itself, whose `infer` is the product. In one
operation, all weights are arrays, or all are such layers.

Where the kernel of an operation is NumPy's, modules are called one by one instead, which comes to the same; but for one
row of float32, where NumPy's norm_linear, and decode_layers (see decode_row.py), take fewer calls.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import GELU, LayerNorm, Linear, Module, ReLU, SiLU, infer
from tt_nn.linear import linear_infer_loops, linear_infer_numpy
from tt_nn.norm_kernels import layer_norm_loops, layer_norm_numpy
from tt_nn.normalization import ROW, layer_norm_of_row
from tt_tensor import kernels, observing
from tt_text.kernels.attention_form import AttentionForm
from tt_text.kernels.attention_plain import PLAIN

__all__ = [
    "ACTIVATIONS",
    "activation_name",
    "decode_attention",
    "decode_block_numpy",
    "decode_layer_numpy",
    "is_linear",
    "is_plain",
    "norm_linear_numpy",
    "normed_linear",
    "of_linear",
    "of_norm",
]

ACTIVATIONS = ("gelu", "gelu_tanh", "relu", "silu")


# --- which modules may be taken together ------------------------------------------------------------------------


def is_plain(module: Module, kind: type[Module]) -> bool:
    """Is it of this class itself, with no hook and no forward of its own? Then a kernel may take its place."""
    return module.__class__ is kind and not module._forward_hooks and "forward" not in module.__dict__


def activation_name(module: Module) -> str | None:
    """Which of ACTIVATIONS a module computes; None for another."""
    if is_plain(module, GELU):
        return "gelu" if module.approximate == "none" else "gelu_tanh"  # type: ignore[attr-defined]
    if is_plain(module, ReLU):
        return "relu"
    return "silu" if is_plain(module, SiLU) else None


def is_linear(module: Module) -> bool:
    """Is it a Linear itself, or a layer that stands for one, with no hook and no forward of its own?"""
    kind = module.__class__
    return (
        (kind is Linear or "stands_for_linear" in kind.__dict__)
        and not module._forward_hooks
        and "forward" not in module.__dict__
    )


def normed_linear(norm: Module, linear: Module, x: Any) -> Any:
    """infer(linear, infer(norm, x)), by one kernel where there is one."""
    kernel = kernels.kernel("norm_linear")
    if (
        (kernel is not norm_linear_numpy or (x.size == x.shape[-1] and observing.active is None))
        and is_plain(norm, LayerNorm)
        and is_linear(linear)
    ):
        scale, shift, eps = of_norm(norm)
        weight, bias = of_linear(linear)
        if x.shape[-1:] == weight.shape[1:] and (scale is None or scale.shape == weight.shape[1:]):
            return kernel(x, scale, shift, eps, weight, bias)
    return infer(linear, infer(norm, x))


def of_norm(norm: Any) -> tuple[Any, Any, float]:
    """Its arrays, or None for those that it has not, and eps."""
    scale, shift = norm.weight, norm.bias
    return None if scale is None else scale.array, None if shift is None else shift.array, norm.eps


def of_linear(linear: Any) -> tuple[Any, Any]:
    """Its weight and bias as arrays; of a layer that stands for a Linear, itself and its bias."""
    bias = linear.bias
    weight = linear.weight.array if linear.__class__ is Linear else linear
    return weight, None if bias is None else bias.array


# --- the operations ---------------------------------------------------------------------------------------------


def _product(kernel: Any, x: Any, weight: Any, bias: Any) -> Any:
    """x Wᵀ + b by that kernel, for an array; by itself, for a layer, which has the bias in it."""
    return infer(weight, x) if isinstance(weight, Module) else kernel(x, weight, bias)


def norm_linear_loops(x: Any, scale: Any, shift: Any, eps: float, weight: Any, bias: Any) -> Any:
    """Row by row."""
    return _product(linear_infer_loops, _normalized(layer_norm_loops, x, scale, shift, eps), weight, bias)


def norm_linear_numpy(x: Any, scale: Any, shift: Any, eps: float, weight: Any, bias: Any) -> Any:
    """The same by whole arrays; one row is normalized by few calls."""
    n = x.shape[-1]
    if 0 < x.size == n <= ROW and x.dtype.char in "fd" and (scale is None or scale.dtype is x.dtype):
        row = layer_norm_of_row(x.reshape(n), scale, shift, eps)
        if weight.__class__ is np.ndarray and bias is None:
            return weight.dot(row).reshape((*x.shape[:-1], len(weight)))
        return _product(linear_infer_numpy, row.reshape(x.shape), weight, bias)
    return _product(linear_infer_numpy, _normalized(layer_norm_numpy, x, scale, shift, eps), weight, bias)


def _normalized(kernel: Any, x: Any, scale: Any, shift: Any, eps: float) -> Any:
    y, _ = kernel(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), eps)
    y = y if scale is None else y * scale
    return (y if shift is None else y + shift).reshape(x.shape)


def decode_attention_loops(q: Any, keys: Any, values: Any, mask: Any, factor: float) -> Any:
    """Head by head: p ~ exp(factor · q · keyₛ) for the keys in sight, out = Σₛ pₛ valueₛ / Σ p."""
    n, h, d = q.shape
    groups, s, width = keys.shape[1], keys.shape[2], values.shape[3]
    out = np.zeros((n, h, width), q.dtype)
    for row, head in np.ndindex(n, h):
        g = head // (h // groups)
        seen = [i for i in range(s) if mask is None or mask[row, i]]
        scores = [
            factor * sum(float(q[row, head, j]) * float(keys[row, g, i, j]) for j in range(d)) for i in seen
        ]
        p = [math.exp(score - max(scores)) for score in scores]
        for j in range(width if seen else 0):
            out[row, head, j] = sum(
                a * float(values[row, g, i, j]) for a, i in zip(p, seen, strict=True)
            ) / sum(p)
    return out


def decode_attention_numpy(q: Any, keys: Any, values: Any, mask: Any, factor: float) -> Any:
    """The same by two products and a softmax: heads of a group stand where queries would."""
    if q.dtype == np.float16:  # exp overflows in it
        q, keys, values = (x.astype(np.float32) for x in (q, keys, values))
        return decode_attention_numpy(q, keys, values, mask, factor).astype(np.float16)
    n, h, d = q.shape
    groups = keys.shape[1]
    if mask is not None:
        out = np.empty((n, h, 1, values.shape[3]), q.dtype)
        PLAIN.forward(q[:, :, None], keys, values, mask[:, None, None], None, AttentionForm(factor), out)
        return out[:, :, 0]
    rows = (q * np.asarray(factor, q.dtype)).reshape(n, groups, h // groups if groups else 0, d)
    e = np.matmul(rows, keys.swapaxes(2, 3))  # (N, G, H/G, S)
    e -= np.maximum.reduce(e, axis=3, keepdims=True)
    np.exp(e, e)
    total = np.add.reduce(e, axis=3, keepdims=True)
    out = np.matmul(e, values)
    out /= total
    return out.reshape(n, h, values.shape[3])


def decode_block_loops(
    x: Any, q: Any, keys: Any, values: Any, mask: Any, factor: float, out: Any, out_bias: Any, scale: Any, shift: Any,
    eps: float, up: Any, up_bias: Any, activation: str, down: Any, down_bias: Any,
) -> Any:  # fmt: skip
    """Row by row, number by number."""
    gathered = decode_attention_loops(q, keys, values, mask, factor)
    z = x + _product(linear_infer_loops, gathered.reshape(x.shape[:-1] + out.shape[1:]), out, out_bias)
    hidden = norm_linear_loops(z, scale, shift, eps, up, up_bias)
    for place in np.ndindex(hidden.shape):
        hidden[place] = _activated(activation, float(hidden[place]))
    return z + _product(linear_infer_loops, hidden, down, down_bias)


def _activated(name: str, x: float) -> float:
    if name == "gelu":
        return x * 0.5 * math.erfc(-x / math.sqrt(2))
    if name == "gelu_tanh":
        return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    if name == "relu":
        return max(x, 0.0)
    return x / (1 + math.exp(-x)) if x > -700 else 0.0


def _gathered(
    norm_linear: Any,
    x: Any,
    scale: Any,
    shift: Any,
    eps: float,
    qkv: Any,
    qkv_bias: Any,
    keys: Any,
    values: Any,
) -> Any:
    """q (N, H, D); the new key and value are written to their places, the last ones."""
    n, groups, _, d = keys.shape
    parts = norm_linear(x, scale, shift, eps, qkv, qkv_bias).reshape(n, -1, d)  # (N, H + 2 G, D)
    h = parts.shape[1] - 2 * groups
    keys[:, :, -1], values[:, :, -1] = parts[:, h : h + groups], parts[:, h + groups :]
    return parts[:, :h]


def decode_layer_loops(
    x: Any, scale_1: Any, shift_1: Any, eps_1: float, qkv: Any, qkv_bias: Any, keys: Any, values: Any, mask: Any,
    factor: float, *rest: Any,
) -> Any:  # fmt: skip
    """Its two parts."""
    q = _gathered(norm_linear_loops, x, scale_1, shift_1, eps_1, qkv, qkv_bias, keys, values)
    return decode_block_loops(x, q, keys, values, mask, factor, *rest)


_MODULES = {"gelu": GELU(), "gelu_tanh": GELU("tanh"), "relu": ReLU(), "silu": SiLU()}


def decode_block_numpy(
    x: Any, q: Any, keys: Any, values: Any, mask: Any, factor: float, out: Any, out_bias: Any, scale: Any, shift: Any,
    eps: float, up: Any, up_bias: Any, activation: str, down: Any, down_bias: Any,
) -> Any:  # fmt: skip
    """The same by whole arrays."""
    gathered = decode_attention_numpy(q, keys, values, mask, factor)
    z = x + _product(linear_infer_numpy, gathered.reshape(x.shape[:-1] + out.shape[1:]), out, out_bias)
    hidden = infer(_MODULES[activation], norm_linear_numpy(z, scale, shift, eps, up, up_bias))
    return z + _product(linear_infer_numpy, hidden, down, down_bias)


def decode_layer_numpy(
    x: Any, scale_1: Any, shift_1: Any, eps_1: float, qkv: Any, qkv_bias: Any, keys: Any, values: Any, mask: Any,
    factor: float, *rest: Any,
) -> Any:  # fmt: skip
    """The same by whole arrays."""
    q = _gathered(norm_linear_numpy, x, scale_1, shift_1, eps_1, qkv, qkv_bias, keys, values)
    return decode_block_numpy(x, q, keys, values, mask, factor, *rest)


for _name, _loops, _numpy in (
    ("norm_linear", norm_linear_loops, norm_linear_numpy),
    ("decode_attention", decode_attention_loops, decode_attention_numpy),
    ("decode_block", decode_block_loops, decode_block_numpy),
    ("decode_layer", decode_layer_loops, decode_layer_numpy),
):
    kernels.register(_name, "loops", _loops)
    kernels.register(_name, "numpy", _numpy, default=True)


def decode_attention(q: Any, keys: Any, values: Any, mask: Any, factor: float) -> Any:
    """See above; on the kernel in use."""
    return kernels.kernel("decode_attention")(q, keys, values, mask, factor)
