"""10,000 XOR training steps with the garbage collector off: nothing may grow.

With gc disabled only reference counts free memory, so one reference cycle a step shows as growth. Counted
before and after, once warm: live Tensors, all objects that gc tracks, bytes that Python and NumPy allocated
(tracemalloc, in a run of its own, since tracing takes memory itself), and the resident set of the process
(Linux; elsewhere left out).
--tape trains through loss.backward() of tt-autograd instead of gradients called by hand; then a weak reference to the
loss must also die with the last strong one.
--plant keeps one Tensor in --plant steps alive, to show that growth is seen.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import machine
from duel import MET, MISSED
from xor_step import tt as by_hand
from xor_tape import tt as by_tape

WARM_UP = 1000
# What may differ without being growth: pages that malloc took meanwhile, ints and floats that are still
# cached.
ALLOWED = {"live_tensors": 0, "tracked_objects": 0, "traced_bytes": 2048, "resident_bytes": 512 * 1024}

kept: list[Any] = []


def counts() -> dict[str, int]:
    from tt_tensor import Tensor

    objects = gc.get_objects()
    tensors = sum(isinstance(thing, Tensor) for thing in objects)
    return {"live_tensors": tensors, "tracked_objects": len(objects)}


def stepper(plant: int, tape: bool) -> Any:
    """A function that takes `steps` XOR steps; every `plant`-th leaves a Tensor behind."""
    from tt_tensor import Tensor

    step = by_tape() if tape else by_hand()

    def take(steps: int) -> None:
        for number in range(steps):
            step()
            if plant and number % plant == 0:
                kept.append(Tensor([float(number)]))

    return take


def loss_dies() -> bool:
    """Does a loss with its whole graph go when its last name goes, backward or not?"""
    import weakref

    import tt_autograd  # noqa: F401  (installs the tape)
    import tt_tensor

    w = tt_tensor.ones(3, requires_grad=True)
    for backward in (False, True):
        loss = ((w * 2).tanh() * w).sum()
        if backward:
            loss.backward()
        watched = [weakref.ref(loss), weakref.ref(loss.grad_fn)]
        del loss
        if any(reference() is not None for reference in watched):
            return False
    return True


def measured(steps: int, plant: int, tape: bool) -> dict[str, tuple[int, int]]:
    """(before, after) of every count, over `steps` steps."""
    take = stepper(plant, tape)
    take(WARM_UP)
    resident = machine.resident_bytes()
    before = counts()
    take(steps)
    after = counts()
    found = {name: (before[name], after[name]) for name in before}
    if resident is not None:
        found["resident_bytes"] = (resident, machine.resident_bytes() or 0)
    tracemalloc.start()
    take(WARM_UP)
    traced = tracemalloc.get_traced_memory()[0]
    take(steps)
    found["traced_bytes"] = (traced, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return found


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=10_000, help="training steps (default 10000)")
    p.add_argument("--plant", type=int, default=0, metavar="N", help="leak one Tensor in N steps")
    p.add_argument("--tape", action="store_true", help="gradients through the tape")
    p.add_argument("--json", metavar="FILE", help="write the record here")
    options = p.parse_args()
    if options.steps < 1 or options.plant < 0:
        p.error("--steps must be positive, --plant must not be negative")
    gc.collect()
    gc.disable()
    found = measured(options.steps, options.plant, options.tape)
    grown = [name for name, (before, after) in found.items() if after - before > ALLOWED[name]]
    print(f"{options.steps:,} XOR steps{' through the tape' if options.tape else ''}, gc disabled")
    if options.tape and not loss_dies():
        grown.append("a loss that is not freed without the collector")
    for name, (before, after) in found.items():
        told = "GREW" if name in grown else "ok"
        print(f"  {name.replace('_', ' '):16} {before:>12,} → {after:>12,}  {after - before:+,} ({told})")
    print(f"bar: no growth, {'MISSED' if grown else 'met'}")
    if options.json:
        record = {"steps": options.steps, "counts": found, "allowed": ALLOWED, "met": not grown}
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return MISSED if grown else MET


if __name__ == "__main__":
    sys.exit(main())
