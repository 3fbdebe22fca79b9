"""What is not finite stops the run, before it reaches the weights or a checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import Module
from tt_tensor.errors import TTError

__all__ = ["NonFiniteError", "refuse_weights"]


class NonFiniteError(TTError, FloatingPointError):
    """A loss, a gradient's norm or a weight is nan or inf; `what`, `value`, `step`, `epoch`, `batch` say which.

    `step` counts the optimizer's steps that were made; the one that failed was not. `batch` is the number of the
    batch within the epoch; both and `epoch` count from 0.
    """

    def __init__(self, what: str, value: float, step: int, epoch: int, batch: int, advice: str) -> None:
        self.what, self.value, self.step, self.epoch, self.batch = what, value, step, epoch, batch
        super().__init__(f"{what} is {value} after step {step}, in epoch {epoch}, batch {batch}: {advice}")


def refuse_weights(model: Module, step: int, epoch: int, batch: int) -> None:
    """Raise NonFiniteError where a parameter holds nan or inf: such a checkpoint would take a good one's place."""
    for name, p in model.named_parameters():
        array = p.array
        # The sum of squares is finite only if all are; only where it is not, a closer look.
        if array.dtype.kind == "f" and not np.isfinite(np.vdot(array, array)):
            bad = array[~np.isfinite(array)]
            if bad.size:
                raise NonFiniteError(
                    f"the weight {name}",
                    float(bad.flat[0]),
                    step,
                    epoch,
                    batch,
                    "no checkpoint was written, the last good one is as it was; resume from it with a lower "
                    "learning rate or with clip_norm",
                )


def advice(what: str) -> str:
    """What to do about a loss or a gradient that is not finite."""
    return (
        f"the optimizer has not moved and nothing was saved. Look at the batch and at the {what}; "
        "tt_autograd.detect_anomaly names the operation. A lower learning rate or clip_norm may help"
    )


def is_finite(value: Any) -> bool:
    """Whether a Python number is neither nan nor inf."""
    return value - value == 0
