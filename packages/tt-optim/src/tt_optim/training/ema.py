"""EMA: an average of the weights along the way, which often generalises better than the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tt_nn import Module
from tt_optim.ranges import FLAG, FRACTION
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError
from tt_tensor.tensor import wrap

__all__ = ["EMA"]


class EMA:
    """s ← d·s + (1 − d)·θ after each step, with d = min(decay, (1 + t) / (10 + t)) at update t = 1, 2, …

    The warm-up of d keeps the untrained start from staying in the average; without it d is `decay` from the first
    update on. Buffers are no weights: the last value counts. Tied parameters are one. float16 is averaged in float32.

    Args:
        model: whose weights are averaged; the average starts as a copy of them.
        decay: in [0, 1).
        warm_up: whether d grows to `decay`.

    Raises DTypeError for what is no Module, ArgumentError for a decay out of range.
    Source: Polyak & Juditsky 1992; the warm-up is TensorFlow's ExponentialMovingAverage(num_updates).
    """

    def __init__(self, model: Module, decay: float = 0.999, warm_up: bool = True) -> None:
        if not isinstance(model, Module):
            raise DTypeError(f"EMA: takes the model, a Module, not {type(model).__name__}")
        self.decay = FRACTION("EMA: decay", decay)
        self.warm_up = FLAG("EMA: warm_up", warm_up)
        self.updates = 0
        self._weights = {name: p for name, p in model.named_parameters() if p.dtype.kind == "f"}
        self.model = model
        self._average = {name: p.array.astype(_working(p)) for name, p in self._weights.items()}

    def update(self) -> None:
        """Take in the weights as they are now."""
        self.updates += 1
        decay = self.decay
        if self.warm_up:
            decay = min(decay, (1 + self.updates) / (10 + self.updates))
        for name, p in self._weights.items():
            average = self._average[name]
            off = np.subtract(p.array, average)
            off *= 1 - decay
            average += off

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Inside `with ema.swapped():`, the model has the averaged weights; afterwards its own, bit for bit."""
        own = {name: p.array.copy() for name, p in self._weights.items()}
        try:
            self.copy_to_model()
            yield
        finally:
            for name, p in self._weights.items():
                p.write(own[name])

    def copy_to_model(self) -> None:
        """Put the averaged weights into the model, for good."""
        for name, p in self._weights.items():
            p.write(self._average[name])

    def weights(self) -> dict[str, Tensor]:
        """The average by name, with the model's buffers: what `model.load_state_dict` takes. Copies."""
        found = {name: wrap(t.array.copy()) for name, t in self.model.state_dict().items()}
        given = {id(p): name for name, p in self._weights.items()}
        for name, p in self.model.named_parameters(remove_duplicate=False):
            if id(p) in given:
                found[name] = wrap(self._average[given[id(p)]].astype(p.dtype))
        return found

    def state_dict(self) -> dict[str, Any]:
        """The average and how many updates it has seen. Copies."""
        average = {name: wrap(array.copy()) for name, array in self._average.items()}
        return {"updates": self.updates, "average": average}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a saved average; all of it or nothing.

        Raises ArgumentError for an average of another model, naming the difference.
        """
        average = state_dict["average"]
        if set(average) != set(self._average):
            missing, unexpected = set(self._average) - set(average), set(average) - set(self._average)
            raise ArgumentError(
                f"EMA.load_state_dict: missing {sorted(missing)}, unexpected {sorted(unexpected)}"
            )
        loaded = {}
        for name, own in self._average.items():
            saved = average[name]
            array = saved.array if isinstance(saved, Tensor) else np.asarray(saved)
            if array.shape != own.shape or array.dtype != own.dtype:
                raise ArgumentError(
                    f"EMA.load_state_dict: {name} was saved as {array.dtype} {array.shape}, "
                    f"here it is {own.dtype} {own.shape}"
                )
            loaded[name] = array
        for name, array in loaded.items():
            self._average[name][...] = array
        self.updates = int(state_dict["updates"])

    def __repr__(self) -> str:
        return f"EMA(decay={self.decay}, warm_up={self.warm_up})"


def _working(p: Tensor) -> np.dtype[Any]:
    return np.dtype(np.float32) if p.dtype == np.float16 else p.dtype
