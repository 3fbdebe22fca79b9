"""PyTorch's MultiheadAttention and transformer layers, values and gradients: writes transformers.json and .npz.

transformers.json says which layers, on what, and the names and shapes of their state dicts. The state is drawn from the
places of its names in the dictionary, so it need not be kept. Of each case are kept, one after the other: the outputs
in eval mode, and the gradients of the inputs and of all parameters. Computed in float64, kept as float32.

Run it with an interpreter that has PyTorch 2.13.0: python make_transformers.py
"""

import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent


def draw(shape, seed, scale=1.0):
    values = np.random.default_rng(seed).normal(size=tuple(shape)) * scale
    return values.astype(np.float32).astype(np.float64)


def mask_of(kind, shape, seed=50):
    """causal (numbers), causal-bool, bool (True: not seen), add (numbers); every query sees its first key."""
    if kind == "causal":
        return np.triu(np.full(shape, -np.inf), 1)
    if kind == "causal-bool":
        return np.triu(np.ones(shape, bool), 1)
    values = draw(shape, seed)
    if kind == "add":
        return values
    hidden = values > 0.3
    hidden[..., 0] = False
    return hidden


def multihead():
    """The layer's arguments, the shapes of its inputs, the arguments of its forward."""
    base = {"embed_dim": 6, "num_heads": 2}
    layers = [
        base, {**base, "bias": False}, {**base, "batch_first": True}, {**base, "kdim": 5, "vdim": 4},
        {**base, "add_bias_kv": True}, {**base, "add_zero_attn": True, "batch_first": True},
        {**base, "add_bias_kv": True, "add_zero_attn": True, "vdim": 3, "bias": False},
    ]  # fmt: skip
    n, t, s = 2, 3, 4
    for index, kwargs in enumerate(layers):
        kdim, vdim = kwargs.get("kdim", 6), kwargs.get("vdim", 6)
        several = [
            ({}, "cross"),
            ({"key_padding_mask": ("bool", (n, s)), "need_weights": False}, "cross"),
            ({"attn_mask": ("bool", (t, s)), "average_attn_weights": False}, "cross"),
            ({"attn_mask": ("add", (n * 2, t, s)), "key_padding_mask": ("add", (n, s))}, "cross"),
            ({"attn_mask": ("bool", (n * 2, t, s)), "key_padding_mask": ("bool", (n, s))}, "same key"),
            ({"attn_mask": ("add", (2, t, s)), "key_padding_mask": ("bool", (s,))}, "alone"),
            ({"key_padding_mask": ("bool", (n, t))}, "self"),
            ({"attn_mask": ("causal", (t, t)), "is_causal": True, "need_weights": False}, "self"),
            ({"attn_mask": ("causal-bool", (t, t)), "is_causal": True}, "self"),
            ({"need_weights": False}, "self"),
            ({"need_weights": False}, "self alone"),
        ]
        for call, how in several:
            if (how == "same key" and kdim != vdim) or ("self" in how and not kdim == vdim == 6):
                continue
            if "is_causal" in call and index in (4, 5):
                continue  # PyTorch hides the additional keys then, or not, by its way
            yield {
                "layer": "MultiheadAttention",
                "kwargs": kwargs,
                "call": call,
                "inputs": inputs(how, kwargs, n, t, s),
            }


def inputs(how, kwargs, n, t, s):
    kdim, vdim = kwargs.get("kdim", 6), kwargs.get("vdim", 6)
    alone, own = "alone" in how, "self" in how

    def shape(length, features):
        if alone:
            return (length, features)
        return (n, length, features) if kwargs.get("batch_first") else (length, n, features)

    if own:
        return [shape(t, 6), 0, 0]  # a number: the same object as that input
    return [shape(t, 6), shape(s, kdim), 1 if how == "same key" else shape(s, vdim)]


