"""Callbacks of the Trainer: the line that moves while it trains, and the film of the plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from milestone_spirals.networks import probabilities
from milestone_spirals.plane import PLANE, Frame
from milestone_spirals.spirals import ARMS, Points
from tt_optim.training import Callback, Trainer

__all__ = ["Film"]


class Film(Callback):
    """The plane as the model sees it, at some steps.

    What was taken goes into the checkpoints, so that a run that was interrupted has the whole film at its end.
    """

    # As shares of the training: closer together where more happens.
    MOMENTS = (0, 0.03, 0.08, 0.15, 0.25, 0.4, 0.6, 1)

    def __init__(self, steps: int, points: Points) -> None:
        self.moments = {round(steps * share) for share in self.MOMENTS}
        self.points = points
        self.steps: list[int] = []
        self.right: list[float] = []
        self.planes = np.empty((0, PLANE.cells, PLANE.cells, ARMS), np.float16)

    def on_fit_start(self, trainer: Trainer) -> None:
        if trainer.step == 0:
            self._look(trainer)

    def on_step_end(self, trainer: Trainer) -> None:
        if trainer.step in self.moments:
            self._look(trainer)

    def _look(self, trainer: Trainer) -> None:
        seen = probabilities(trainer.model, PLANE.points()).reshape(1, *self.planes.shape[1:])
        answers = probabilities(trainer.model, self.points.places).argmax(axis=1)
        self.steps.append(trainer.step)
        self.right.append(float((answers == self.points.arms).mean()))
        self.planes = np.concatenate([self.planes, seen.astype(np.float16)])

    def frames(self) -> list[Frame]:
        """The frames so far: "step 90: 61.3 %", the share of `points` that was right."""
        taken = zip(self.steps, self.right, self.planes, strict=True)
        return [
            Frame(f"step {step:,}: {right:.1%}".replace("%", " %"), plane) for step, right, plane in taken
        ]

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "right": self.right, "planes": self.planes}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.steps, self.right = list(state_dict["steps"]), list(state_dict["right"])
        self.planes = state_dict["planes"]
