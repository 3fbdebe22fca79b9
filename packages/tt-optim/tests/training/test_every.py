"""When something is due."""

import pytest

from tt_optim.training import Every
from tt_tensor.errors import ArgumentError


def test_steps_epochs_seconds():
    every = Every(steps=3, epochs=2, seconds=10.0)
    assert [step for step in range(1, 10) if every.after_step(step)] == [3, 6, 9]
    assert every.after_step(1, 10.0) and not every.after_step(1, 9.0)
    assert [epoch for epoch in range(1, 7) if every.after_epoch(epoch)] == [2, 4, 6]
    assert not Every(steps=3).after_epoch(3) and not Every(epochs=3).after_step(3, 99.0)


def test_what_a_user_writes():
    assert Every.of("every", None) is None
    assert Every.of("every", 5) == Every(steps=5)
    assert Every.of("every", "epoch") == Every(epochs=1)
    assert Every.of("every", "step") == Every(steps=1)
    assert Every.of("every", Every(seconds=3)) == Every(seconds=3.0)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "hour", True])
def test_what_is_no_answer(wrong):
    with pytest.raises(ArgumentError, match="every"):
        Every.of("every", wrong)


@pytest.mark.parametrize("wrong", [{}, {"steps": 0}, {"epochs": -1}, {"seconds": 0.0}])
def test_none_and_out_of_range(wrong):
    with pytest.raises(ArgumentError, match="Every"):
        Every(**wrong)
