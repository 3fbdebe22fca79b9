"""Ctrl-C and SIGTERM, with real signals in real processes."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import tt_nn
import tt_optim
from tt_optim.training import Callback, CheckpointStore, Interrupted, Trainer
from tt_optim.training.interrupts import Interrupts
from tt_tensor import tensor

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to a process")

PROGRAM = """
import os, sys, time
import tt_nn, tt_optim, tt_tensor
from tt_optim.training import Callback, Trainer

folder, mode = sys.argv[1:]
tt_tensor.manual_seed(0)

def slow():
    # Longer than the test waits, in pieces: a signal does not end the sleep.
    print("busy", flush=True)
    end = time.monotonic() + (20.0 if mode == "long step" else 1.0)
    while time.monotonic() < end:
        time.sleep(0.01)

class Slow(Callback):
    def on_before_step(self, trainer):
        if trainer.step >= 2 and mode != "evaluate":
            slow()

class Data(list):
    def __iter__(self):
        for at, pair in enumerate(super().__iter__()):
            if mode == "evaluate" and self.slow and at:
                slow()
            yield pair

x, y = tt_tensor.rand(8, 3), tt_tensor.rand(8, 1)
train, val = Data([(x, y)] * 4), Data([(x, y)] * 50)
train.slow, val.slow = False, True
model = tt_nn.Sequential(tt_nn.Linear(3, 4), tt_nn.Dropout(0.5), tt_nn.Linear(4, 1))
trainer = Trainer(model, tt_nn.MSELoss(), tt_optim.SGD(model.parameters(), lr=0.1), callbacks=[Slow()],
                  checkpoints=folder, checkpoint_every=None, progress="plain")
trainer.fit(train, val if mode == "evaluate" else None, epochs=1000)
"""


@pytest.fixture
def started(tmp_path):
    """Starts the program; in the end it is gone, whatever became of the test."""
    processes = []

    def start(mode="step"):
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path), mode]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "busy\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_running_step_is_finished_and_saved(started, tmp_path, number, code):
    process = started()
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == code
    # The step that was running, the third, and no other.
    assert out == ""
    assert [path.name for path in CheckpointStore(tmp_path).checkpoints()] == ["step-00000003.safetensors"]
    assert "interrupted after step 3" in errors and "resume=True" in errors
    assert "Traceback" not in errors


def test_a_second_ctrl_c_leaves_at_once(started, tmp_path):
    process = started("long step")
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - start < 10  # the step had almost 20 s to go
    assert CheckpointStore(tmp_path).checkpoints() == []


def test_an_evaluation_is_left_and_made_again(started, tmp_path):
    process = started("evaluate")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted after step 4" in errors
    state = CheckpointStore(tmp_path).load()
    assert state["place"]["epoch"] == 0 and state["data"]["over"]
    assert state["place"]["evaluated_step"] == 0


def small(folder=None, callbacks=()):
    model = tt_nn.Linear(2, 1)
    optimizer = tt_optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(
        model, tt_nn.MSELoss(), optimizer, callbacks=callbacks, checkpoints=folder, progress=False
    )
    return trainer, [(tensor([[1.0, 2.0]]), tensor([[1.0]]))] * 5


class SendAt(Callback):
    def __init__(self, step, number=signal.SIGINT):
        self.step, self.number = step, number

    def on_step_end(self, trainer):
        if trainer.step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_fit_raises_and_the_handlers_are_those_of_before(tmp_path, number):
    def mine(*args):
        pytest.fail("fit left its handler")

    before = signal.signal(number, mine)
    try:
        trainer, data = small(tmp_path, [SendAt(3, number)])
        with pytest.raises(Interrupted, match="after step 3; saved in") as caught:
            trainer.fit(data, epochs=2)
        assert signal.getsignal(number) is mine
    finally:
        signal.signal(number, before)
    assert isinstance(caught.value, KeyboardInterrupt) and not isinstance(caught.value, Exception)
    assert caught.value.code == 128 + number
    # It goes on in the same process, and in another one.
    trainer.fit(data, epochs=2)
    assert trainer.step == 10 and trainer.history.epochs[-1]["step"] == 10


def test_an_interrupted_run_ends_as_the_uninterrupted_one(tmp_path):
    def weights(folder, step):
        trainer, data = small(folder, [SendAt(step)])
        for p in trainer.model.parameters():
            p.write(0.5)
        return trainer, data

    whole, data = weights(tmp_path / "whole", 0)
    whole.fit(data, data, epochs=3)
    for step in (1, 4, 5, 9, 15):
        trainer, data = weights(tmp_path / str(step), step)
        with pytest.raises(Interrupted):
            trainer.fit(data, data, epochs=3)
        again, data = weights(tmp_path / str(step), 0)
        again.fit(data, data, epochs=3, resume=True)
        assert again.model.weight.tolist() == whole.model.weight.tolist()
        assert [r["val_loss"] for r in again.history] == [r["val_loss"] for r in whole.history]


def test_a_signal_at_the_very_end_is_not_lost(tmp_path):
    class AtTheEnd(Callback):
        def on_fit_end(self, trainer):
            os.kill(os.getpid(), signal.SIGINT)

    trainer, data = small(tmp_path, [AtTheEnd()])
    with pytest.raises(Interrupted, match="after step 5"):
        trainer.fit(data, epochs=1)


def test_without_a_place_it_says_so():
    trainer, data = small(callbacks=[SendAt(2)])
    with pytest.raises(Interrupted, match="no place for a checkpoint"):
        trainer.fit(data, epochs=2)


def test_after_an_error_the_handlers_are_those_of_before():
    class Fail(Callback):
        def on_step_end(self, trainer):
            raise RuntimeError("mine")

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    trainer, data = small(callbacks=[Fail()])
    with pytest.raises(RuntimeError, match="mine"):
        trainer.fit(data, epochs=1)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_in_another_thread_signals_are_left_alone():
    seen = []

    class Look(Callback):
        def on_step_end(self, trainer):
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    trainer, data = small(callbacks=[Look()])
    thread = threading.Thread(target=trainer.fit, args=(data,), kwargs={"epochs": 1})
    thread.start()
    thread.join()
    assert trainer.step == 5 and set(seen) == {before}


def test_what_was_ignored():
    before = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Interrupts().deferred() as interrupts:
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupts.asked == 0
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupts.asked == signal.SIGINT
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
