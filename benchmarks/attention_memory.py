"""Memory and time of causal attention, forward and backward, as the sequence grows: in blocks, and all scores at once.

One sequence, 4 heads of 32 features, float32, `scaled_dot_product_attention` through the tape. Each length and kernel
runs in a process of its own. `allocated` is the peak of what tracemalloc sees above the inputs, the gradients that come
out included (6 · 128 numbers for each position), `resident` the peak of the process above what it had with the inputs
made. Before anything is measured, both kernels give the same gradients at the shortest length.

Bar: from each length to the next, twice as long, the memory of the blocks grows by at most 2.2 times.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

from duel import MET, MISSED, NO_DUEL

HEADS, WIDTH = 4, 32
GROWTH_BAR = 2.2
KERNELS = ("blockwise", "plain")


def inputs(length: int) -> list[Any]:
    import tt_autograd  # noqa: F401  (installs the tape)
    import tt_tensor

    tt_tensor.manual_seed(0)
    made = [tt_tensor.randn(1, HEADS, length, WIDTH) for _ in range(3)]
    return [x.requires_grad_() for x in made]


def step(kernel: str, given: list[Any]) -> None:
    import tt_text
    from tt_tensor import kernels

    for x in given:
        x.grad = None
    with kernels.use(kernel, "attention"):
        tt_text.scaled_dot_product_attention(*given, is_causal=True).sum().backward()


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def one(kernel: str, length: int) -> None:
    """Print one kernel's figures at one length, or, for the kernel "both", whether they agree."""
    if kernel == "both":
        print(json.dumps(agree(length)))
        return
    step(kernel, inputs(32))  # imports, threads, what is kept
    given = inputs(length)
    before = peak_kib()
    began = time.perf_counter()
    step(kernel, given)
    seconds = time.perf_counter() - began
    found = {"resident": (peak_kib() - before) * 1024, "seconds": seconds}
    for x in given:
        x.grad = None
    tracemalloc.start()
    step(kernel, given)
    found["allocated"] = tracemalloc.get_traced_memory()[1]
    print(json.dumps(found))


def agree(length: int) -> bool:
    import numpy as np

    found = []
    for kernel in KERNELS:
        given = inputs(length)
        step(kernel, given)
        found.append([x.grad.numpy() for x in given])
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(*found, strict=True))


def run(kernel: str, length: int) -> Any:
    command = [sys.executable, str(Path(__file__).resolve()), "--one", kernel, str(length)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument(
        "--lengths", type=int, nargs="+", default=[1024, 2048, 4096, 8192], help="each twice the one before"
    )
    p.add_argument(
        "--plain-to", type=int, default=8192, help="longest sequence for all scores at once (3 GB at 8192)"
    )
    p.add_argument("--json", type=Path, help="where to write the figures")
    p.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.one:
        one(options.one[0], int(options.one[1]))
        return MET
    if any(after != 2 * length for length, after in zip(options.lengths, options.lengths[1:], strict=False)):
        p.error("--lengths: each must be twice the one before")
    # In a process of its own, too: a child begins with its parent's peak.
    if not run("both", options.lengths[0]):
        print("the kernels differ: nothing to compare")
        return NO_DUEL
    figures: dict[str, list[dict[str, Any]]] = {kernel: [] for kernel in KERNELS}
    print(f"{'kernel':10} {'length':>7} {'allocated':>14} {'resident':>14} {'time':>10}")
    for kernel in KERNELS:
        for length in options.lengths:
            if kernel == "plain" and length > options.plain_to:
                continue
            record = run(kernel, length)
            figures[kernel].append({"length": length, **record})
            allocated, more = record["allocated"] / 2**20, record["resident"] / 2**20
            sizes = f"{allocated:10.1f} MiB {more:10.1f} MiB"
            print(f"{kernel:10} {length:7} {sizes} {record['seconds']:8.2f} s", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    peaks = [record["allocated"] for record in figures["blockwise"]]
    growth = max((after / before for before, after in itertools.pairwise(peaks)), default=0.0)
    met = growth <= GROWTH_BAR
    print(f"blockwise: at most {growth:.2f} times the memory for twice the length (bar {GROWTH_BAR})")
    print(f"bar: {'met' if met else 'MISSED'}")
    return MET if met else MISSED


if __name__ == "__main__":
    sys.exit(main())
