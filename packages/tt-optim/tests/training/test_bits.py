"""The same seed gives the same bits; what can change them is noticed."""

import os
import subprocess
import sys

import pytest

import tt_nn
import tt_optim
from tt_nn import shards
from tt_optim.training import CheckpointStore, ResumeWarning, Trainer
from tt_optim.training.bits import machine_bits
from tt_tensor import tensor

PROGRAM = """
import hashlib
import numpy as np, tt_tensor, tt_nn, tt_optim
from tt_optim.training import Trainer
from tt_optim.training.bits import machine_bits

tt_tensor.manual_seed(0)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(192, 784)).astype(np.float32), rng.integers(0, 10, 192)
layers = [tt_nn.Linear(784, 256), tt_nn.ReLU(), tt_nn.Dropout(0.1), tt_nn.Linear(256, 128), tt_nn.Linear(128, 10)]
model = tt_nn.Sequential(*layers)
optimizer = tt_optim.Adam(model.parameters())
trainer = Trainer(model, tt_nn.CrossEntropyLoss(), optimizer, clip_norm=1.0, ema=0.9, progress=False, seed=5)
trainer.fit([(tt_tensor.tensor(x[at:at + 64]), tt_tensor.tensor(y[at:at + 64])) for at in (0, 64, 128)], epochs=2)
digest = hashlib.sha256(b"".join(p.array.tobytes() for p in model.parameters()))
print(machine_bits(), digest.hexdigest())
"""


def trained(threads):
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.split()


def test_the_same_seed_and_threads_give_the_same_bits():
    one, two = trained(1), trained(2)
    assert trained(1) == one and trained(2) == two
    # Where the weights differ by threads, the checksum does. The other way need not hold: the network may not do what
    # the checksum looks at.
    assert one[1] == two[1] or one[0] != two[0]


def test_a_checkpoint_of_another_machine_is_resumed_with_a_warning(tmp_path):
    def trainer():
        model = tt_nn.Linear(2, 1)
        return Trainer(
            model, tt_nn.MSELoss(), tt_optim.SGD(model.parameters()), checkpoints=tmp_path, progress=False
        )

    data = [(tensor([[1.0, 2.0]]), tensor([[1.0]]))]
    trainer().fit(data, epochs=1)
    store = CheckpointStore(tmp_path)
    state = store.load()
    assert state["bits"] == machine_bits()
    store.save(state | {"bits": "of another"}, 1)
    again = trainer()
    with pytest.warns(ResumeWarning, match="not to the same bits"):
        again.fit(data, epochs=2, resume=True)
    assert again.step == 2


def test_the_checksum_is_that_of_the_threads_of_now():
    """Also where the first one in a process was asked for under a limit that has ended."""
    program = """
from tt_nn import shards
from tt_optim.training.bits import machine_bits
with shards.one_blas_thread():
    print(machine_bits())
print(machine_bits())
"""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    environment = os.environ | dict.fromkeys(names, "2")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == [trained(1)[0], trained(2)[0]]


def test_where_layers_run_in_shards_their_number_counts(monkeypatch):
    found = {}
    for preferred in (False, True):
        monkeypatch.setattr(shards, "preferred", preferred)
        for number in (1, 2):
            with shards.threads(number):
                found[preferred, number] = machine_bits()
    assert found[False, 1] == found[False, 2]
    assert len(set(found.values())) == 3
