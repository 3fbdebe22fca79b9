"""The network, schedule and augmentation of milestone-cifar10 in PyTorch eager: run by cifar10.py.

The recipe comes as JSON, the images as NumPy files. Nothing here is slower than it has to be: augmentation runs over
whole batches, as ours does. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from torch import nn
from torch.nn import functional

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
MARKS = (60, 70, 75, 80, 85, 90)


def whitening(images: Any, kernel: int, components: int, eps: float = 5e-4) -> Any:
    """See tt_vision.models.cifar_cnn.whitening."""
    patches = functional.unfold(images, kernel, stride=2).transpose(1, 2).reshape(-1, 3 * kernel * kernel)
    second = (patches.T @ patches / len(patches)).double()
    values, vectors = torch.linalg.eigh(second)
    values, vectors = values.flip(0)[:components], vectors.flip(1)[:, :components]
    weight = (vectors / (values + eps).sqrt()).T.float().reshape(-1, 3, kernel, kernel)
    return torch.cat([weight, -weight])


def network(recipe: dict[str, Any], images: Any) -> Any:
    kernel, stride, padding, components = recipe["stem"]
    stem = nn.Conv2d(3, 2 * components, kernel, stride, padding, bias=False)
    stem.weight = nn.Parameter(whitening(images, kernel, components), requires_grad=False)
    layers, channels = [stem, nn.ReLU()], 2 * components
    for width, halve in recipe["blocks"]:
        layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=False))
        layers += [nn.MaxPool2d(2)] if halve else []
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def rate(recipe: dict[str, Any], step: int, steps: int) -> float:
    warm = recipe["warm"] * steps
    if step < warm:
        return 0.1 + 0.9 * step / warm
    return max(recipe["end"], 1 - (1 - recipe["end"]) * (step - warm) / (steps - warm))


class Augment:
    """Batches moved by a few pixels and mirrored half the time, as floats."""

    def __init__(self, images: Any, shift: int, memory_format: Any) -> None:
        self.padded = np.pad(
            images.transpose(0, 2, 3, 1), ((0, 0), *((shift, shift),) * 2, (0, 0)), "reflect"
        )
        self.shift, self.memory_format = shift, memory_format
        self.scale = (1 / (255 * np.array(STD))).astype(np.float32)
        self.offset = (-np.array(MEAN) / np.array(STD)).astype(np.float32)

    def __call__(self, rows: Any, rng: Any) -> Any:
        down, right = rng.integers(0, 2 * self.shift + 1, (2, len(rows))).tolist()
        mirror = (rng.random(len(rows)) < 0.5).tolist()
        batch = np.empty((len(rows), 32, 32, 3), np.uint8)
        for place, row in enumerate(rows.tolist()):
            some = self.padded[row, down[place] : down[place] + 32, right[place] : right[place] + 32]
            batch[place] = some[:, ::-1] if mirror[place] else some
        x = batch * self.scale
        x += self.offset
        return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=self.memory_format)


def accuracy(net: Any, images: Any, labels: Any) -> float:
    net.eval()
    with torch.no_grad():
        right = sum(
            int((net(part).argmax(1) == truth).sum())
            for part, truth in zip(images.split(500), labels.split(500), strict=True)
        )
    net.train()
    return 100 * right / len(labels)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--channels-last", action="store_true")
    options = parser.parse_args()
    recipe = json.loads(options.recipe)
    machine.tune_malloc()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
    raw, test = np.load(options.data / "train_x.npy"), np.load(options.data / "test_x.npy")
    labels, truth = (torch.from_numpy(np.load(options.data / f"{name}_y.npy")) for name in ("train", "test"))

    def plain(images: Any) -> Any:
        x = torch.from_numpy(images) / 255
        x = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
        return x.contiguous(memory_format=memory_format)

    net = network(recipe, plain(raw[rng.choice(len(raw), 5000, replace=False)]))
    net = net.to(memory_format=memory_format)
    augment, seen = Augment(raw, recipe["shift"], memory_format), plain(test)
    optimizer = torch.optim.SGD(
        [parameter for parameter in net.parameters() if parameter.requires_grad],
        lr=recipe["lr"],
        momentum=recipe["momentum"],
        nesterov=True,
        weight_decay=recipe["weight_decay"],
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=recipe["label_smoothing"])
    batch, per_epoch = recipe["batch"], len(raw) // recipe["batch"]
    steps, looks = recipe["epochs"] * per_epoch, max(1, per_epoch // recipe["looks"])
    spent, reached, step, curve = 0.0, {}, 0, []
    since = time.perf_counter()
    for _ in range(recipe["epochs"]):
        order = rng.permutation(len(raw))
        for first in range(0, per_epoch * batch, batch):
            rows = order[first : first + batch]
            x = augment(rows, rng)
            for group in optimizer.param_groups:
                group["lr"] = recipe["lr"] * rate(recipe, step, steps)
            optimizer.zero_grad()
            loss = loss_of(net(x), labels[torch.from_numpy(rows)])
            loss.backward()
            optimizer.step()
            loss.item()
            step += 1
            if step % looks == 0 or step % per_epoch == 0:
                spent += time.perf_counter() - since
                right = accuracy(net, seen, truth)
                curve.append([step, spent, right])
                for mark in MARKS:
                    if right >= mark:
                        reached.setdefault(mark, spent)
                since = time.perf_counter()
    print(json.dumps({"accuracy": right, "seconds": spent, "reached": reached, "curve": curve}))


if __name__ == "__main__":
    main()
