"""One training step of the XOR network of xor_step.py, with loss.backward() through the tape.

zero_grad, forward, loss, backward, step, loss.item(). The losses of the first 100 steps must agree.
Bar: at most 0.2 times the time of PyTorch's nn.Sequential with autograd and optim.SGD.
"""

from __future__ import annotations

import sys

import duel
import xor_problem
import xor_step
from resident import Step


def tt() -> Step:
    import tt_autograd  # noqa: F401  (installs the tape)
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
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


DUEL = duel.Duel(
    title="XOR training step through the tape: 2-8-1, tanh, BCE with logits, SGD, float32",
    contenders={
        "tt": duel.Contender(tt),
        "by-hand": duel.Contender(xor_step.tt),
        "torch": duel.Contender(xor_step.torch_with(), peer=True),
    },
    ours="tt",
    reference="torch",
    bar=0.2,
    check_steps=100,
    rtol=1e-4,
)

if __name__ == "__main__":
    sys.exit(duel.main(DUEL))
