"""A chain of 100 operations, forward and backward: what a node of the graph costs.

y = x; a hundred times y = y · 1.01; then y.backward(gradient) and the gradient at x. --op takes another operation,
--size another number of elements (by default 4, where hardly anything but the nodes costs).
Bar: at most 0.4 times PyTorch's time, for the default.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import duel
from resident import Factory, Step

LINKS = 100
OPS: dict[str, Callable[[Any, Any], Any]] = {
    "scale": lambda y, x: y * 1.01,
    "shift": lambda y, x: y + 0.01,
    "add": lambda y, x: y + x,
    "mul": lambda y, x: y * x,
    "tanh": lambda y, x: y.tanh(),
}


def start(size: int) -> list[float]:
    return [1.0 - i / (4 * size) for i in range(size)]


def tt(op: str, size: int) -> Factory:
    def make() -> Step:
        import tt_autograd  # noqa: F401  (installs the tape)
        import tt_tensor

        x = tt_tensor.Tensor(start(size), requires_grad=True)
        ones = tt_tensor.ones(size)
        return lambda: chain(x, ones, OPS[op])

    return make


def torch(op: str, size: int) -> Factory:
    def make() -> Step:
        import torch

        x = torch.tensor(start(size), requires_grad=True)
        ones = torch.ones(size)
        return lambda: chain(x, ones, OPS[op])

    return make


def chain(x: Any, gradient: Any, link: Callable[[Any, Any], Any]) -> Any:
    x.grad = None
    y = x
    for _ in range(LINKS):
        y = link(y, x)
    y.backward(gradient)
    return x.grad


def duel_of(op: str, size: int) -> duel.Duel:
    return duel.Duel(
        title=f"chain of {LINKS} operations ({op}) on {size} numbers, forward and backward",
        contenders={
            "tt": duel.Contender(tt(op, size)),
            "torch": duel.Contender(torch(op, size), peer=True),
        },
        ours="tt",
        reference="torch",
        bar=0.4,
        rtol=1e-3,
        atol=1e-30,
    )


if __name__ == "__main__":
    arguments = duel.parser(duel_of("scale", 4))
    arguments.add_argument("--op", choices=list(OPS), default="scale", help="the operation")
    arguments.add_argument("--size", type=int, default=4, help="numbers in the tensor")
    options = arguments.parse_args()
    if options.size < 1:
        arguments.error("--size must be positive")
    sys.exit(duel.main(duel_of(options.op, options.size), options))
