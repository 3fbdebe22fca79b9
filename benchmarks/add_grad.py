"""a + b for two float32 arrays of shape (32, 64), a requiring a gradient: what recording one operation costs.

Bar: at most 0.9 times PyTorch's time.
"""

from __future__ import annotations

import sys

import duel
from add import rows
from resident import Step


def tt() -> Step:
    import tt_autograd  # noqa: F401  (installs the tape)
    import tt_tensor

    a, b = tt_tensor.Tensor(rows(0.5), requires_grad=True), tt_tensor.Tensor(rows(-0.25))
    return lambda: a + b


def torch() -> Step:
    import torch

    a, b = torch.tensor(rows(0.5), requires_grad=True), torch.tensor(rows(-0.25))
    return lambda: a + b


DUEL = duel.Duel(
    title="add with gradient: (32, 64) + (32, 64), float32, recorded",
    contenders={"tt": duel.Contender(tt), "torch": duel.Contender(torch, peer=True)},
    ours="tt",
    reference="torch",
    bar=0.9,
    rtol=0.0,
    atol=0.0,
)

if __name__ == "__main__":
    sys.exit(duel.main(DUEL))
