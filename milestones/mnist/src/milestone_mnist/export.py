"""The CNN's weights as tt-vision ships them: a file of safetensors, and its card with the accuracy counted again."""

from __future__ import annotations

from milestone_kit import Session
from milestone_mnist.images import Problem
from milestone_mnist.training import Plan, Result
from tt_vision.datasets import MNIST
from tt_vision.models import Card, save_pretrained

__all__ = ["export"]


def export(session: Session, result: Result, plan: Plan, problem: Problem, at_least: float) -> None:
    """Write them to ``--export``, unless the bar `at_least`, in percent, is missed."""
    if not result.accuracy >= at_least:
        session.say(f"not exported: the bar is {at_least} %")
        return
    card = Card(
        "lenet5",
        "mnist",
        {"num_classes": 10, "in_channels": 1, "image_size": 28, "padding": (2, 0), "style": "modern"},
        "MNIST",
        f"by milestone-mnist --data mnist --seed {session.options.seed}: {plan.epochs} epochs of AdamW on "
        f"{len(problem.train):,} of the training images, moved by up to {problem.reach} pixels; "
        f"the weights chosen by {len(problem.choose):,} others of these",
        "weights MIT; images by LeCun, Cortes and Burges, commonly given as CC BY-SA 3.0",
        classes=MNIST.names,
        size=(problem.side, problem.side),
        mean=MNIST.mean,
        std=MNIST.std,
    )
    path = session.options.export
    card = save_pretrained(result.model, path, card, (problem.test.data, problem.test.targets))
    session.say(f"wrote {path}: {card.correct:,} of {card.samples:,} right, {card.bytes:,} bytes")
