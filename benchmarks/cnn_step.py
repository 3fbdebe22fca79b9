"""One training step of the network of cnn_problem.py: forward, loss, backward, SGD with momentum, loss.item().

The losses of the first steps must agree. Bar: at most 1.25 times PyTorch's time. `--memory` measures the peak instead:
what 10 steps add to the resident set of each process beyond its imports; at most 1.5 times PyTorch's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import cnn_problem
import duel
import machine
from resident import Factory, Step


def tt() -> Step:
    import tt_autograd  # noqa: F401  (installs the tape)
    import tt_nn
    import tt_optim
    import tt_tensor
    import tt_vision

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
    title="CNN training step: 5 convolutions with batch norm, batch 128, SGD with momentum, float32",
    contenders={
        "tt": duel.Contender(tt),
        "torch": duel.Contender(torch(), peer=True),
        "torch-channels-last": duel.Contender(torch(channels_last=True), peer=True),
    },
    ours="tt",
    reference="torch",
    bar=1.25,
    check_steps=5,
    rtol=1e-3,
)
MEMORY_BAR = 1.5


def peak(name: str, python: str, malloc: bool) -> float:
    """MB that 10 steps add to the most that the process ever held, in a process of its own."""
    command = [python, sys.argv[0], "--peak-of", name] + ([] if malloc else ["--no-malloc"])
    environment = machine.thread_environment(2)
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def peak_here(name: str, malloc: bool) -> None:
    """Print the MB of `peak`."""
    import resource

    if malloc:
        machine.tune_malloc()
    if DUEL.contenders[name].peer:
        import torch  # noqa: F401
    else:
        import tt_autograd  # noqa: F401
        import tt_optim  # noqa: F401
        import tt_vision  # noqa: F401
    before = machine.resident_bytes() or 0
    made = DUEL.contenders[name].make()
    step = made if callable(made) else made[0]
    for _ in range(10):
        step()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print((most - before) / 1e6)


def memory(options: Any) -> int:
    """Print the peaks; 0 where ours is within the bar."""
    found = {
        name: peak(name, options.peer_python if contender.peer else sys.executable, options.malloc)
        for name, contender in DUEL.contenders.items()
    }
    ratio = found[DUEL.ours] / found[DUEL.reference]
    print(f"{DUEL.title}: peak memory beyond imports, MB")
    for name, value in found.items():
        print(f"  {name:22} {value:8.1f}  {value / found[DUEL.reference]:.3f}")
    met = ratio <= MEMORY_BAR
    print(f"  bar: {DUEL.ours} ÷ {DUEL.reference} ≤ {MEMORY_BAR}: {ratio:.3f}, {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    arguments = duel.parser(DUEL)
    arguments.add_argument("--memory", action="store_true", help="peak memory instead of time")
    arguments.add_argument("--peak-of", help=duel.argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.peak_of:
        peak_here(given.peak_of, given.malloc)
        sys.exit(0)
    sys.exit(memory(given) if given.memory else duel.main(DUEL, given))
