"""The two networks of earlier milestones whose training step is taken up the ladder, and their data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_data.download_errors import DownloadError
from tt_nn import CrossEntropyLoss, Module
from tt_optim import SGD, AdamW, Optimizer
from tt_tensor import Tensor, manual_seed
from tt_text import GPT, CharTokenizer, GPTConfig
from tt_text.datasets import TinyShakespeare
from tt_vision.datasets import CIFAR10, DatasetError
from tt_vision.models import cifar_cnn
from tt_vision.transforms import Normalize

__all__ = ["Task", "cifar", "tinygpt"]

BATCH_OF_IMAGES = 128
BATCH_OF_TEXTS, BLOCK = 12, 64


@dataclass(frozen=True)
class Task:
    """A model to make, a loss, and a batch."""

    title: str
    unit: str
    units_a_row: int
    """How many units (images, tokens) a row of the batch has."""
    make: Callable[[], tuple[Module, Optimizer]]
    """The same model at each call."""
    loss: Callable[[Module, Any, Any], Tensor]
    inputs: Any
    targets: Any
    whole_model_shards: bool
    """Whether the batch may be cut in halves that go through the whole model side by side."""
    note: str = ""


def cifar(seed: int) -> Task:
    """The network of milestone-cifar10, on its first images, or on noise of their shape where they are not here."""
    try:
        images = CIFAR10(train=True, download=False)
        x = Normalize(CIFAR10.mean, CIFAR10.std)(images.data[:BATCH_OF_IMAGES])
        y = np.asarray(images.targets[:BATCH_OF_IMAGES])
        note = ""
    except (DatasetError, DownloadError):
        random = np.random.default_rng(seed)
        x = random.standard_normal((BATCH_OF_IMAGES, 3, 32, 32), np.float32)
        y = random.integers(0, 10, BATCH_OF_IMAGES)
        note = "CIFAR-10 is not here (TT_DATA_HOME), so the step runs on noise of the same shape"
    criterion = CrossEntropyLoss()

    def make() -> tuple[Module, Optimizer]:
        manual_seed(seed)
        model = cifar_cnn().whiten(x)
        return model, SGD([p for p in model.parameters() if p.requires_grad], lr=0.01, momentum=0.9)

    def loss(model: Module, x: Any, y: Any) -> Tensor:
        found: Tensor = criterion(model(x), y)
        return found

    return Task("training step of the CIFAR network", "image", 1, make, loss, x, y, False, note)


def tinygpt(seed: int) -> Task:
    """The transformer of milestone-tinygpt, on blocks of its text."""
    train = TinyShakespeare("train").text
    tokenizer = CharTokenizer.from_text(train)
    tokens = np.array(tokenizer.encode(train[: BATCH_OF_TEXTS * (BLOCK + 1)])).reshape(
        BATCH_OF_TEXTS, BLOCK + 1
    )

    def make() -> tuple[Module, Optimizer]:
        manual_seed(seed)
        model = GPT(GPTConfig(tokenizer.vocab_size, BLOCK, 4, 4, 128, 0.0, bias=False))
        return model, AdamW(model.parameters(), 1e-3)

    def loss(model: Any, x: Any, y: Any) -> Tensor:
        found: Tensor = model.loss(x, y)
        return found

    return Task("training step of TinyGPT", "token", BLOCK, make, loss, tokens[:, :-1], tokens[:, 1:], True)
