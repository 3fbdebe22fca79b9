"""CIFAR-10 to 75 %: milestone-cifar10's training against the same network, schedule and augmentation in PyTorch eager.

Each side in a process of its own, in turns, once for each seed; training time without the looks at the test images.
Bar: every seed of ours ends at 75 % or more, and the median of our times to 75 % is at most 1.3 times the peer's; with
`--accelerate`, which trains ours on compiled kernels (tt_perf.accelerate), at most 0.8 times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import machine

BAR, ACCELERATED_BAR, MARK = 1.3, 0.8, 75
HERE = Path(__file__).resolve().parent


def ours(seed: int, long: bool, accelerate: bool) -> dict[str, Any]:
    """One training, as the milestone does it."""
    import io

    from milestone_cifar10.images import load
    from milestone_cifar10.recipe import LONG, SHORT
    from milestone_cifar10.training import convolutional, train
    from milestone_kit.progress import Progress
    from milestone_kit.screen import Screen
    from tt_tensor.allocation import keep_freed_memory

    keep_freed_memory()
    if accelerate:
        import tt_perf

        tt_perf.accelerate()
    images, recipe = load(None), LONG if long else SHORT
    with Progress(Screen(io.StringIO(), quiet=True), 1, "training") as bar:
        result = train(convolutional(recipe, images, seed), images, recipe, seed, bar)
    steps, seen = result.history.column("val_accuracy")
    return {
        "accuracy": result.accuracy,
        "seconds": result.seconds,
        "reached": {int(mark): at for mark, at in result.reached.items()},
        "curve": [[int(step), None, right * 100] for step, right in zip(steps, seen, strict=True)],
    }


def write_images(folder: Path) -> None:
    """The images as NumPy files, for an interpreter without our wheels."""
    import numpy as np

    from milestone_cifar10.images import load

    images = load(None)
    for name, part in (("train", images.train), ("test", images.test)):
        np.save(folder / f"{name}_x.npy", np.ascontiguousarray(part.data))
        np.save(folder / f"{name}_y.npy", part.targets)


def run(command: list[str], threads: int) -> dict[str, Any]:
    environment = os.environ | machine.thread_environment(threads) | {"TT_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=os.environ.get("TT_PEER_PYTHON") or sys.executable)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--accelerate", action="store_true", help="ours on compiled kernels")
    parser.add_argument("--long", action="store_true", help="the long recipe")
    parser.add_argument("--channels-last", action="store_true", help="the peer in that memory format, too")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--ours", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ours is not None:
        print(json.dumps(ours(options.ours, options.long, options.accelerate)))
        return 0
    from milestone_cifar10.recipe import LONG, SHORT

    recipe = json.dumps(asdict(LONG if options.long else SHORT))
    sides: dict[str, list[dict[str, Any]]] = {"tt": [], "torch": []}
    if options.channels_last:
        sides["torch channels last"] = []
    with tempfile.TemporaryDirectory() as data:
        write_images(Path(data))
        for seed in range(options.seeds):
            for name in sides:
                if name == "tt":
                    command = [sys.executable, __file__, "--ours", str(seed)] + ["--long"] * options.long
                    command += ["--accelerate"] * options.accelerate
                else:
                    command = [options.peer_python, str(HERE / "cifar10_peer.py"), "--data", data]
                    command += ["--recipe", recipe, "--seed", str(seed), "--threads", str(options.threads)]
                    command += ["--channels-last"] * (name != "torch")
                found = run(command, options.threads)
                sides[name].append(found)
                times = ", ".join(f"{mark} %: {at:.1f} s" for mark, at in found["reached"].items())
                print(
                    f"seed {seed} {name:20} {found['accuracy']:.2f} % in {found['seconds']:.1f} s; {times}",
                    flush=True,
                )
    medians = {}
    for name, runs in sides.items():
        to_mark = [float({int(k): v for k, v in one["reached"].items()}.get(MARK, "inf")) for one in runs]
        medians[name] = statistics.median(to_mark)
        accuracies = [one["accuracy"] for one in runs]
        print(
            f"{name:20} accuracy {min(accuracies):.2f} to {max(accuracies):.2f} %, "
            f"median {statistics.median(accuracies):.2f}; "
            f"to {MARK} %: median {medians[name]:.1f} s; whole training: median "
            f"{statistics.median(one['seconds'] for one in runs):.1f} s"
        )
    ratio = medians["tt"] / medians["torch"]
    bar = ACCELERATED_BAR if options.accelerate else BAR
    met = ratio <= bar and all(one["accuracy"] >= MARK for one in sides["tt"])
    print(
        f"bar: every seed ≥ {MARK} %, time to it ≤ {bar} × PyTorch: {ratio:.3f}, {'met' if met else 'MISSED'}"
    )
    if options.json:
        record = {"sides": sides, "ratio": ratio, "machine": machine.describe(), "recipe": json.loads(recipe)}
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
