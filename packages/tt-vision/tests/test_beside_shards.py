"""Beside layers that run in shards none wakes a thread of BLAS, which would look for work for a while on their core."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, os, time
import numpy as np

here = os.getpid()
workers = [task for task in os.listdir("/proc/self/task") if int(task) != here]  # those of BLAS, before there are ours

def worked():
    # Milliseconds that they ran.
    return sum(int(open(f"/proc/self/task/{task}/schedstat").read().split()[0]) for task in workers) / 1e6

import tt_nn
import tt_vision as v
from tt_tensor import Tensor

def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)

before = worked()
np.dot(images(512, 512), images(512, 512))
time.sleep(0.1)
found = {"BLAS by itself": worked() - before}
for layer, shape in (
    (v.Conv2d(16, 32, 3, padding=1), (64, 16, 16, 16)),
    (v.Conv2d(48, 48, 3, padding=1), (64, 48, 16, 16)),
    (v.Conv2d(64, 64, 1), (64, 64, 16, 16)),
    (v.Conv2d(16, 32, 3), (2, 16, 16, 16)),
    (v.BatchNorm2d(48), (256, 48, 8, 8)),
    (v.BatchNorm2d(32), (16, 32, 16, 16)),
    (v.GroupNorm(4, 32), (16, 32, 8, 8)),
    (tt_nn.LayerNorm(512), (256, 512)),
    (tt_nn.Linear(512, 4096), (128, 512)),
):
    x = Tensor(images(*shape))
    layer(x)
    time.sleep(0.05)
    before = worked()
    for _ in range(3):
        layer.backward(np.ones(layer(x).shape, np.float32))
    time.sleep(0.05)
    found[str(layer)] = worked() - before
print(json.dumps(found))
"""


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="needs Linux, which says how long a thread ran"
)
def test_no_layer_wakes_a_thread_of_blas():
    environment = {"OPENBLAS_NUM_THREADS": "2", "TT_NUM_THREADS": "2"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    if not found.pop("BLAS by itself") > 1:
        pytest.skip("this BLAS has no thread of its own that could be watched")
    assert {layer: spent for layer, spent in found.items() if spent > 1} == {}
