"""Listener: a callback for the Trainer of tt-optim, made by a wheel that does not depend on it.

The Trainer takes any object with the methods of its events; so do loops of one's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tt_perf.compression.masks import Masks
from tt_tensor.errors import DTypeError

__all__ = ["KeepMasks", "Listener"]


class Listener:
    """Holds `masks` at zero after each step of the optimizer, and remembers them over a resume."""

    masks: Masks

    def on_fit_start(self, trainer: Any) -> None:
        """Also after a resume, whose weights may be from elsewhere."""
        self.masks.apply()

    def on_step_end(self, trainer: Any) -> None:
        """The optimizer has moved."""
        self.masks.apply()

    def state_dict(self) -> dict[str, Any]:
        """The masks, for a checkpoint."""
        return {"masks": {name: mask.astype(np.uint8) for name, mask in self.masks.items()}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take the masks of a checkpoint back."""
        self.masks.update({name: np.asarray(mask) != 0 for name, mask in state_dict["masks"].items()})


class KeepMasks(Listener):
    """A callback for a Trainer: after each step of the optimizer, what is masked is zero again.

    The optimizer may push a masked weight (momentum and decay do), and nothing of it lasts.
    """

    def __init__(self, masks: Masks) -> None:
        if not isinstance(masks, Masks):
            raise DTypeError(
                f"KeepMasks: takes Masks, which prune_magnitude and prune_n_m return, not {type(masks).__name__}"
            )
        self.masks = masks
