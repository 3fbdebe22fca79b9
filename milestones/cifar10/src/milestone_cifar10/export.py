"""The network's weights as tt-vision ships them: safetensors, and a card with the accuracy counted again."""

from __future__ import annotations

from milestone_cifar10.images import Images
from milestone_cifar10.recipe import Recipe
from milestone_cifar10.training import Result
from milestone_kit import Session
from tt_vision.datasets import CIFAR10
from tt_vision.models import Card, save_pretrained

__all__ = ["export"]


def export(session: Session, result: Result, recipe: Recipe, images: Images) -> None:
    """Write them to ``--export``, in half precision, unless the bar is missed."""
    if not result.accuracy >= recipe.bar:
        session.say(f"not exported: the bar is {recipe.bar} %")
        return
    card = Card(
        "cifar_cnn",
        "cifar10",
        {"num_classes": 10, "stem": recipe.stem, "blocks": recipe.blocks, "in_channels": 3},
        "CIFAR10",
        f"by milestone-cifar10 --seed {session.options.seed}: {recipe.epochs} epochs of SGD on the "
        f"{len(images.train):,} training images, moved by up to {recipe.shift} pixels and mirrored; stored in half "
        "precision",
        "weights MIT; images: no licence stated, see Krizhevsky, 2009",
        classes=images.test.classes,
        size=(32, 32),
        mean=CIFAR10.mean,
        std=CIFAR10.std,
    )
    path = session.options.export
    test = (images.test.data, images.test.targets)
    card = save_pretrained(result.model, path, card, test, dtype="float16")
    session.say(f"wrote {path}: {card.correct:,} of {card.samples:,} right, {card.bytes:,} bytes")
