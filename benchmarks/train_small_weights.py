"""Train the smallest of the weights that ship with tt-vision: XOR, and the digits that are bundled with it.

    python benchmarks/train_small_weights.py --out folder [--only xor|digits] [--choose]

Writes mlp-xor and lenet5-digits (.safetensors, each with its card) into the folder; the wheel's own is
packages/tt-vision/src/tt_vision/models/pretrained. The settings of the digits were chosen by `--choose`, which trains
on three quarters of the training images and prints how it does on the last quarter; the test images were used once,
for the card.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from tt_data import DataLoader, Subset, TensorDataset
from tt_nn import BCEWithLogitsLoss, CrossEntropyLoss
from tt_optim import AdamW
from tt_optim.lr_scheduler import OneCycleLR
from tt_optim.training import Accuracy, Trainer
from tt_tensor import manual_seed
from tt_vision.datasets import Digits
from tt_vision.models import Card, lenet5, mlp, save_pretrained
from tt_vision.transforms import Normalize, RandomAffine

SEED = 0
EPOCHS, BATCH, LR, WEIGHT_DECAY, SMOOTHING = 120, 64, 4e-3, 0.05, 0.1
DIGITS = {"num_classes": 10, "in_channels": 1, "image_size": 8, "padding": (2, 2), "style": "modern"}


def train(model, loss_fn, loader, epochs, lr, weight_decay, batches=None, **others):
    """One cycle of AdamW."""
    optimizer = AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    scheduler = OneCycleLR(optimizer, lr, total_steps=epochs * (batches or len(loader)))
    trainer = Trainer(model, loss_fn, optimizer, scheduler=scheduler, progress=False, seed=SEED, **others)
    return trainer.fit(loader, epochs=epochs)


def xor():
    """2-8-1 on all there is: four points."""
    points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    answers = np.array([0, 1, 1, 0], np.float32)
    manual_seed(SEED)
    model = mlp(2, (8,), 1, activation="tanh")
    loader = DataLoader(TensorDataset(points, answers[:, None]), batch_size=4)
    train(model, BCEWithLogitsLoss(), loader, epochs=1000, lr=0.05, weight_decay=0.0)
    card = Card(
        "mlp",
        "xor",
        {"in_features": 2, "hidden": (8,), "num_classes": 1, "activation": "tanh"},
        "XOR",
        "by benchmarks/train_small_weights.py: 1000 steps of AdamW on all four points, which are also the test",
        "MIT",
        classes=("xor",),
    )
    return model, card, (points, answers.astype(np.int64))


def digits_loader(indices=None):
    """Training images: turned and moved a little, normalised."""
    train_set = Digits(train=True)
    moved = RandomAffine(degrees=10, translate=(0.1, 0.1), scale=(0.9, 1.1), interpolation="bilinear")
    normalise = Normalize(Digits.mean, Digits.std)
    train_set.transform = lambda images: normalise(moved(images))
    chosen = train_set if indices is None else Subset(train_set, indices)
    return DataLoader(chosen, batch_size=BATCH, shuffle=True)


def digits_card():
    """What the digits' weights are."""
    return Card(
        "lenet5",
        "digits",
        DIGITS,
        "Digits",
        f"by benchmarks/train_small_weights.py: {EPOCHS} epochs of AdamW on the 1,347 training images, turned, scaled "
        "and moved a little; settings chosen on a quarter of these. Values of the images go from 0 to 16, not 255",
        "weights MIT; images by Alpaydin and Kaynak, UCI Machine Learning Repository, CC BY 4.0",
        classes=tuple("0123456789"),
        size=(8, 8),
        mean=Digits.mean,
        std=Digits.std,
    )


def digits(indices=None):
    """LeNet-5 for 8×8 images."""
    manual_seed(SEED)
    model = lenet5(**DIGITS)
    loader = digits_loader(indices)
    loss_fn = CrossEntropyLoss(label_smoothing=SMOOTHING)
    history = train(model, loss_fn, loader, EPOCHS, LR, WEIGHT_DECAY, metrics=[Accuracy()])
    print(f"accuracy in training: {history['accuracy'][-1]:.4f}")
    return model


def choose():
    """Train on three quarters of the training images, print the accuracy on the others."""
    train_set = Digits(train=True)
    held = len(train_set) // 4
    model = digits(np.arange(held, len(train_set)))
    right = digits_card().count(model, train_set.data[:held], train_set.targets[:held])
    print(f"held out: {right} of {held} ({right / held:.4f})")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--only", choices=("xor", "digits"))
    parser.add_argument("--choose", action="store_true")
    options = parser.parse_args()
    start = time.perf_counter()
    if options.choose:
        choose()
        return
    made = []
    if options.only != "digits":
        made.append(xor())
    if options.only != "xor":
        test = Digits(train=False)
        made.append((digits(), digits_card(), (test.data, test.targets)))
    for model, card, test in made:
        card = save_pretrained(model, options.out / f"{card.model}-{card.name}.safetensors", card, test)
        print(f"{card.model}-{card.name}: {card.correct} of {card.samples}, {card.bytes:,} bytes")
    print(f"{time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
