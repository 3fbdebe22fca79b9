"""Activation checkpointing of a 64-layer MLP: memory and time of a training step, against the plain one.

The layers are Linear(256, 256) and SiLU (initialised so that neither signal nor gradient fades: numbers too small to be
normal would slow both ways), the batch 512 rows, in eight segments (`checkpoint_sequential`). Activation memory is the
peak of what tracemalloc sees above the parameters, less the gradients of the parameters as far as they are worked out
by then (both ways have to hold them in the end): probes between the layers look on the way back. Each way runs in a
process of its own; times are medians of alternating rounds.

What can be saved depends on what a layer keeps: with n layers in k segments, k inputs and n/k layers are held at once.
Linear and SiLU keep three arrays a layer, Linear and ReLU one (--activation ReLU), which leaves 2 · 8 of 64.
Bars: at most 20 % of the memory, at most 1.4 times the time, the same gradients bit for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
from duel import MET, MISSED

LAYERS, WIDTH, ROWS = 64, 256, 512
MEMORY_BAR, TIME_BAR = 0.20, 1.4


def step_of(
    way: str, activation: str, segments: int, look: Callable[[int], None] | None = None
) -> tuple[Callable[[], None], Any]:
    """One forward and backward, and the model. `look(layer)` is called before the backward of each layer."""
    import tt_autograd
    import tt_nn
    import tt_tensor

    class Probe(tt_tensor.Function):
        def __init__(self, layer: int) -> None:
            self.layer = layer

        def forward(self, x: Any) -> Any:
            return x

        def backward(self, grad: Any) -> Any:
            look(self.layer)  # type: ignore[misc]
            return grad

    class Layer(tt_nn.Module):
        def __init__(self, number: int) -> None:
            self.number, self.linear = number, tt_nn.Linear(WIDTH, WIDTH)
            tt_nn.init.kaiming_normal_(self.linear.weight)
            self.activation = getattr(tt_nn, activation)()

        def forward(self, x: Any) -> Any:
            y = self.activation(self.linear(x))
            return y if look is None else Probe(self.number)(y)

    tt_tensor.manual_seed(0)
    model = tt_nn.Sequential(*[Layer(number) for number in range(LAYERS)])
    x = tt_tensor.randn(ROWS, WIDTH)

    def step() -> None:
        model.zero_grad()
        if way == "plain":
            y = model(x)
        else:
            y = tt_autograd.checkpoint_sequential(model, segments, x)
        (y * y).mean().backward()

    return step, model


def resident(way: str, activation: str, segments: int) -> None:
    """Serve one way: memory and digest first, then a time for each line on stdin."""
    machine.tune_malloc()
    peaks: list[int] = []
    one = (WIDTH + 1) * WIDTH * 4  # bytes of a layer's gradients

    def look(layer: int) -> None:
        peaks.append(tracemalloc.get_traced_memory()[1] - (LAYERS - 1 - layer) * one)
        tracemalloc.reset_peak()

    probed, model = step_of(way, activation, segments, look)
    probed()
    model.zero_grad()
    peaks.clear()
    tracemalloc.start()
    probed()
    look(-1)
    tracemalloc.stop()
    digest = hashlib.sha256(b"".join(p.grad.numpy().tobytes() for p in model.parameters())).hexdigest()
    step, _ = step_of(way, activation, segments)
    step()
    print(json.dumps({"activations": max(peaks), "digest": digest}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--activation", default="SiLU", help="an activation of tt_nn (default SiLU)")
    p.add_argument("--segments", type=int, default=8, help="checkpoints (default 8)")
    p.add_argument("--rounds", type=int, default=15, help="timed steps of each way (default 15)")
    p.add_argument("--resident", help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.resident:
        resident(options.resident, options.activation, options.segments)
        return MET
    if options.rounds < 1 or not 1 <= options.segments <= LAYERS:
        p.error(f"--rounds must be positive, --segments from 1 to {LAYERS}")
    command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--resident"]
    ways = ("plain", "checkpoint")
    pipes: dict[str, Any] = {
        way: subprocess.Popen([*command, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for way in ways
    }
    found = {way: json.loads(pipes[way].stdout.readline()) for way in ways}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(options.rounds):
        for way in ways if number % 2 else reversed(ways):
            pipes[way].stdin.write("\n")
            pipes[way].stdin.flush()
            times[way].append(float(pipes[way].stdout.readline()))
    for pipe in pipes.values():
        pipe.stdin.close()
        pipe.wait()
    memory = found["checkpoint"]["activations"] / found["plain"]["activations"]
    slower = statistics.median(b / a for a, b in zip(times["plain"], times["checkpoint"], strict=True))
    same = found["plain"]["digest"] == found["checkpoint"]["digest"]
    print(
        f"{LAYERS} × (Linear({WIDTH}, {WIDTH}), {options.activation}), {ROWS} rows, {options.segments} segments"
    )
    for way in ways:
        mib, ms = found[way]["activations"] / 2**20, statistics.median(times[way]) * 1e3
        print(f"  {way:10}  activations {mib:7.1f} MiB   step {ms:7.1f} ms")
    print(f"  memory {memory:.3f} (bar {MEMORY_BAR}), time {slower:.3f} (bar {TIME_BAR}), same bits: {same}")
    met = memory <= MEMORY_BAR and slower <= TIME_BAR and same
    print(f"bar: {'met' if met else 'MISSED'}")
    return MET if met else MISSED


if __name__ == "__main__":
    sys.exit(main())