def stacks():
    n, t, s = 2, 3, 4
    base = {"d_model": 4, "nhead": 2, "dim_feedforward": 5}
    for norm_first, batch_first, bias, activation in itertools.product(
        (False, True), (False, True), (True, False), ("relu", "gelu")
    ):
        if (batch_first, bias, activation) in (
            (True, True, "relu"),
            (False, False, "gelu"),
            (True, True, "gelu"),
        ):
            kwargs = {
                **base,
                "norm_first": norm_first,
                "batch_first": batch_first,
                "bias": bias,
                "activation": activation,
            }
            src, tgt = ((n, length, 4) if batch_first else (length, n, 4) for length in (s, t))
            for call in (
                {},
                {"src_mask": ("causal", (s, s)), "is_causal": True},
                {"src_mask": ("bool", (s, s)), "src_key_padding_mask": ("bool", (n, s))},
            ):
                yield {"layer": "TransformerEncoderLayer", "kwargs": kwargs, "call": call, "inputs": [src]}
            for call in (
                {},
                {"tgt_mask": ("causal", (t, t)), "tgt_is_causal": True, "memory_mask": ("add", (t, s))},
                {
                    "memory_mask": ("bool", (n * 2, t, s)), "tgt_key_padding_mask": ("bool", (n, t)),
                    "memory_key_padding_mask": ("bool", (n, s)),
                },
            ):  # fmt: skip
                yield {
                    "layer": "TransformerDecoderLayer",
                    "kwargs": kwargs,
                    "call": call,
                    "inputs": [tgt, src],
                }
    yield {"layer": "TransformerEncoderLayer", "kwargs": base, "call": {}, "inputs": [(s, 4)]}
    yield {"layer": "TransformerDecoderLayer", "kwargs": base, "call": {}, "inputs": [(t, 4), (s, 4)]}
    stack = {**base, "num_encoder_layers": 2, "num_decoder_layers": 2}
    for norm_first in (False, True):
        for call in (
            {},
            {
                "tgt_mask": ("causal", (t, t)), "src_key_padding_mask": ("bool", (n, s)),
                "memory_key_padding_mask": ("bool", (n, s)), "src_mask": ("add", (s, s)),
            },
        ):  # fmt: skip
            kwargs = {**stack, "norm_first": norm_first, "batch_first": norm_first}
            src, tgt = ((n, length, 4) if norm_first else (length, n, 4) for length in (s, t))
            yield {"layer": "Transformer", "kwargs": kwargs, "call": call, "inputs": [src, tgt]}


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # masks of two kinds, which PyTorch takes, but does not like
    torch.set_default_dtype(torch.float64)
    specs, numbers = [*multihead(), *stacks()], []
    for spec in specs:
        layer = getattr(torch.nn, spec["layer"])(**spec["kwargs"]).eval()
        state = layer.state_dict()
        spec["state"] = {name: tuple(tensor.shape) for name, tensor in state.items()}
        layer.load_state_dict(
            {
                name: torch.tensor(draw(shape, 100 + seed, 0.5))
                for seed, (name, shape) in enumerate(spec["state"].items())
            }
        )
        given = []
        for seed, shape in enumerate(spec["inputs"]):
            same = isinstance(shape, int)
            given.append(given[shape] if same else torch.tensor(draw(shape, seed), requires_grad=True))
        call = {
            name: torch.tensor(mask_of(*value, seed)) if isinstance(value, tuple) else value
            for seed, (name, value) in enumerate(spec["call"].items(), 50)
        }
        found = layer(*given, **call)
        found = [part for part in (found if isinstance(found, tuple) else (found,)) if part is not None]
        total = sum(
            (part * torch.tensor(draw(part.shape, 20 + seed))).sum() for seed, part in enumerate(found)
        )
        leaves = list({id(x): x for x in given}.values()) + list(layer.parameters())
        parts = [*found, *torch.autograd.grad(total, leaves)]
        numbers += [part.detach().numpy().ravel() for part in parts]
        spec["size"] = sum(part.numel() for part in parts)
    lines = ",\n".join(json.dumps(spec) for spec in specs)
    (HERE / "transformers.json").write_text(f"[\n{lines}\n]\n")
    np.savez_compressed(HERE / "transformers.npz", numbers=np.concatenate(numbers).astype(np.float32))
