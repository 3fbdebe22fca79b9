"""Kill a training run at random moments, as often as asked, and resume it each time: nothing may be lost.

A child process trains with a checkpoint after every step and everything on that has a state: a shuffling loader,
dropout, accumulation, clipping, a schedule, an average of the weights, evaluation in mid-epoch. The parent sends
SIGKILL after a random time, reads every checkpoint that is there, and starts the child again, which resumes; until the
run ends, when the next one begins. Counted are resumes, checkpoints that cannot be read, and runs whose last checkpoint
(weights, optimizer, average, sampler and all other random states) or history differs from the uninterrupted run's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from duel import MET, MISSED

STEPS = 150
LONGEST = 1.2
"""Seconds after its imports at which the child is killed at the latest."""


def child(folder: Path) -> None:
    """Train in `folder`, from where it stands to the end."""
    import numpy as np

    import tt_nn
    import tt_optim
    import tt_tensor
    from tt_optim.training import Accuracy, Every, Trainer

    print("imported", flush=True)
    tt_tensor.manual_seed(1)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(640, 64)).astype(np.float32)
    y = (x @ rng.normal(size=(64, 10))).argmax(1)
    sampler = tt_tensor.Generator(3)

    class Loader:
        """Batches of 20 in another order each epoch, drawn from a generator of its own."""

        generator = sampler

        def __iter__(self) -> Iterator[Any]:
            order = tt_tensor.randperm(600, generator=sampler).array
            for at in range(0, 600, 20):
                rows = order[at : at + 20]
                yield tt_tensor.tensor(x[rows]), tt_tensor.tensor(y[rows])

    model = tt_nn.Sequential(
        tt_nn.Linear(64, 256), tt_nn.ReLU(), tt_nn.Dropout(0.2), tt_nn.Linear(256, 128), tt_nn.Linear(128, 10)
    )
    optimizer = tt_optim.AdamW(model.parameters(), lr=1e-3)
    trainer = Trainer(
        model,
        tt_nn.CrossEntropyLoss(),
        optimizer,
        scheduler=tt_optim.WarmupCosineLR(optimizer, warmup_steps=10, total_steps=STEPS),
        metrics=[Accuracy()],
        accumulate=4,
        clip_norm=1.0,
        ema=0.95,
        checkpoints=folder,
        checkpoint_every=1,
        log_every=1,
        progress=False,
        seed=1,
    )
    val = [(tt_tensor.tensor(x[600:]), tt_tensor.tensor(y[600:]))]
    trainer.fit(Loader(), val, steps=STEPS, evaluate_every=Every(steps=5, epochs=1), resume=True)


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).resolve()), "--child", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "imported\n":
        sys.exit(f"the child did not start: it exited with {process.wait()}")
    return process


def unreadable(folder: Path) -> list[str]:
    """The checkpoints in a folder that cannot be read. Reads only: what a dead writer left stays for the next one."""
    from tt_optim.training import CheckpointError
    from tt_optim.training.checkpoint_file import read

    found = []
    for path in sorted(folder.glob("step-*.safetensors")):
        try:
            read(path)
        except CheckpointError as error:
            found.append(str(error))
    return found


def digest(folder: Path) -> str:
    """sha256 over all that the last checkpoint holds and over the history, but for the times."""
    from tt_optim.training import CheckpointStore, History

    state = CheckpointStore(folder).load()
    del state["place"]["seconds"]
    history = [
        {name: value for name, value in record.items() if name != "seconds"}
        for record in History.read(folder / "history.jsonl")
    ]
    total = hashlib.sha256()
    for part in parts({"state": state, "history": history}):
        total.update(part)
    return total.hexdigest()


def parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield f"{key}:".encode()
            yield from parts(value[key])
    elif isinstance(value, list | tuple):
        yield f"[{len(value)}]".encode()
        for part in value:
            yield from parts(part)
    elif hasattr(value, "dtype"):
        array = getattr(value, "array", value)
        yield f"{array.dtype}{array.shape}".encode() + array.tobytes()
    else:
        yield repr(value).encode()


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=100, help="how often to kill (default 100)")
    p.add_argument("--seed", type=int, default=None, help="of the moments (default: another each time)")
    p.add_argument("--json", metavar="FILE", help="write the record here")
    p.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.child:
        child(Path(options.child))
        return MET
    if options.kills < 1:
        p.error("--kills must be positive")
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    moments = random.Random(seed)
    kills = resumes = runs = different = 0
    bad: list[str] = []
    orphans = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        whole = root / "whole"
        if start(whole).wait() != 0:
            sys.exit("the uninterrupted run failed")
        wanted = digest(whole)
        print(f"seed {seed}; uninterrupted: {STEPS} steps, sha256 {wanted[:16]}…", flush=True)
        while kills < options.kills or (root / f"run{runs}").exists():
            folder = root / f"run{runs}"
            process = start(folder)
            if kills < options.kills:
                try:
                    process.wait(timeout=moments.uniform(0, LONGEST))
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
            code = process.wait()
            if code == -signal.SIGKILL:
                kills += 1
                folder.mkdir(exist_ok=True)
                orphans += len(list(folder.glob(".*.part")))
                bad += unreadable(folder)
                resumes += 1  # the next start resumes; its exit code tells whether it could
            elif code == 0:
                different += digest(folder) != wanted
                runs += 1
                print(f"run {runs}: {kills} kills so far, {different} of {runs} runs differ", flush=True)
            else:
                sys.exit(f"MISSED: the child could not go on after kill {kills}, it exited with {code}")
        left = len(list(root.glob("*/.*.part")))
    seconds = time.monotonic() - began
    met = not bad and not different and not left
    print(
        f"{kills} kills ({orphans} of them while a file was being written), {resumes} resumes, {runs} runs, "
        f"{len(bad)} unreadable checkpoints, {different} runs that differ, {left} orphans left, {seconds:.0f} s"
    )
    for fault in bad[:5]:
        print(f"  {fault}")
    print(f"bar: {options.kills} resumes, 0 unreadable, all final states equal: {'met' if met else 'MISSED'}")
    if options.json:
        record = {
            "seed": seed,
            "kills": kills,
            "resumes": resumes,
            "kills_in_a_write": orphans,
            "runs": runs,
            "unreadable": len(bad),
            "different": different,
            "orphans_left": left,
            "seconds": round(seconds, 1),
            "met": met,
        }
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return MET if met else MISSED


if __name__ == "__main__":
    sys.exit(main())
