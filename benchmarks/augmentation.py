"""Random crop (32 × 32 with padding 4), horizontal flip and normalise on images of CIFAR's shape: images a second.

One core, batches of 128 at shuffled places of a store of uint8 images, in three ways that give the same images for
the same draws (checked first):

    whole batch          tt_vision's transforms on (N, 3, 32, 32)
    one at a time        the same transforms on each (3, 32, 32), then np.stack
    plain NumPy          np.pad, slices and arithmetic on each image, then np.stack: what one writes without a library

The store lies with the channels last, or (a second line) first. CPU time of this process, the ways in turn; compared
are medians over the rounds. Bars: the whole batch at 100,000 images/s or more, and 8 times the faster of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine

os.environ |= machine.thread_environment(1)

import numpy as np
from duel import MET, MISSED

import tt_tensor
from tt_vision.transforms import Compose, Normalize, RandomCrop, RandomHorizontalFlip

RATE_BAR, RATIO_BAR = 100_000, 8.0
BATCH, STORE = 128, 20_000
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)

crop, flip, normalize = RandomCrop(32, padding=4), RandomHorizontalFlip(), Normalize(MEAN, STD)
augment = Compose([crop, flip, normalize])
mean, std = np.float32(MEAN).reshape(3, 1, 1), np.float32(STD).reshape(3, 1, 1)


def store_of(channels_last: bool) -> Any:
    """(STORE, 3, 32, 32) of uint8; the same images in either order."""
    images = np.random.default_rng(0).integers(0, 256, (STORE, 32, 32, 3), dtype=np.uint8)
    seen = images.transpose(0, 3, 1, 2)
    return seen if channels_last else np.ascontiguousarray(seen)


def taken(store: Any, index: Any) -> Any:
    """The images at `index`, in the memory order of the store."""
    if store.flags.c_contiguous:
        return store[index]
    return store.transpose(0, 2, 3, 1)[index].transpose(0, 3, 1, 2)


def whole_batch(store: Any, index: Any) -> Any:
    return augment(taken(store, index))


def one_at_a_time(store: Any, index: Any) -> Any:
    return np.stack([augment(store[i]) for i in index])


def plain(store: Any, index: Any) -> Any:
    rng, batch = tt_tensor.default_generator().rng, []
    for i in index:
        padded = np.pad(store[i], ((0, 0), (4, 4), (4, 4)))
        top, left = rng.integers(0, 9, 2)
        image = padded[:, top : top + 32, left : left + 32]
        if rng.random() < 0.5:
            image = image[:, :, ::-1]
        batch.append((image.astype(np.float32) / 255 - mean) / std)
    return np.stack(batch)


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "whole batch": whole_batch,
    "one at a time": one_at_a_time,
    "plain NumPy": plain,
}


def check(store: Any) -> None:
    """The same draws give the same images, all at once, one by one, and in plain NumPy."""
    images = taken(store, np.arange(BATCH))
    rng = np.random.default_rng(1)
    top, left = crop.draw(images.shape, rng)
    (flips,) = flip.draw(images.shape, rng)
    got = normalize(flip.apply(crop.apply(images, top, left), flips))
    for i in range(BATCH):
        one = images[i : i + 1]
        ours = normalize(flip.apply(crop.apply(one, top[i : i + 1], left[i : i + 1]), flips[i : i + 1]))
        if not np.array_equal(ours[0], got[i]):
            sys.exit(f"image {i} differs when it is alone")
        padded = np.pad(images[i], ((0, 0), (4, 4), (4, 4)))
        image = padded[:, top[i] : top[i] + 32, left[i] : left[i] + 32]
        image = image[:, :, ::-1] if flips[i] else image
        if not np.allclose((image.astype(np.float32) / 255 - mean) / std, got[i], atol=1e-5):
            sys.exit(f"image {i} differs from plain NumPy's")


def measured(stores: dict[str, Any], rounds: int) -> dict[str, dict[str, float]]:
    """Images a second of CPU time, by memory order and way: medians over the rounds."""
    order, at = np.random.default_rng(2).permutation(STORE), 0
    found: dict[str, dict[str, list[float]]] = {layout: {name: [] for name in WAYS} for layout in stores}
    for _ in range(rounds):
        for layout, store in stores.items():
            for name, way in WAYS.items():
                batches = 40 if name == "whole batch" else 3
                start = time.process_time()
                for _ in range(batches):
                    at = (at + BATCH) % (STORE - BATCH)
                    way(store, order[at : at + BATCH])
                found[layout][name].append(batches * BATCH / (time.process_time() - start))
    return {
        layout: {name: statistics.median(rates) for name, rates in ways.items()}
        for layout, ways in found.items()
    }


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=30, help="rounds of each (default 30)")
    p.add_argument("--malloc", action="store_true", help="keep freed memory (glibc), as training does")
    p.add_argument("--json", metavar="FILE", help="write the record here")
    options = p.parse_args()
    if options.rounds < 1:
        p.error("--rounds must be positive")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if options.malloc and not machine.tune_malloc():
        p.error("--malloc needs glibc")
    stores = {"channels last": store_of(True), "channels first": store_of(False)}
    for store in stores.values():
        check(store)
    found = measured(stores, options.rounds)
    worst_rate, worst_ratio = float("inf"), float("inf")
    for layout, rates in found.items():
        best = rates["whole batch"]
        for name, rate in rates.items():
            times = "" if name == "whole batch" else f"   whole batch: {best / rate:4.1f} times"
            print(f"{layout:15} {name:14} {rate:9,.0f} images/s{times}")
        worst_rate = min(worst_rate, best)
        worst_ratio = min(worst_ratio, best / max(rates["one at a time"], rates["plain NumPy"]))
    met = worst_rate >= RATE_BAR and worst_ratio >= RATIO_BAR
    print(
        f"bar: {RATE_BAR:,} images/s and {RATIO_BAR:g} times, {'met' if met else 'MISSED'}: "
        f"{worst_rate:,.0f} images/s, {worst_ratio:.1f} times"
    )
    if options.json:
        record = {
            "machine": machine.describe(),
            "numpy": np.__version__,
            "images per second": found,
            "met": met,
        }
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n")
    return MET if met else MISSED


if __name__ == "__main__":
    sys.exit(main())
