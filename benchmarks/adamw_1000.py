"""One AdamW step of a model with 1,000 small parameter tensors of mixed shapes (60,200 numbers, float32).

Two duels: with gradients that stay where they are (as after zero_grad(set_to_none=False)), and, with
--fresh, with other gradient tensors assigned before each step (as after zero_grad(set_to_none=True)); the
assignments are timed with the step, for every contender. Before it, 20 steps, half of them with other
gradients, must lead every contender to the same parameters.
Bar: at most 1.0 times the time of PyTorch's AdamW as it comes.
"""

from __future__ import annotations

import random
import sys
from itertools import cycle
from typing import Any

import duel
from resident import Evidence, Factory, Step

SHAPES = ((8,), (16, 8), (1,), (3, 3, 4), (32,), (16, 16), (4, 4), (64,), (10, 6), ())
COUNT = 1000
OPTIONS = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}


def drawn(seed: int) -> list[tuple[tuple[int, ...], list[float]]]:
    """(shape, values in row-major order) of every tensor of one set."""
    dice = random.Random(seed)
    tensors = []
    for _, shape in zip(range(COUNT), cycle(SHAPES), strict=False):
        size = 1
        for length in shape:
            size *= length
        tensors.append((shape, [dice.uniform(-1, 1) for _ in range(size)]))
    return tensors


def contend(
    optimizer: Any, parameters: list[Any], gradients: tuple[list[Any], list[Any]], fresh: bool
) -> tuple[Step, Evidence]:
    """The step and the evidence, in words that both libraries understand."""

    def assign(which: list[Any]) -> None:
        for parameter, gradient in zip(parameters, which, strict=True):
            parameter.grad = gradient

    def evidence(_results: list[Any]) -> list[Any]:
        assign(gradients[1])
        for _ in range(10):
            optimizer.step()
        return [parameter.detach() for parameter in parameters]

    assign(gradients[0])
    turns = cycle(gradients)

    def step_in_place() -> None:
        optimizer.step()

    def step_fresh() -> None:
        assign(next(turns))
        optimizer.step()

    return (step_fresh if fresh else step_in_place), evidence


def tt(fresh: bool) -> Factory:
    def make() -> tuple[Step, Evidence]:
        import tt_nn
        import tt_optim
        import tt_tensor

        def tensors(seed: int) -> list[Any]:
            return [tt_tensor.Tensor(values).reshape(shape) for shape, values in drawn(seed)]

        parameters = [tt_nn.Parameter(tensor) for tensor in tensors(0)]
        optimizer = tt_optim.AdamW(parameters, **OPTIONS)
        return contend(optimizer, parameters, (tensors(1), tensors(2)), fresh)

    return make


def torch(fresh: bool, **options: object) -> Factory:
    def make() -> tuple[Step, Evidence]:
        import torch

        def tensors(seed: int) -> list[Any]:
            return [torch.tensor(values).reshape(shape) for shape, values in drawn(seed)]

        parameters = [torch.nn.Parameter(tensor) for tensor in tensors(0)]
        optimizer = torch.optim.AdamW(parameters, **OPTIONS, **options)
        return contend(optimizer, parameters, (tensors(1), tensors(2)), fresh)

    return make


def duel_with(fresh: bool) -> duel.Duel:
    return duel.Duel(
        title=f"AdamW step: {COUNT} small tensors, float32, gradients {'assigned' if fresh else 'in place'}",
        contenders={
            "tt": duel.Contender(tt(fresh)),
            "torch": duel.Contender(torch(fresh), peer=True),
            "torch-foreach": duel.Contender(torch(fresh, foreach=True), peer=True),
            "torch-fused": duel.Contender(torch(fresh, fused=True), peer=True),
        },
        ours="tt",
        reference="torch",
        bar=1.0,
        check_steps=10,
        rtol=1e-5,
        atol=1e-6,
    )


if __name__ == "__main__":
    arguments = duel.parser(duel_with(False))
    arguments.add_argument("--fresh", action="store_true", help="assign other gradients before each step")
    options = arguments.parse_args()
    sys.exit(duel.main(duel_with(options.fresh), options))
