"""The network of nanoGPT's recipe for CPUs, as data and as PyTorch modules: what the contenders share.

The learning rate is twice nanoGPT's, as in milestone-tinygpt.

4 layers, 4 heads, 128 channels, 64 positions, 65 characters, no biases, no dropout, 0.8 M parameters; batches of 12.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

VOCAB, BLOCK, BATCH, LAYERS, HEADS, WIDTH = 65, 64, 12, 4, 4, 128
LEARNING_RATE, LEAST_RATE, BETAS, WEIGHT_DECAY, CLIP = 2e-3, 2e-4, (0.9, 0.99), 0.1, 1.0
STEPS, WARM_UP = 2000, 100


def start(seed: int = 0) -> dict[str, Any]:
    """Weights as GPT-2 draws them, by name."""
    rng = np.random.default_rng(seed)
    shapes = {"transformer.wte.weight": (VOCAB, WIDTH), "transformer.wpe.weight": (BLOCK, WIDTH)}
    for layer in range(LAYERS):
        name = f"transformer.h.{layer}."
        shapes[name + "ln_1.weight"] = (WIDTH,)
        shapes[name + "attn.c_attn.weight"] = (3 * WIDTH, WIDTH)
        shapes[name + "attn.c_proj.weight"] = (WIDTH, WIDTH)
        shapes[name + "ln_2.weight"] = (WIDTH,)
        shapes[name + "mlp.c_fc.weight"] = (4 * WIDTH, WIDTH)
        shapes[name + "mlp.c_proj.weight"] = (WIDTH, 4 * WIDTH)
    shapes["transformer.ln_f.weight"] = (WIDTH,)
    weights = {}
    for name, shape in shapes.items():
        std = 0.02 / math.sqrt(2 * LAYERS) if name.endswith("c_proj.weight") else 0.02
        weights[name] = (
            np.ones(shape, np.float32) if len(shape) == 1 else rng.normal(0, std, shape).astype(np.float32)
        )
    weights["lm_head.weight"] = weights["transformer.wte.weight"]
    return weights


def batch(seed: int = 1) -> tuple[Any, Any]:
    """Random tokens and the ones that follow, (BATCH, BLOCK) each."""
    tokens = np.random.default_rng(seed).integers(0, VOCAB, (BATCH, BLOCK + 1))
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


def torch_network() -> Any:
    """nanoGPT's model in PyTorch, with its names."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Norm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(WIDTH))

        def forward(self, x: Any) -> Any:
            return F.layer_norm(x, (WIDTH,), self.weight, None, 1e-5)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c_attn = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
            self.c_proj = nn.Linear(WIDTH, WIDTH, bias=False)

        def forward(self, x: Any, held: Any = None) -> Any:
            n, t, c = x.shape
            q, k, v = (
                part.view(n, t, HEADS, c // HEADS).transpose(1, 2) for part in self.c_attn(x).split(c, dim=2)
            )
            if held is not None:
                if held:
                    k, v = torch.cat((held[0], k), 2), torch.cat((held[1], v), 2)
                held[:] = [k, v]
            y = F.scaled_dot_product_attention(q, k, v, is_causal=t > 1)
            return self.c_proj(y.transpose(1, 2).contiguous().view(n, t, c))

    class MLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c_fc = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
            self.c_proj = nn.Linear(4 * WIDTH, WIDTH, bias=False)

        def forward(self, x: Any) -> Any:
            return self.c_proj(F.gelu(self.c_fc(x)))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.attn, self.ln_2, self.mlp = Norm(), Attention(), Norm(), MLP()

        def forward(self, x: Any, held: Any = None) -> Any:
            x = x + self.attn(self.ln_1(x), held)
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = nn.ModuleDict(
                {
                    "wte": nn.Embedding(VOCAB, WIDTH),
                    "wpe": nn.Embedding(BLOCK, WIDTH),
                    "h": nn.ModuleList([Block() for _ in range(LAYERS)]),
                    "ln_f": Norm(),
                }
            )
            self.lm_head = nn.Linear(WIDTH, VOCAB, bias=False)
            self.lm_head.weight = self.transformer["wte"].weight

        def forward(self, tokens: Any, cache: Any = None, seen: int = 0) -> Any:
            parts = self.transformer
            places = torch.arange(seen, seen + tokens.shape[1])
            x = parts["wte"](tokens) + parts["wpe"](places)
            for layer, block in enumerate(parts["h"]):
                x = block(x, None if cache is None else cache[layer])
            return self.lm_head(parts["ln_f"](x))

        def loss(self, tokens: Any, targets: Any) -> Any:
            return F.cross_entropy(self(tokens).view(-1, VOCAB), targets.view(-1))

    return GPT()


def groups_of(named_parameters: Any) -> list[dict[str, Any]]:
    """nanoGPT's groups: matrices decay, vectors do not."""
    named = list(named_parameters)
    return [
        {"params": [p for _, p in named if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]


def rate(step: int) -> float:
    """The learning rate of a step: up for 100 steps, then down by a cosine."""
    if step < WARM_UP:
        return LEARNING_RATE * (step + 1) / (WARM_UP + 1)
    way = (step - WARM_UP) / (STEPS - WARM_UP)
    return LEAST_RATE + 0.5 * (1 + math.cos(math.pi * way)) * (LEARNING_RATE - LEAST_RATE)
