"""Compression of the CIFAR network: pruned by channels and fine-tuned, distilled, and every variant in one table.

    export TT_DATA_HOME=...      # the images; milestone-cifar10 --export writes the weights
    python benchmarks/compression.py widths  --weights cifar-cnn.safetensors --out runs/compression
    python benchmarks/compression.py prune   --weights cifar-cnn.safetensors --out runs/compression
    python benchmarks/compression.py latency --weights cifar-cnn.safetensors --out runs/compression
    python benchmarks/compression.py distil  --weights cifar-cnn.safetensors --out runs/compression --seeds 5
    python benchmarks/compression.py report  --weights cifar-cnn.safetensors --out runs/compression

`widths` asks `tt_perf.choose_widths` which channels of which layer should go for a batch to be twice as fast here, and
has no bar. `prune` cuts channels, fine-tunes with the network as trained for a teacher, and writes pruned.safetensors.
All that is left is trained, the stem, too, whose filters no longer whiten once some are gone. `latency` times both, in
turns, one image and a batch, each as it is and both with batch norms folded; the bar holds for the batch, as one image
takes half a millisecond, of which most is Python's, however narrow the layers. Both want nobody else on the machine.
`distil` trains the same small student with the teacher and without: same start, same images in the same order, same
steps; the difference is of pairs. Each prints its bar and exits 1 where that is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
import numpy as np

import tt_autograd
import tt_nn
import tt_perf
from milestone_cifar10.images import Images, load, plain, sample
from milestone_cifar10.recipe import SHORT
from tt_nn import CrossEntropyLoss, Module
from tt_optim import SGD
from tt_optim.lr_scheduler import LambdaLR
from tt_optim.training import Accuracy, Trainer
from tt_perf.compression import soft_targets
from tt_tensor import Tensor, manual_seed
from tt_vision.datasets import CIFAR10
from tt_vision.models import CifarCNN, load_pretrained
from tt_vision.transforms import Normalize

WIDTHS = {"stem": 16, "conv1": 24, "conv2": 48, "conv3": 64}
"""Channels that stay, of 48, 48, 96 and 96: multiples of 8, as the compiled kernels take them. Of a stem on the largest
maps, which two layers pay for, most goes."""
TUNE = replace(SHORT, epochs=14, lr=0.08, warm=0.1)
STUDENT = {"stem": (4, 2, 1, 8), "blocks": ((16, True), (32, True), (32, False))}
STUDY = replace(SHORT, epochs=2)
TEMPERATURE, ALPHA = 4.0, 0.9
BATCH = 256
STUDENT_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Of n differences: the 97.5 % point of Student's t with n - 1 degrees of freedom."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["widths", "prune", "latency", "distil", "report"])
    parser.add_argument(
        "--weights", type=Path, required=True, help="of the trained network, its card beside it"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/compression"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the fine-tuning")
    parser.add_argument("--epochs", type=int, help="of fine-tuning, or of the students")
    parser.add_argument("--limit", type=int, help="of test images, for the report")
    parser.add_argument("--plain", action="store_true", help="NumPy's kernels; by default compiled ones")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.plain:
        machine.tune_malloc()
    else:
        tt_perf.accelerate()
    parts: dict[str, Callable[[Any], bool]] = {
        "widths": widths,
        "prune": prune,
        "latency": latency,
        "distil": distil,
        "report": report,
    }
    return 0 if parts[options.what](options) else 1


def widths(options: Any) -> bool:
    """Widths for a batch to be twice as fast, by measured time."""
    model, seen = load_pretrained(options.weights), sample(load(None).train, 400, 0)
    print(f"  {tt_perf.choose_widths(model, seen, 2.0, batch=BATCH)}")
    return True


def prune(options: Any) -> bool:
    """Cut, fine-tune, write; the accuracy lost is at most 2 points."""
    images = load(None)
    model = load_pretrained(options.weights)
    recipe = TUNE.changed(options.epochs, None)
    seen = sample(images.train, 400, 0)
    small = tt_perf.prune_channels(
        model, widths=WIDTHS, criterion="contribution", data=seen, reconstruct=True
    )
    small.requires_grad_(True)  # the stem, which was not trained, has lost filters, too
    before, cut = right(model, images), right(small, images)
    start = time.perf_counter()
    print(f"  as trained {before} %, cut {cut} %", flush=True)
    lessons = Lessons(images, taught(options, model, images), recipe.batch, options.seed)
    loss = tt_perf.DistillationLoss(TEMPERATURE, ALPHA)
    fit(small, lessons, recipe, loss, seed=options.seed, progress="plain")
    after = right(small, images)
    tt_nn.save(small, options.out / "pruned.safetensors")
    found = {
        "accuracy": before,
        "after the cut, readers fitted": cut,
        "after fine-tuning": after,
        "parameters": count(model),
        "parameters left": count(small),
        "epochs": recipe.epochs,
        "seed": options.seed,
        "seconds": round(time.perf_counter() - start, 1),
    }
    return finished(options, "prune", found, "points lost", before - after, 2.0)


def latency(options: Any) -> bool:
    """The network as trained against the pruned one: a batch twice as fast at least; one image is told, too."""
    model, small = load_pretrained(options.weights), pruned(options)
    pairs = {"": (model, small), ", norms folded": tuple(map(tt_perf.fold_batch_norm, (model, small)))}
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {"kernels": "numpy" if options.plain else "numba"}
    slowest = math.inf
    for name, size, rounds in (("one image", 1, 400), (f"batch of {BATCH}", BATCH, 25)):
        x = Tensor(rng.standard_normal((size, 3, 32, 32)).astype(np.float32))
        for how, (whole, part) in pairs.items():
            times: dict[str, list[float]] = {"as trained": [], "pruned": []}
            with tt_autograd.inference_mode():
                for at in range(-5, rounds):
                    for which, network in (("as trained", whole), ("pruned", part)):
                        start = time.perf_counter()
                        network(x)
                        if at >= 0:
                            times[which].append(time.perf_counter() - start)
            middle = {which: statistics.median(row) for which, row in times.items()}
            ratio = middle["as trained"] / middle["pruned"]
            found[name + how] = {which: f"{value * 1e3:.3f} ms" for which, value in middle.items()} | {
                "times faster": round(ratio, 2),
                "of the quickest": round(min(times["as trained"]) / min(times["pruned"]), 2),
            }
            if size == BATCH:
                slowest = min(slowest, ratio)
    return finished(options, "latency", found, "1 ÷ times faster", 1 / slowest, 0.5)


def distil(options: Any) -> bool:
    """The same student with a teacher and without, seed by seed."""
    images = load(None)
    teacher = load_pretrained(options.weights)
    recipe = STUDY.changed(options.epochs, None)
    logits = taught(options, teacher, images)
    pairs = []
    for seed in range(options.seeds):
        row = {}
        for arm in ("alone", "distilled"):
            manual_seed(seed)
            student = CifarCNN(10, **STUDENT).whiten(sample(images.train, 5000, seed))
            batches = Lessons(images, logits, recipe.batch, seed)
            if arm == "alone":
                loss: Any = AloneLoss(recipe.label_smoothing)
            else:
                loss = tt_perf.DistillationLoss(TEMPERATURE, ALPHA)
            fit(student, batches, recipe, loss, seed=seed)
            row[arm] = right(student, images)
        pairs.append(row)
        print(f"  seed {seed}: alone {row['alone']:.2f} %, distilled {row['distilled']:.2f} %", flush=True)
    gains = [row["distilled"] - row["alone"] for row in pairs]
    mean = statistics.fmean(gains)
    half = (
        STUDENT_T.get(len(gains), math.inf) * statistics.stdev(gains) / len(gains) ** 0.5 if gains[1:] else 0
    )
    found = {
        "student's parameters": count(student),
        "epochs": recipe.epochs,
        "alone": round(statistics.fmean(row["alone"] for row in pairs), 2),
        "distilled": round(statistics.fmean(row["distilled"] for row in pairs), 2),
        "gain in points": round(mean, 2),
        "95 % interval": [round(mean - half, 2), round(mean + half, 2)],
    }
    return finished(options, "distil", found, "minus the interval's lower end", half - mean, 0.0)


def report(options: Any) -> bool:
    """Every variant in one table, as it is without fine-tuning but for the pruned one; no bar."""
    images = load(None)
    model = load_pretrained(options.weights)
    sparse, pattern = load_pretrained(options.weights), load_pretrained(options.weights)
    tt_perf.prune_magnitude(sparse, 0.5, scope="global")
    tt_perf.prune_n_m(pattern)
    variants: dict[str, Module] = {
        "as trained": model,
        "half of the weights": sparse,
        "2:4": pattern,
        # Not the stem, whose filters that matter most have the smallest norm: it whitens.
        "low rank, energy 0.9": tt_perf.low_rank(model, energy=0.9, layers=["conv1", "conv2", "conv3"])[0],
        "16 clusters": tt_perf.cluster(model, 16),
        "256 clusters": tt_perf.cluster(model, 256),
    }
    if hasattr(tt_perf, "quantize"):
        variants["int8"] = tt_perf.quantize(model)
    if (options.out / "pruned.safetensors").exists():
        variants["pruned, fine-tuned"] = pruned(options)
        variants["the same, 256 clusters"] = tt_perf.cluster(variants["pruned, fine-tuned"], 256)
    inputs = Normalize(CIFAR10.mean, CIFAR10.std)(images.test.data)
    found = tt_perf.compare_variants(variants, (inputs, images.test.targets), limit=options.limit)
    print(found)
    found.save(options.out / "variants.json")
    found.draw(options.out / "variants.png", "The CIFAR network, compressed")
    return True


class Lessons:
    """Training images in batches, half of them mirrored, with the teacher's logits for what is seen.

    Both arms get the same images in the same order: all is drawn from the seed and the epoch.
    """

    def __init__(self, images: Images, logits: Any, batch: int, seed: int) -> None:
        self.images, self.logits, self.batch, self.seed, self.epoch = images, logits, batch, seed, 0
        self.prepare = Normalize(CIFAR10.mean, CIFAR10.std)

    def __len__(self) -> int:
        return len(self.images.train) // self.batch

    def __iter__(self) -> Iterator[Any]:
        rng = np.random.default_rng((self.seed, self.epoch))
        self.epoch += 1
        order = rng.permutation(len(self.images.train))[: len(self) * self.batch]
        mirrored = rng.integers(0, 2, len(order))
        for start in range(0, len(order), self.batch):
            rows, sides = order[start : start + self.batch], mirrored[start : start + self.batch]
            pixels = self.images.train.data[rows]
            pixels = np.where(sides[:, None, None, None] == 1, pixels[..., ::-1], pixels)
            targets = Tensor(np.asarray(self.images.train.targets)[rows])
            yield Tensor(self.prepare(pixels)), (targets, Tensor(self.logits[sides, rows]))


class AloneLoss(CrossEntropyLoss):
    """Cross entropy that leaves the teacher's logits aside."""

    def __init__(self, label_smoothing: float) -> None:
        super().__init__(label_smoothing=label_smoothing)

    def forward(self, input: Any, targets: Any) -> Any:
        return super().forward(input, targets[0])

    def count(self, outputs: Any, targets: Any) -> float:
        """How many terms the mean is over."""
        return float(len(targets[0]))


