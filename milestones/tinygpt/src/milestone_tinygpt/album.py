"""The pictures of a run: how the loss fell, where the heads look, which tokens are alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from milestone_kit import Session
from milestone_kit.pictures import curves
from milestone_tinygpt.corpus import Corpus
from milestone_tinygpt.training import Result
from tt_autograd import no_grad
from tt_text import LanguageModel, Tokenizer, watch_attention
from tt_text.pictures import attention_maps, embedding_projection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "maps"]

LINE = 18
"""Characters of the line that the heads are seen to read."""

MOST_MAPS = 24
"""Maps in a picture."""

MEAN_OF = 5
"""Lines of the history that make a point of the training's curve."""


def draw(session: Session, corpus: Corpus, result: Result, reach: float) -> None:
    """Keep the pictures; of a training that diverged there are none."""
    if result.diverged:
        return
    session.picture("curves.png", _losses(result, reach))
    line = next((line for line in corpus.lines if len(line) >= LINE), corpus.lines[0])[:LINE]
    session.picture("attention.png", maps(result.model, corpus.tokenizer, corpus.tokenizer.encode(line)))
    session.picture("embedding.png", _embedding(corpus, result.model))


def maps(model: LanguageModel, tokenizer: Tokenizer, tokens: Sequence[int]) -> Figure:
    """Where each head of each layer looks when the model reads `tokens`: of a deep model, a choice of layers."""
    with watch_attention() as seen, no_grad():
        model.eval()
        model(np.array([tokens]))
    heads = seen[0].shape[1]
    layers = np.arange(len(seen))
    if len(seen) * heads > MOST_MAPS:
        layers = np.unique(np.linspace(0, len(seen) - 1, max(MOST_MAPS // heads, 1)).astype(int))
    weights = np.concatenate([seen[layer][0] for layer in layers])  # (layers · heads, T, T)
    names = [tokenizer.decode([token]) for token in tokens]
    picture = attention_maps(weights, names, title=f"Where the {heads} heads of each layer look")
    for at, axis in enumerate(picture.axes[: len(weights)]):
        axis.set_title(f"layer {layers[at // heads] + 1}, head {at % heads + 1}")
    return picture


def _losses(result: Result, reach: float) -> Figure:
    steps, losses = (np.array(column) for column in result.history.column("loss", "step"))
    whole = len(steps) // MEAN_OF * MEAN_OF
    lines: dict[str, tuple[Any, Any]] = {}
    if whole:
        lines["what it learns from, mean of five batches"] = (
            steps[:whole].reshape(-1, MEAN_OF).mean(axis=1),
            losses[:whole].reshape(-1, MEAN_OF).mean(axis=1),
        )
    lines["validation, estimated"] = result.history.column("val_loss")
    lines["what nanoGPT's author published"] = ([0, result.recipe.steps], [reach, reach])
    title = f"{result.recipe.name}: {result.loss:.3f} on the whole validation split"
    return curves(lines, title, "step", "loss, nats per token")


def _embedding(corpus: Corpus, model: LanguageModel) -> Figure:
    table = next(iter(model.parameters())).numpy()  # (V, C)
    labels = [corpus.tokenizer.decode([token]) for token in range(len(table))]
    return embedding_projection(table, labels, title=f"{len(table)} tokens, as far apart as they are unlike")
