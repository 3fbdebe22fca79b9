"""The recorder's slot: empty by default, told of every application, and of nothing else."""

import threading
from contextlib import contextmanager

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor import recorder
from tt_tensor.errors import InPlaceError, MissingWheelError


def test_the_slot_is_empty():
    assert recorder.active is None
    assert not recorder.recording()


def test_install_returns_what_was_there(notes):
    assert recorder.active is notes
    assert recorder.install(None) is notes
    assert recorder.active is None
    assert recorder.install(notes) is None


def test_every_application_is_told_as_it_was_given():
    told = []

    class Recorder:
        def record(self, function, inputs, output):
            told.append((function, inputs, output))
            return True

        def before_write(self, target):
            return False

    x = tt.tensor([1.0, 2.0])
    before = recorder.install(Recorder())
    try:
        y = 3.0 * x
    finally:
        recorder.install(before)
    ((function, inputs, output),) = told
    assert type(function).__name__ == "Mul"
    assert inputs[0] == 3.0
    assert inputs[1] is x
    assert output is y


def test_in_place_is_told_with_the_target_as_output(notes):
    x = tt.tensor([1.0, 2.0])
    x += 1
    assert notes.names == ["Add"]


def test_a_recorder_can_forbid_a_write():
    class Strict:
        def record(self, function, inputs, output):
            return True

        def before_write(self, target):
            raise InPlaceError("a leaf that collects a gradient")

    x = tt.tensor([1.0, 2.0], requires_grad=True)
    before = recorder.install(Strict())
    try:
        with pytest.raises(InPlaceError, match="leaf"):
            x += 1
        with pytest.raises(InPlaceError, match="leaf"):
            x[0] = 5.0
    finally:
        recorder.install(before)
    assert x.tolist() == [1.0, 2.0]
    assert x.version == 0


def test_recording_asks_the_recorder(notes):
    assert recorder.recording()
    notes.paused = True
    assert not recorder.recording()


def test_a_recorder_that_never_pauses_need_not_say_so():
    before = recorder.install(object())
    try:
        assert recorder.recording()
    finally:
        recorder.install(before)


def test_a_pause_is_the_recorders_own():
    class Recorder:
        pauses = 0

        @contextmanager
        def paused(self):
            self.pauses += 1
            yield
            self.pauses -= 1

    asked = Recorder()
    before = recorder.install(asked)
    try:
        block = recorder.paused()
        with block:
            assert asked.pauses == 1
            recorder.install(None)  # whose block it is was settled when it was made
        assert asked.pauses == 0
    finally:
        recorder.install(before)


@pytest.mark.parametrize("slot", [None, object()])
def test_without_a_recorder_that_pauses_a_pause_is_nothing(slot):
    before = recorder.install(slot)
    try:
        with recorder.paused() as given:
            assert given is None
    finally:
        recorder.install(before)


def test_new_threads_record(notes):
    thread = threading.Thread(target=lambda: tt.exp(tt.zeros(1)))
    thread.start()
    thread.join()
    assert notes.names == ["Exp"]


def test_backward_goes_to_the_recorder(notes):
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    x.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1, 1])


def test_backward_without_a_recorder_names_the_wheel():
    with pytest.raises(MissingWheelError, match=r"tt-autograd.*gradients\(grad\)"):
        tt.tensor(1.0, requires_grad=True).backward()


def test_operations_work_under_numpys_names_of_the_same_slot(notes):
    np.exp(tt.zeros(2))
    np.add(tt.zeros(2), 1)
    np.sum(tt.zeros(2))
    assert notes.names == ["Exp", "Add", "Sum"]
