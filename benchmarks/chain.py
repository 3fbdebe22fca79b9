"""A chain of 100 operations, forward and backward: what a node of the graph costs.

y = x; fifty times y = tanh(y), y = y · 1.25; then y.backward(gradient) and the gradient at x. x is (32, 64), float32
(--size 4: four numbers, where nothing but the nodes costs).
Bar: at most 0.4 times PyTorch's time.
"""

from __future__ import annotations

import sys

import duel
from resident import Factory, Step

LINKS = 50


def start(size: int) -> list[float]:
    return [0.5 - i / size for i in range(size)]


def tt(size: int) -> Factory:
    def make() -> Step:
        import tt_autograd  # noqa: F401  (installs the tape)
        import tt_tensor

        x = tt_tensor.Tensor(start(size), requires_grad=True)
        ones = tt_tensor.ones(size)

        def step() -> object:
            x.grad = None
            y = x
            for _ in range(LINKS):
                y = y.tanh() * 1.25
            y.backward(ones)
            return x.grad

        return step

    return make


def torch(size: int) -> Factory:
    def make() -> Step:
        import torch

        x = torch.tensor(start(size), requires_grad=True)
        ones = torch.ones(size)

        def step() -> object:
            x.grad = None
            y = x
            for _ in range(LINKS):
                y = y.tanh() * 1.25
            y.backward(ones)
            return x.grad

        return step

    return make


def duel_of(size: int) -> duel.Duel:
    return duel.Duel(
        title=f"chain of 100 operations on {size} numbers, forward and backward",
        contenders={"tt": duel.Contender(tt(size)), "torch": duel.Contender(torch(size), peer=True)},
        ours="tt",
        reference="torch",
        bar=0.4,
        rtol=1e-3,
        atol=1e-30,
    )


if __name__ == "__main__":
    arguments = duel.parser(duel_of(4))
    arguments.add_argument("--size", type=int, default=4, help="numbers in the tensor")
    options = arguments.parse_args()
    if options.size < 1:
        arguments.error("--size must be positive")
    sys.exit(duel.main(duel_of(options.size), options))