def taught(options: Any, teacher: Module, images: Images) -> Any:
    """(2, N, 10): the teacher's logits for each training image and its mirror image; kept in a file."""
    path = options.out / "teacher.npy"
    if not path.exists():
        prepare = Normalize(CIFAR10.mean, CIFAR10.std)
        data = images.train.data
        sides = []
        for pixels in (data, data[..., ::-1]):
            parts = (pixels[at : at + 1000] for at in range(0, len(data), 1000))
            sides.append(np.concatenate([soft_targets(teacher, prepare(part)) for part in parts]))
        np.save(path, np.stack(sides), allow_pickle=False)
    return np.load(path, allow_pickle=False)


def fit(model: Module, loader: Any, recipe: Any, loss: Any, seed: int = 0, progress: Any = False) -> None:
    """SGD with Nesterov momentum over the recipe's schedule, to the end."""
    total = recipe.epochs * len(loader)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = SGD(
        learned, lr=recipe.lr, momentum=recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay
    )
    trainer = Trainer(
        model,
        loss,
        optimizer,
        scheduler=LambdaLR(optimizer, lambda step: recipe.rate(step, total)),
        keep_best=False,
        progress=progress,
        seed=seed,
    )
    trainer.fit(loader, epochs=recipe.epochs)


def right(model: Module, images: Images) -> float:
    """Share of the test images, in percent."""
    accuracy = Accuracy()
    model.eval()
    with tt_autograd.inference_mode():
        for inputs, targets in plain(images.test):
            accuracy.update(model(inputs), targets)
    return round(100 * float(accuracy.compute()), 2)


def pruned(options: Any) -> Module:
    model = load_pretrained(options.weights)
    return tt_perf.load_pruned(model, tt_nn.load(options.out / "pruned.safetensors")).eval()


def count(model: Module) -> int:
    return sum(parameter.size for parameter in model.parameters())


def finished(options: Any, name: str, found: dict[str, Any], what: str, value: float, bar: float) -> bool:
    """Print, write, and say whether value ≤ bar."""
    met = value <= bar
    for key, entry in found.items():
        print(f"  {key}: {entry}")
    print(f"  bar: {what} ≤ {bar}: {value:.3f}, {'met' if met else 'MISSED'}")
    record = {"machine": machine.describe(), **found, what: value, "bar": bar, "met": met}
    (options.out / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return met


if __name__ == "__main__":
    sys.exit(main())
