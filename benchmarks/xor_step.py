"""One training step of the XOR network (2-8-1, tanh, BCE with logits, SGD), gradients called by hand.

zero_grad, forward, loss, backward, step, loss.item(). The losses of the first 100 steps must agree.
Bar: at most 0.2 times the time of PyTorch's nn.Sequential with autograd and optim.SGD.
"""

from __future__ import annotations

import sys

import duel
import xor_problem
from resident import Factory, Step


def tt() -> Step:
    import tt_nn
    import tt_optim
    import tt_tensor

    x, y = tt_tensor.Tensor(xor_problem.INPUTS), tt_tensor.Tensor(xor_problem.TARGETS)
    model = tt_nn.Sequential(
        tt_nn.Linear(2, xor_problem.HIDDEN), tt_nn.Tanh(), tt_nn.Linear(xor_problem.HIDDEN, 1)
    )
    model.load_state_dict({name: tt_tensor.Tensor(values) for name, values in xor_problem.start().items()})
    loss_fn = tt_nn.BCEWithLogitsLoss()
    optimizer = tt_optim.SGD(model.parameters(), lr=xor_problem.LEARNING_RATE)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        model.backward(loss_fn.backward())
        optimizer.step()
        return loss.item()

    return step


def torch_with(**options: object) -> Factory:
    def make() -> Step:
        import torch
        from torch import nn

        x, y = torch.tensor(xor_problem.INPUTS), torch.tensor(xor_problem.TARGETS)
        model = nn.Sequential(nn.Linear(2, xor_problem.HIDDEN), nn.Tanh(), nn.Linear(xor_problem.HIDDEN, 1))
        model.load_state_dict({name: torch.tensor(values) for name, values in xor_problem.start().items()})
        loss_fn = nn.BCEWithLogitsLoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=xor_problem.LEARNING_RATE, **options)

        def step() -> float:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    return make


DUEL = duel.Duel(
    title="XOR training step: 2-8-1, tanh, BCE with logits, SGD, float32",
    contenders={
        "tt": duel.Contender(tt),
        "torch": duel.Contender(torch_with(), peer=True),
        "torch-fused": duel.Contender(torch_with(fused=True), peer=True),
    },
    ours="tt",
    reference="torch",
    bar=0.2,
    check_steps=100,
    rtol=1e-4,
)

if __name__ == "__main__":
    sys.exit(duel.main(DUEL))
