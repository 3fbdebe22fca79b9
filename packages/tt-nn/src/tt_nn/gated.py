"""x times a gate between 0 and 1 that x itself opens: what GELU, SiLU, Mish and Hardswish have in common.

Those with an `operation` are in the table of kernels under that name, and their rules under "<operation>_backward":

    operation(x) → (y, kept)
    operation_backward(x, kept, grad) → dx

x, y, grad and dx have one shape and one dtype, float32 or float64. `kept` is the gate, of x's shape, or None from a
kernel that keeps nothing but x; each rule takes both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn.blocks import in_blocks, working
from tt_tensor.kernels import table
from tt_tensor.kernels.elementwise import binary, unary
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor import Tensor

__all__ = ["FAR", "Gated", "composed", "register"]

FAR = 1e4
"""From here on, every gate is 1 exactly, and below -FAR 0."""


class Gated:
    """Part of a Function: y = x · gate(x). The gate is kept for the rule; the values at ±inf are the limits."""

    name: str
    operation: str | None = None
    forward_scratch = backward_scratch = 0

    def forward(self, x: Any) -> Any:
        self.x = wide = working(x, self.name)
        if self.operation is not None:
            y, self.gate = table.kernel(self.operation)(wide)
        elif table.plain:
            y, self.gate = self.filled(wide)
        else:
            self.gate = unary(self.gate_of, wide)
            y = binary(np.multiply, wide, self.gate)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        if self.operation is None:
            return self.sent(self.x, self.gate, grad)
        return table.kernel(self.operation + "_backward")(self.x, self.gate, grad)

    @classmethod
    def filled(cls, x: Any) -> Any:
        """x · gate(x), and the gate."""
        return cls.run(cls.fill, (x,), 2, cls.forward_scratch)

    @classmethod
    def sent(cls, x: Any, gate: Any, grad: Any) -> Any:
        """grad times the derivative."""
        if gate is None:
            gate = cls.filled(x)[1]
        return cls.run(cls.send, (x, gate, grad), 1, cls.backward_scratch)[0]

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

    @staticmethod
    def value_at(x: float) -> float:
        """The gate at a finite x: the definition, in Python's numbers."""
        raise NotImplementedError

    @staticmethod
    def slope_at(x: float) -> float:
        """The derivative of x · gate(x) at a finite x."""
        raise NotImplementedError


def composed(x: Any, gate: Callable[[Any], Any]) -> Tensor:
    """x · gate(x) on Tensors; beyond ±FAR, where 0 · inf would come up, x itself or 0."""
    far = np.abs(raw(x)) > FAR
    if not far.any():
        return x * gate(x)  # type: ignore[no-any-return]
    near = np.where(far, 0, x)
    return np.where(far, np.where(raw(x) > 0, x, 0), near * gate(near))  # type: ignore[return-value]


def register(function: type[Gated]) -> None:
    """Enter "loops" and "numpy" for the operation of `function`, and for its rule."""
    operation = function.operation
    if operation is None:
        return

    def loops(x: Any) -> Any:
        """y = x · gate(x) and the gate, one number after the other."""
        gate = _one_by_one(function.value_at, x)
        y = np.empty(x.shape, x.dtype)
        for at in np.ndindex(x.shape):
            y[at] = float(x[at]) * float(gate[at]) if x[at] != -math.inf else -0.0
        return y, gate

    def loops_backward(x: Any, kept: Any, grad: Any) -> Any:
        """dx = grad · (x · gate(x))′, one number after the other."""
        slope = _one_by_one(function.slope_at, x)
        dx = np.empty(x.shape, x.dtype)
        for at in np.ndindex(x.shape):
            dx[at] = float(grad[at]) * float(slope[at])
        return dx

    table.register(operation, "loops", loops)
    table.register(operation, "numpy", function.filled, default=True)
    table.register(operation + "_backward", "loops", loops_backward)
    table.register(operation + "_backward", "numpy", function.sent, default=True)


def _one_by_one(formula: Callable[[float], float], x: Any) -> Any:
    """formula(x); NaN where x is NaN, and at ±inf its limit."""
    y = np.empty(x.shape, x.dtype)
    for at in np.ndindex(x.shape):
        value = float(x[at])
        y[at] = value if math.isnan(value) else formula(min(max(value, -FAR), FAR))
    return y
