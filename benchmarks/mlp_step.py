"""One training step of an MNIST-sized network, 784-256-128-10, ReLU, cross entropy, batch 64, Adam, through the tape.

zero_grad, forward, loss, backward, step, loss.item(). The losses of the first 20 steps must agree.
Bar: at most 0.6 times PyTorch's time. --inference: the forward alone under no_grad, at most 0.7 times. With
`--accelerate`, our process calls tt_perf.accelerate(), without its malloc tuning, which both sides get from the duel.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import duel
import mlp_problem
from resident import Factory, Step

ACCELERATE = duel.taken("--accelerate")


def tt_model() -> tuple[Any, Any, Any]:
    import tt_autograd  # noqa: F401  (installs the tape)
    import tt_nn
    import tt_tensor

    if ACCELERATE:
        import tt_perf

        tt_perf.accelerate(malloc=False)
    layers: list[Any] = []
    for fan_in, fan_out in itertools.pairwise(mlp_problem.SIZES):
        layers += [tt_nn.Linear(fan_in, fan_out), tt_nn.ReLU()]
    model = tt_nn.Sequential(*layers[:-1])
    model.load_state_dict({name: tt_tensor.Tensor(values) for name, values in mlp_problem.start().items()})
    pixels, labels = mlp_problem.batch()
    return model, tt_tensor.Tensor(pixels), tt_tensor.Tensor(labels)


def torch_model() -> tuple[Any, Any, Any]:
    import torch
    from torch import nn

    layers: list[Any] = []
    for fan_in, fan_out in itertools.pairwise(mlp_problem.SIZES):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    model.load_state_dict({name: torch.tensor(values) for name, values in mlp_problem.start().items()})
    pixels, labels = mlp_problem.batch()
    return model, torch.tensor(pixels), torch.tensor(labels)


def tt() -> Step:
    import tt_nn
    import tt_optim

    model, x, y = tt_model()
    loss_fn = tt_nn.CrossEntropyLoss()
    optimizer = tt_optim.Adam(model.parameters(), lr=mlp_problem.LEARNING_RATE)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_with(**options: object) -> Factory:
    def make() -> Step:
        import torch
        from torch import nn

        model, x, y = torch_model()
        loss_fn = nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=mlp_problem.LEARNING_RATE, **options)

        def step() -> float:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    return make


def tt_inference() -> Step:
    import tt_autograd

    model, x, _ = tt_model()

    def step() -> object:
        with tt_autograd.no_grad():
            return model(x)

    return step


def torch_inference() -> Step:
    import torch

    model, x, _ = torch_model()

    def step() -> object:
        with torch.no_grad():
            return model(x)

    return step


TRAINING = duel.Duel(
    title="MLP training step: 784-256-128-10, batch 64, Adam, float32"
    + (", accelerated" if ACCELERATE else ""),
    contenders={
        "tt": duel.Contender(tt),
        "torch": duel.Contender(torch_with(), peer=True),
        "torch-fused": duel.Contender(torch_with(fused=True), peer=True),
    },
    ours="tt",
    reference="torch",
    bar=0.6,
    check_steps=20,
    rtol=1e-3,
)
INFERENCE = duel.Duel(
    title="MLP inference under no_grad: 784-256-128-10, batch 64, float32"
    + (", accelerated" if ACCELERATE else ""),
    contenders={"tt": duel.Contender(tt_inference), "torch": duel.Contender(torch_inference, peer=True)},
    ours="tt",
    reference="torch",
    bar=0.7,
    rtol=1e-3,
    atol=1e-5,
)

if __name__ == "__main__":
    chosen = INFERENCE if "--inference" in sys.argv else TRAINING
    arguments = duel.parser(chosen)
    arguments.add_argument("--inference", action="store_true", help="the forward alone, under no_grad")
    sys.exit(duel.main(chosen, arguments.parse_args()))
