"""A few real kills at random moments; benchmarks/kill_resume.py does a hundred."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from tt_optim.training import CheckpointStore, History

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

KILLS = 5

PROGRAM = """
import hashlib, sys
import numpy as np, tt_nn, tt_optim, tt_tensor
from tt_optim.training import Accuracy, Every, Trainer

print("imported", flush=True)
tt_tensor.manual_seed(1)
rng = np.random.default_rng(2)
x = rng.normal(size=(130, 16)).astype(np.float32)
y = (x @ rng.normal(size=(16, 4))).argmax(1)
sampler = tt_tensor.Generator(3)

def batches():
    order = tt_tensor.randperm(130, generator=sampler).array
    for at in range(0, 130, 10):
        rows = order[at : at + 10]
        yield tt_tensor.tensor(x[rows]), tt_tensor.tensor(y[rows])

model = tt_nn.Sequential(tt_nn.Linear(16, 64), tt_nn.ReLU(), tt_nn.Dropout(0.2), tt_nn.Linear(64, 4))
optimizer = tt_optim.AdamW(model.parameters(), lr=1e-2)
schedule = tt_optim.WarmupCosineLR(optimizer, warmup_steps=10, total_steps=120)
trainer = Trainer(model, tt_nn.CrossEntropyLoss(), optimizer, scheduler=schedule, metrics=[Accuracy()], accumulate=2,
                  clip_norm=1.0, ema=0.9, checkpoints=sys.argv[1], checkpoint_every=1, log_every=1, seed=4,
                  progress=False)
trainer.fit(batches, batches, steps=120, evaluate_every=Every(steps=5, epochs=1), resume=True)
"""


def start(folder):
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "imported\n"
    process.stdout.close()
    return process


def end(folder):
    """All that the run ended with, as text, but for the times."""
    state = CheckpointStore(folder).load()
    del state["place"]["seconds"]
    lines = [{**record, "seconds": None} for record in History.read(folder / "history.jsonl")]
    return json.dumps([state, lines], default=lambda value: [str(value.dtype), value.tolist()])


def test_killed_and_resumed_the_run_ends_as_if_nothing_had_been(tmp_path):
    whole = start(tmp_path / "whole")
    begun = time.perf_counter()
    assert whole.wait() == 0
    lasts = time.perf_counter() - begun
    folder, moments, kills = tmp_path / "killed", random.Random(), 0
    while True:
        process = start(folder)
        if kills < KILLS:
            try:
                process.wait(timeout=moments.uniform(0.0, lasts / 2))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            break
        assert process.returncode == -signal.SIGKILL, "it could not resume"
        kills += 1
        if folder.is_dir():
            store = CheckpointStore(folder)
            for path in store.checkpoints():
                store.load(path)
    assert kills >= 1
    assert end(folder) == end(tmp_path / "whole")
    assert not list(folder.glob(".*.part"))
