"""What tracing costs: training steps inside of tt_perf.profile() against the same steps outside, in one process.

The XOR step (2-8-1, SGD, gradients by hand and by the tape), the MNIST MLP step (Adam), nanoGPT's CPU step (AdamW).
Short slices take turns, and the shortest of each kind are compared, as other load only ever slows. Only the block is
timed: rows and tables are worked out when somebody asks for them. Bar: at most 1.1 times the time, of each step.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpt_problem
import gpt_step
import mlp_problem
import numpy as np
import xor_problem
import xor_step
from duel import MET, MISSED

BAR = 1.1


def xor_by_hand() -> Callable[[], Any]:
    return xor_step.tt()


def xor_taped() -> Callable[[], Any]:
    import tt_nn
    import tt_optim
    import tt_tensor

    x, y = tt_tensor.Tensor(xor_problem.INPUTS), tt_tensor.Tensor(xor_problem.TARGETS)
    model = tt_nn.Sequential(
        tt_nn.Linear(2, xor_problem.HIDDEN), tt_nn.Tanh(), tt_nn.Linear(xor_problem.HIDDEN, 1)
    )
    loss_fn, optimizer = tt_nn.BCEWithLogitsLoss(), tt_optim.SGD(model.parameters(), lr=0.1)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def mlp() -> Callable[[], Any]:
    import tt_nn
    import tt_optim
    import tt_tensor

    pixels, labels = mlp_problem.batch()
    x, y = tt_tensor.Tensor(np.array(pixels, np.float32)), tt_tensor.Tensor(np.array(labels))
    sizes = mlp_problem.SIZES
    model = tt_nn.Sequential(
        tt_nn.Linear(sizes[0], sizes[1]),
        tt_nn.ReLU(),
        tt_nn.Linear(sizes[1], sizes[2]),
        tt_nn.ReLU(),
        tt_nn.Linear(sizes[2], sizes[3]),
    )
    loss_fn, optimizer = tt_nn.CrossEntropyLoss(), tt_optim.Adam(model.parameters(), lr=1e-3)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def gpt() -> Callable[[], Any]:
    return gpt_step.tt(1)()


# Name → what makes the step, whether a tape is there, steps a slice.
STEPS: dict[str, tuple[Callable[[], Callable[[], Any]], bool, int]] = {
    "XOR by hand": (xor_by_hand, False, 100),
    "XOR": (xor_taped, True, 100),
    "MNIST MLP": (mlp, True, 10),
    f"GPT, {gpt_problem.LAYERS} layers": (gpt, True, 1),
}


def slice_of(step: Callable[[], Any], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - started) / count


def measured(name: str, seconds: float, options: dict[str, Any]) -> tuple[float, float, int]:
    """Seconds a step outside and inside, and events a step."""
    import tt_autograd  # noqa: F401  (installs the tape)
    import tt_perf
    from tt_tensor import recorder

    make, taped, count = STEPS[name]
    before = recorder.active if taped else recorder.install(None)
    try:
        step = make()
        slice_of(step, 3 * count)
        plain: list[float] = []
        traced: list[float] = []
        events = 0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(plain) < 5:
            plain.append(slice_of(step, count))
            with tt_perf.profile(**options) as p:
                traced.append(slice_of(step, count))
            events = len(p._log) // count
    finally:
        recorder.install(before)
    some = max(3, len(plain) // 10)
    return sum(sorted(plain)[:some]) / some, sum(sorted(traced)[:some]) / some, events


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=5.0, help="for each step (default: %(default)s)")
    arguments.add_argument("--json", type=Path, help="write the figures here")
    arguments.add_argument("--only", action="append", choices=list(STEPS), help="only this step")
    given = arguments.parse_args()
    found = {}
    for name in given.only or STEPS:
        for words, options in (
            ("", {}),
            (", without modules and memory", {"modules": False, "memory": False}),
        ):
            plain, traced, events = measured(name, given.seconds / 2, options)
            ratio = traced / plain
            found[name + words] = {"plain": plain, "traced": traced, "events": events, "ratio": ratio}
            print(
                f"{name + words:45} {plain * 1e6:9.1f} µs  traced {traced * 1e6:9.1f} µs  {ratio:.3f} ×  "
                f"{events} events a step, {(traced - plain) / max(events, 1) * 1e9:.0f} ns each"
            )
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    missed = [name for name, figures in found.items() if "without" not in name and figures["ratio"] > BAR]
    print(f"bar: at most {BAR} ×; " + (f"missed by {', '.join(missed)}" if missed else "met"))
    return MISSED if missed else MET


if __name__ == "__main__":
    sys.exit(main())
