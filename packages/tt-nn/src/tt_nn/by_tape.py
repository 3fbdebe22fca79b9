"""ByTape: a module in which several inputs learn, so that by hand there is no one gradient to send on."""

from __future__ import annotations

from typing import Any

from tt_nn.module import Module
from tt_tensor.errors import MissingWheelError

__all__ = ["ByTape"]


class ByTape(Module):
    """A layer or loss of several inputs, or of an input and a state, that learn."""

    def backward(self, grad: Any = None) -> Any:
        """Raises MissingWheelError: by hand, a module sends one gradient on, and here each input has its own."""
        raise MissingWheelError(
            f"{type(self).__name__}.backward: each of its inputs has a gradient, so there is no way back by hand; "
            "install the wheel tt-autograd, import tt_autograd and call loss.backward()"
        )
