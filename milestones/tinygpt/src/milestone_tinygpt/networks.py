"""The network of a recipe, and the optimizer that moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from milestone_tinygpt.recipes import Recipe
from tt_nn import Module
from tt_optim import AdamW, Muon, Optimizer
from tt_tensor import manual_seed
from tt_text import GPT, GPTConfig, LanguageModel, Llama, LlamaConfig

__all__ = ["MuonAndAdamW", "network", "optimizer", "parameters"]

MULTIPLE = 32

DRAWN = 0.02
"""The standard deviation with which both architectures draw their tables."""


def network(recipe: Recipe, vocab_size: int, seed: int) -> GPT | Llama:
    """With the weights that `seed` draws."""
    manual_seed(seed)
    model = _llama(recipe, vocab_size) if recipe.architecture == "llama" else _gpt(recipe, vocab_size)
    if recipe.embedding_std != DRAWN:
        table = model.model.embed_tokens if isinstance(model, Llama) else model.transformer.wte
        table.weight.write(table.weight.numpy() * np.float32(recipe.embedding_std / DRAWN))
    return model


def _gpt(recipe: Recipe, vocab_size: int) -> GPT:
    return GPT(
        GPTConfig(
            vocab_size,
            max(recipe.block, recipe.judged_in),
            recipe.layers,
            recipe.heads,
            recipe.width,
            recipe.dropout,
            bias=False,
            n_inner=recipe.hidden,
            tie_word_embeddings=recipe.tied,
        )
    )


def _llama(recipe: Recipe, vocab_size: int) -> Llama:
    return Llama(
        LlamaConfig(
            vocab_size,
            recipe.width,
            recipe.hidden or -(-8 * recipe.width // (3 * MULTIPLE)) * MULTIPLE,
            recipe.layers,
            recipe.heads,
            max_position_embeddings=max(recipe.block, recipe.judged_in),
            rope_layout="interleaved",
            tie_word_embeddings=recipe.tied,
            attention_dropout=recipe.dropout,
        )
    )


def parameters(model: Module) -> int:
    """Numbers that are trained, tied ones once."""
    return sum(parameter.size for parameter in model.parameters())


def optimizer(recipe: Recipe, model: LanguageModel) -> Optimizer:
    """AdamW for all, matrices with weight decay; or, for "muon", Muon for the matrices inside of the layers."""
    inside: list[Any] = []
    if recipe.optimizer == "muon":
        layers = model.transformer.h if isinstance(model, GPT) else model.model.layers  # type: ignore[attr-defined]
        inside = [p for p in layers.parameters() if p.ndim == 2]
    taken = {id(p) for p in inside}
    rest = [p for p in model.parameters() if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": recipe.decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    adamw = AdamW(groups, recipe.lr, recipe.betas)
    if not inside:
        return adamw
    muon = Muon(inside, recipe.muon_lr, recipe.muon_decay, recipe.momentum)
    return MuonAndAdamW(adamw, muon)


class MuonAndAdamW(Optimizer):
    """Two optimizers that step together, each with parameters of its own, seen as one.

    The groups are those of both, so that one schedule sets the learning rates of all.
    """

    def __init__(self, adamw: AdamW, muon: Muon) -> None:
        self.adamw, self.muon = adamw, muon
        self.defaults = {}
        self.param_groups = [*adamw.param_groups, *muon.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move all. Returns what `closure` returns, which is called first."""
        loss = None if closure is None else closure()
        self.adamw.step()
        self.muon.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state of each. Copies."""
        return {"adamw": self.adamw.state_dict(), "muon": self.muon.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there. Raises as that of each does."""
        self.adamw.load_state_dict(state_dict["adamw"])
        self.muon.load_state_dict(state_dict["muon"])
