"""100,000 damaged or edited checkpoints: each must be refused, with little memory.

Every mutant is a file of its own that `CheckpointStore.load` gets. Half of them are plain damage; half are edits
after which the digest was computed anew, so that only the structure can tell. The bar: CheckpointError for all
of them and nothing else, and a peak of memory, traced (Python and NumPy) and resident, within the size of the file
+ 64 MB.

An edit with a new digest can give another good checkpoint (a 3 for a 2 in a list of numbers is one). What is
accepted counts as that only if saving what was loaded gives the very bytes of the mutant, and the safetensors library
reads all of it too; it is then drawn again. Anything else that is accepted misses the bar.

--control loads with the safetensors library instead, which has no digest, to show that acceptance is seen.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
import tracemalloc
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

import machine
import numpy as np
import safetensors
from duel import MET, MISSED
from mutations import KINDS, split
from safetensors import SafetensorError
from safetensors.numpy import load_file

import tt_tensor as tt
from tt_optim.training.errors import CheckpointError
from tt_optim.training.store import CheckpointStore

MB = 2**20
ALLOWED = 64 * MB


def states() -> list[dict[str, Any]]:
    """What is mutated: a small state, that of a training run, one that is mostly data."""
    rng = np.random.default_rng(0)
    weights = {f"{i}.{name}": tt.from_numpy(rng.normal(size=shape).astype(np.float32))
               for i in range(3) for name, shape in (("weight", (8, 16)), ("bias", (8,)))}  # fmt: skip
    moments = {i: {"step": tt.tensor(4.0), "exp_avg": tt.zeros(8, 16)} for i in range(6)}
    small = {"w": tt.ones(2, 3), "b": tt.ones(3), "n": [1, 2.5, "text", None], "order": np.arange(6)}
    training = {
        "model": weights,
        "optimizer": {
            "state": moments,
            "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}],
        },
        "random": {"numpy": rng.bit_generator.state, "mask": np.array([True, False])},
        "loader": {"order": rng.permutation(50), "position": np.int64(7), "scale": np.float32(0.1)},
        "best": math.inf,
        "half": np.ones((2, 2), np.float16),
        "wave": np.array([1 + 2j]),
    }
    large = {**training, "data": rng.normal(size=(256, 1024)).astype(np.float32)}
    return [small, training, large]


def is_another_checkpoint(path: Path, mutant: bytes, found: dict[str, Any]) -> bool:
    """Whether the mutant is, byte for byte, what is written for the state that was found in it."""
    document = json.loads(json.loads(split(mutant)[0])["__metadata__"]["tt.document"])
    score = document["score"]
    if isinstance(score, dict):  # not finite
        score = np.frombuffer(bytes.fromhex(score["$float"]), ">f8")[0].item()
    step = document["step"]
    if isinstance(step, dict):  # long
        step = int(step["$int"], 16)
    with safetensors.safe_open(path, "numpy") as file:
        stored = sum(file.get_tensor(name).nbytes for name in file.keys())  # noqa: SIM118 (it has no other way)
    with tempfile.TemporaryDirectory() as folder:
        again = CheckpointStore(folder).save(found, step, score)
        return again.read_bytes() == mutant and stored == len(split(mutant)[1])


def reset_peak() -> int | None:
    """Resident bytes now, with the system's peak set back to it; None where that is not offered."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return None
    return machine.resident_bytes()


def peak_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


class Trial:
    """Counts and peaks, by kind of mutation."""

    def __init__(self, folder: Path, control: bool) -> None:
        self.control = control
        self.store = CheckpointStore(folder)
        self.path = folder / "step-00000099.safetensors"
        self.refused: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self.misses: list[str] = []
        self.traced: Counter[str] = Counter()
        self.resident: Counter[str] = Counter()
        self.watched = reset_peak() is not None

    def judge(self, kind: str, mutant: bytes) -> bool:
        """Load it. False if it turned out to be another good checkpoint, so that it does not count."""
        self.path.unlink(missing_ok=True)
        self.path.write_bytes(mutant)
        error: BaseException | None = None
        found = None
        resident = reset_peak()
        tracemalloc.reset_peak()
        traced = tracemalloc.get_traced_memory()[0]
        try:
            found = load_file(self.path) if self.control else self.store.load(self.path)
        except Exception as raised:
            error = raised
        traced = tracemalloc.get_traced_memory()[1] - traced - len(mutant)
        self.traced[kind] = max(self.traced[kind], traced)
        if resident is not None:
            self.resident[kind] = max(self.resident[kind], peak_bytes() - resident - len(mutant))
        if type(error) is (SafetensorError if self.control else CheckpointError):
            self.refused[kind] += 1
            return True
        if found is not None and not self.control and is_another_checkpoint(self.path, mutant, found):
            self.others[kind] += 1
            return False
        self.misses.append(f"{kind}: {error!r}" if error else f"{kind}: accepted")
        return True


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--count", type=int, default=100_000, help="mutants (default 100000)")
    p.add_argument("--seed", type=int, default=0, help="of the mutations (default 0)")
    p.add_argument(
        "--control", action="store_true", help="load with the safetensors library, without a digest"
    )
    p.add_argument("--json", metavar="FILE", help="write the record here")
    options = p.parse_args()
    if options.count < 1:
        p.error("--count must be positive")
    start = perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wholes = []
        for state in states():
            maker = CheckpointStore(folder / "whole")
            wholes.append(maker.save(state, 12, 0.5).read_bytes())
        trial = Trial(folder / "run", options.control)
        trial.store.save(states()[0], 1)  # a good one beside the bad one, to be offered
        tracemalloc.start()
        chance = random.Random(options.seed)
        for number in range(options.count):
            kind = list(KINDS)[number % len(KINDS)]
            while True:
                whole, other = chance.choices(wholes, (50, 48, 2))[0], chance.choice(wholes[:2])
                mutant = KINDS[kind](chance, whole, other)
                if mutant != whole and trial.judge(kind, mutant):
                    break
        tracemalloc.stop()
    print(
        f"{options.count:,} mutants of {len(wholes)} checkpoints ({', '.join(f'{len(w):,}' for w in wholes)} bytes)"
    )
    print(f"{'kind':32}{'refused':>9}{'another':>9}   peak beyond the file's size, MB: traced, resident")
    for kind in KINDS:
        resident = f"{trial.resident[kind] / MB:9.2f}" if trial.watched else "        ?"
        traced = trial.traced[kind] / MB
        print(f"{kind:32}{trial.refused[kind]:9,}{trial.others[kind]:9,}{traced:12.2f}{resident}")
    peak = max(*trial.traced.values(), *trial.resident.values())
    refused = trial.refused.total()
    for miss in trial.misses[:20]:
        print("MISS", miss)
    met = not trial.misses and refused == options.count and peak <= ALLOWED
    print(
        f"refused {refused:,} of {options.count:,}; highest peak {peak / MB:.2f} MB beyond the file's size (bar "
        f"{ALLOWED // MB}); {perf_counter() - start:.0f} s: bar {'met' if met else 'MISSED'}"
    )
    if options.json:
        record = {"count": options.count, "refused": refused, "another": trial.others.total(), "peak": peak,
                  "misses": trial.misses[:100], "met": met, "machine": machine.describe()}  # fmt: skip
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return MET if met else MISSED


if __name__ == "__main__":
    sys.exit(main())
