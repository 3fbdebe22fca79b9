"""Training in a milestone: what the bar shows, and what Ctrl-C and a wrong --resume end in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from milestone_kit import UsageError

pytest.importorskip("tt_optim", reason="needs milestone-kit[training]")

from milestone_kit.training import CANNOT_GO_ON, Live, resumable
from tt_optim.training import Interrupted, NonFiniteError


class Bar:
    def __init__(self) -> None:
        self.shown: list[object] = []

    def go_on_from(self, step: int) -> None:
        self.shown.append(step)

    def update(self, step: int, **figures: object) -> None:
        self.shown.append((step, figures))


def trainer(step: int, **results: float) -> SimpleNamespace:
    return SimpleNamespace(step=step, results=results, mean_loss=SimpleNamespace(compute=lambda: 0.25))


def test_the_bar_shows_the_figure_once_there_is_one():
    bar = Bar()
    live = Live(bar, "validation", "val_loss", "~{:.3f}")
    live.on_fit_start(trainer(3))
    live.on_step_end(trainer(4))
    live.on_step_end(trainer(5, val_loss=0.12345, val_accuracy=0.5))
    assert bar.shown == [3, (4, {"loss": 0.25}), (5, {"loss": 0.25, "validation": "~0.123"})]


def test_ctrl_c_says_how_to_go_on_and_keeps_its_code():
    with (
        pytest.raises(Interrupted, match=r"^after step 7; go on with --resume$") as caught,
        resumable(trainer(7), Path("runs")),
    ):
        raise Interrupted("fit: interrupted", 15)
    assert caught.value.code == 143


def test_ctrl_c_without_checkpoints_promises_no_resume():
    with pytest.raises(Interrupted, match=r"^before any checkpoint$"), resumable(trainer(7), None):
        raise Interrupted("fit: interrupted", 2)


@pytest.mark.parametrize("kind", [*CANNOT_GO_ON, LookupError], ids=lambda kind: kind.__name__)
def test_what_a_run_cannot_go_on_from_is_a_wrong_resume(kind):
    with (
        pytest.raises(UsageError, match=r"^argument --resume: cannot go on from runs: .*\(it differs\)$"),
        resumable(trainer(0), Path("runs"), LookupError),
    ):
        raise kind("it differs")


@pytest.mark.parametrize("error", [LookupError("x"), NonFiniteError("the loss", float("nan"), 1, 0, 0, "")])
def test_other_errors_come_through(error):
    with pytest.raises(type(error)) as caught, resumable(trainer(0), Path("runs")):
        raise error
    assert caught.value is error
