"""The network of a recipe, and the optimizer that moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from milestone_tinygpt.recipes import Recipe
from tt_nn import Module, shards
from tt_optim import AdamW, Muon, Optimizer
from tt_tensor import manual_seed
from tt_text import GPT, GPTConfig, LanguageModel, Llama, LlamaConfig

__all__ = ["SHARDS", "MuonAndAdamW", "network", "optimizer", "parameters"]

SHARDS = 2
"""Parts of a batch, a thread each. The bits of a run depend on their number, so it is the same on every machine."""

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
    shares: list[list[Any]] = [[] for _ in range(SHARDS)]
    for p in sorted(inside, key=lambda p: -p.size):
        min(shares, key=lambda share: sum(q.size for q in share)).append(p)
    muons = [Muon(share, recipe.muon_lr, recipe.muon_decay, recipe.momentum) for share in shares if share]
    return MuonAndAdamW(adamw, muons)


class MuonAndAdamW(Optimizer):
    """Optimizers that step together, each with parameters of its own, seen as one.

    The groups are those of all, so that one schedule sets all learning rates. The Muons step side by side, a thread
    each: a matrix is orthogonalised by many small products, one after the other, too small for two threads of BLAS.
    """

    def __init__(self, adamw: AdamW, muons: Sequence[Muon]) -> None:
        self.adamw, self.muons = adamw, list(muons)
        self.defaults = {}
        self.param_groups = [group for one in (adamw, *self.muons) for group in one.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move all. Returns what `closure` returns, which is called first."""
        loss = None if closure is None else closure()
        self.adamw.step()

        def body(start: int, stop: int, part: int) -> None:
            for muon in self.muons[start:stop]:
                muon.step()

        shards.run_parts(body, [(at, at + 1) for at in range(len(self.muons))])
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state of each. Copies."""
        return {"adamw": self.adamw.state_dict(), "muons": [muon.state_dict() for muon in self.muons]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there. Raises as that of each does."""
        self.adamw.load_state_dict(state_dict["adamw"])
        for muon, state in zip(self.muons, state_dict["muons"], strict=True):
            muon.load_state_dict(state)
