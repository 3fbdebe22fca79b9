"""One training step of the network of cnn_problem.py: forward, loss, backward, SGD with momentum, loss.item().

The losses of the first steps must agree. Bar: at most 1.2 times PyTorch's time. `--memory` measures the peak instead:
what 10 steps add to the resident set of each process beyond its imports; at most 1.5 times PyTorch's.

`--accelerate`: our process calls tt_perf.accelerate(), without its malloc tuning, which both sides get from the duel.
Then the bar is 0.65 times PyTorch's time, and with `--against-channels-last` 0.85 times that of PyTorch in that format.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import cnn_problem
import duel
import peak
from resident import Factory, Step

ACCELERATE, CHANNELS_LAST = duel.taken("--accelerate"), duel.taken("--against-channels-last")


def tt() -> Step:
    import tt_autograd  # noqa: F401  (installs the tape)
    import tt_nn
    import tt_optim
    import tt_tensor
    import tt_vision

    if ACCELERATE:
        import tt_perf

        tt_perf.accelerate(malloc=False)
    nn = SimpleNamespace(**{**vars(tt_nn), **vars(tt_vision)})
    model = cnn_problem.network(nn)
    state = {name: tt_tensor.Tensor(values) for name, values in cnn_problem.start().items()}
    model.load_state_dict(state, strict=False)
    images, labels = map(tt_tensor.Tensor, cnn_problem.batch())
    loss_fn = tt_nn.CrossEntropyLoss()
    optimizer = tt_optim.SGD(model.parameters(), lr=cnn_problem.LEARNING_RATE, momentum=cnn_problem.MOMENTUM)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch(channels_last: bool = False) -> Factory:
    def make() -> Step:
        import torch
        from torch import nn

        model: Any = cnn_problem.network(nn)
        state = {name: torch.tensor(values) for name, values in cnn_problem.start().items()}
        model.load_state_dict(state, strict=False)
        images, labels = map(torch.tensor, cnn_problem.batch())
        if channels_last:
            model = model.to(memory_format=torch.channels_last)
            images = images.to(memory_format=torch.channels_last)
        loss_fn = nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(
            model.parameters(), lr=cnn_problem.LEARNING_RATE, momentum=cnn_problem.MOMENTUM
        )

        def step() -> float:
            optimizer.zero_grad()
            loss = loss_fn(model(images), labels)
            loss.backward()
            optimizer.step()
            return float(loss.item())

        return step

    return make


DUEL = duel.Duel(
    title="CNN training step: 5 convolutions with batch norm, batch 128, SGD with momentum, float32"
    + (", accelerated" if ACCELERATE else ""),
    contenders={
        "tt": duel.Contender(tt),
        "torch": duel.Contender(torch(), peer=True),
        "torch-channels-last": duel.Contender(torch(channels_last=True), peer=True),
    },
    ours="tt",
    reference="torch-channels-last" if CHANNELS_LAST else "torch",
    bar=(0.85 if CHANNELS_LAST else 0.65) if ACCELERATE else 1.2,
    check_steps=5,
    rtol=1e-3,
)
MEMORY_BAR = 1.5

if __name__ == "__main__":
    sys.exit(peak.main(DUEL, MEMORY_BAR, ("tt_autograd", "tt_optim", "tt_vision")))
