"""Gradual pruning: a little at a time, with training in between, so that the network can adapt.

s(t) = s_end + (s_begin - s_end) (1 - (t - begin) / (end - begin))³ between the steps `begin` and `end`: fast while much
is superfluous, slow towards the end.

Source: Zhu & Gupta, "To prune, or not to prune", 2017, arXiv:1710.01878.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tt_nn import Module
from tt_perf.compression.layers import check_module, share, weights_of
from tt_perf.compression.listening import Listener
from tt_perf.compression.magnitude import magnitude_masks
from tt_perf.compression.masks import Masks
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError

__all__ = ["GradualPruning", "cubic_sparsity"]


def cubic_sparsity(step: int, begin: int, end: int, final: float, initial: float = 0.0) -> float:
    """s(t): `initial` up to `begin`, `final` from `end` on.

    Raises ArgumentError for shares out of range, or an end before the beginning.
    """
    final, initial = share("cubic_sparsity", "final", final), share("cubic_sparsity", "initial", initial)
    begin = whole_number("cubic_sparsity", "begin", begin, 0)
    end = whole_number("cubic_sparsity", "end", end, 0)
    if end < begin:
        raise ArgumentError(f"cubic_sparsity: the end, step {end}, lies before the beginning, step {begin}")
    if step >= end:
        return final
    left = 1.0 - max(step - begin, 0) / (end - begin)
    return final + (initial - final) * left**3


class GradualPruning(Listener):
    """A callback for a Trainer: prunes by magnitude on the cubic schedule, and holds what is pruned at zero.

        trainer = Trainer(model, ..., callbacks=[GradualPruning(model, 0.9, begin=100, end=600)])

    From `end` on the masks stand, and the steps that are left fine-tune. What is pruned once stays so.

    Args:
        model: the one that is trained.
        final: the sparsity from `end` on.
        begin, end: steps of the trainer.
        every: how many steps lie between two prunings.
        initial: the sparsity at `begin`.
        scope, layers: see `prune_magnitude`.
        schedule: schedule(step) → sparsity, in the place of the cubic one; it must not fall.
    """

    def __init__(
        self,
        model: Module,
        final: float,
        *,
        begin: int = 0,
        end: int,
        every: int = 10,
        initial: float = 0.0,
        scope: str = "layer",
        layers: Sequence[str] | None = None,
        schedule: Callable[[int], float] | None = None,
    ) -> None:
        check_module("GradualPruning", model)
        cubic_sparsity(0, begin, end, final, initial)  # says what is wrong with them
        self.model, self.begin, self.end = model, begin, end
        self.every = whole_number("GradualPruning", "every", every, 1)
        self.scope, self.layers = scope, layers
        self.schedule = schedule or (lambda step: cubic_sparsity(step, begin, end, final, initial))
        weights = weights_of("GradualPruning", model, layers)
        self.masks = Masks(model, {name: np.ones(p.shape, np.bool_) for name, p in weights.items()})
        magnitude_masks(model, 0.0, scope=scope, layers=layers)  # a wrong scope is said now

    def on_step_end(self, trainer: Any) -> None:
        """Prune further where it is time, and hold the rest."""
        step = trainer.step
        if self.begin <= step <= self.end and ((step - self.begin) % self.every == 0 or step == self.end):
            sparsity = self.schedule(step)
            self.masks.update(
                magnitude_masks(self.model, sparsity, scope=self.scope, layers=self.layers, within=self.masks)
            )
        super().on_step_end(trainer)
