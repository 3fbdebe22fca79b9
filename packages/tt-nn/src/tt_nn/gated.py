"""x times a gate between 0 and 1 that x itself opens: what GELU, SiLU, Mish and Hardswish have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tt_nn.blocks import in_blocks, working
from tt_tensor.kernels import table
from tt_tensor.kernels.elementwise import binary, unary

__all__ = ["FAR", "Gated"]

FAR = 1e4
"""From here on, every gate is 1 exactly, and below -FAR 0."""


class Gated:
    """Part of a Function: y = x · gate(x). The gate is kept for the rule; the values at ±inf are the limits."""

    name: str
    forward_scratch = backward_scratch = 0

    def forward(self, x: Any) -> Any:
        self.x = wide = working(x, self.name)
        if table.plain:
            y, self.gate = self.run(self.fill, (wide,), 2, self.forward_scratch)
        else:
            self.gate = unary(self.gate_of, wide)
            y = binary(np.multiply, wide, self.gate)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return self.run(self.send, (self.x, self.gate, grad), 1, self.backward_scratch)[0]

    @staticmethod
    def run(body: Callable[..., None], inputs: tuple[Any, ...], made: int, scratch: int) -> list[Any]:
        """`body` over the blocks. Where it met 0 · inf, once more with ±FAR in the place of all beyond."""
        try:
            with np.errstate(over="ignore", under="ignore", invalid="raise"):
                return in_blocks(body, inputs, made, scratch)
        except FloatingPointError:
            x = inputs[0]
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                results = in_blocks(body, (np.asarray(np.clip(x, -FAR, FAR)), *inputs[1:]), made, scratch)
                if made > 1:
                    np.copyto(results[0], x, where=x > FAR)
                return results

    @staticmethod
    def gate_of(x: Any) -> Any:
        """The gate."""
        raise NotImplementedError

    @staticmethod
    def fill(x: Any, y: Any, gate: Any, *scratch: Any) -> None:
        """x times its gate into `y`, the gate into `gate`."""
        raise NotImplementedError

    @staticmethod
    def send(x: Any, gate: Any, grad: Any, dx: Any, *scratch: Any) -> None:
        """grad times the derivative into `dx`."""
        raise NotImplementedError
