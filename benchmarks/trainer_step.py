"""What the Trainer adds to a training step: an XOR step (2-8-1, Adam) in it and in a bare loop, without a display.

CPU time of this process, the two in turn; compared are the fastest rounds, so that others on the machine do not count.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from duel import MET, MISSED
from xor_problem import HIDDEN, INPUTS, TARGETS

import tt_nn
import tt_optim
import tt_tensor
from tt_optim.training import Accuracy, Trainer

BAR = 60.0
STEPS = 500


def made() -> tuple[
    tt_nn.Sequential, tt_nn.BCEWithLogitsLoss, tt_optim.Adam, list[tuple[tt_tensor.Tensor, ...]]
]:
    model = tt_nn.Sequential(tt_nn.Linear(2, HIDDEN), tt_nn.Tanh(), tt_nn.Linear(HIDDEN, 1))
    optimizer = tt_optim.Adam(model.parameters(), lr=0.01)
    return (
        model,
        tt_nn.BCEWithLogitsLoss(),
        optimizer,
        [(tt_tensor.tensor(INPUTS), tt_tensor.tensor(TARGETS))] * STEPS,
    )


def bare() -> None:
    model, loss_fn, optimizer, batches = made()
    for x, y in batches:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()


def trained(**options: object) -> Callable[[], None]:
    def run() -> None:
        model, loss_fn, optimizer, batches = made()
        Trainer(model, loss_fn, optimizer, progress=False, **options).fit(batches, epochs=1)  # type: ignore[arg-type]

    return run


CASES: dict[str, Callable[[], None]] = {
    "bare loop": bare,
    "Trainer": trained(),
    "with Accuracy": trained(metrics=[Accuracy()]),
    "with an average of the weights": trained(ema=0.99),
    "with a line of history a step": trained(log_every=1),
}


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=20, help="rounds of each (default 20)")
    p.add_argument("--json", metavar="FILE", help="write the record here")
    options = p.parse_args()
    if options.rounds < 1:
        p.error("--rounds must be positive")
    fastest = dict.fromkeys(CASES, float("inf"))
    for _ in range(options.rounds):
        for name, run in CASES.items():
            start = time.process_time()
            run()
            fastest[name] = min(fastest[name], (time.process_time() - start) / STEPS * 1e6)
    for name, microseconds in fastest.items():
        print(f"{name:32} {microseconds:6.1f} µs a step  {microseconds - fastest['bare loop']:+6.1f}")
    added = fastest["Trainer"] - fastest["bare loop"]
    print(
        f"bar: the Trainer adds at most {BAR:.0f} µs, {'met' if added <= BAR else 'MISSED'}: {added:.1f} µs"
    )
    if options.json:
        Path(options.json).write_text(
            json.dumps({"microseconds": fastest, "met": added <= BAR}, indent=1) + "\n"
        )
    return MET if added <= BAR else MISSED


if __name__ == "__main__":
    sys.exit(main())
