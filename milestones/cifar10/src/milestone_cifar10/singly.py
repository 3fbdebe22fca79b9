"""One image at a time, then batches: how many images a second the same network learns from."""

from __future__ import annotations

import time
from dataclasses import replace

import tt_autograd  # noqa: F401  (backward() goes by its tape)
from milestone_cifar10.images import Images, training_loader
from milestone_cifar10.recipe import Recipe
from milestone_cifar10.training import convolutional
from tt_nn import CrossEntropyLoss
from tt_optim import SGD

__all__ = ["images_a_second"]


def images_a_second(images: Images, recipe: Recipe, batch: int, seconds: float) -> float:
    """Steps of SGD on batches of `batch` for about `seconds`; the first, which warms up, is not counted."""
    model = convolutional(recipe, images, 0)
    loss_fn = CrossEntropyLoss()
    optimizer = SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)
    loader = iter(training_loader(images.train, replace(recipe, batch=batch), 0))
    seen, spent, start = -batch, 0.0, 0.0
    while spent < seconds:
        inputs, targets = next(loader)
        optimizer.zero_grad()
        loss_fn(model(inputs), targets).backward()
        optimizer.step()
        if seen < 0:
            start = time.perf_counter()
        seen += batch
        spent = time.perf_counter() - start
    return seen / spent
