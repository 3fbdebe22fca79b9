"""What `import tt_tensor` adds to NumPy's own import, in fresh processes that alternate.

Each process times its one import statement (NumPy's is inside tt_tensor's). Bytecode and disk caches are
warm.
Bar: at most 50 ms more than `import numpy`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from operator import sub
from pathlib import Path
from typing import Any

import machine
from duel import MET, MISSED, NO_DUEL
from spread import compared, pooled_median

MODULES = ("numpy", "tt_tensor")
TIMED_IMPORT = "from time import perf_counter as now; start = now(); import {}; print(now() - start)"


def timed_import(module: str, load: machine.ForeignLoad) -> tuple[float, bool]:
    """Seconds that a fresh interpreter takes to import `module`, and whether nobody disturbed it."""
    load.start()
    command = [sys.executable, "-c", TIMED_IMPORT.format(module)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8", env=environment)
    seconds = float(done.stdout)
    foreign = load.used()
    return seconds, foreign is None or foreign <= 2 * load.tick + 1e-9


def run(pairs: int, bar: float) -> dict[str, Any]:
    load = machine.ForeignLoad()
    clean: dict[str, list[float]] = {module: [] for module in MODULES}
    every: dict[str, list[float]] = {module: [] for module in MODULES}
    for module in MODULES:
        timed_import(module, load)  # writes the bytecode
    for attempt in range(4 * pairs):
        if min(map(len, clean.values())) >= pairs:
            break
        for module in MODULES if attempt % 2 else reversed(MODULES):
            seconds, undisturbed = timed_import(module, load)
            every[module].append(seconds)
            if undisturbed:
                clean[module].append(seconds)
    undisturbed = min(map(len, clean.values())) >= pairs / 2
    taken = {
        module: [[seconds] for seconds in (clean if undisturbed else every)[module]] for module in MODULES
    }
    added, low, high = compared(taken["tt_tensor"], taken["numpy"], sub)
    return {
        "title": "import tt_tensor, beyond import numpy",
        "numpy_ms": 1e3 * pooled_median(taken["numpy"]),
        "tt_tensor_ms": 1e3 * pooled_median(taken["tt_tensor"]),
        "added_ms": 1e3 * added,
        "interval_ms": [1e3 * low, 1e3 * high],
        "processes": {module: len(taken[module]) for module in MODULES},
        "undisturbed": undisturbed,
        "bar_ms": bar,
        "met": 1e3 * added <= bar,
        "python": platform.python_version(),
        "machine": machine.describe(),
    }


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument(
        "--bar", type=float, default=50.0, metavar="MS", help="exit with 1 above this many ms (default 50)"
    )
    p.add_argument(
        "--pairs", type=int, default=30, help="undisturbed processes wanted of each kind (default 30)"
    )
    p.add_argument("--json", metavar="FILE", help="write the record here")
    options = p.parse_args()
    if options.pairs < 3:
        p.error("--pairs must be at least 3")
    try:
        record = run(options.pairs, options.bar)
    except subprocess.CalledProcessError as error:
        print(f"the import failed:\n{error.stderr}", file=sys.stderr)
        return NO_DUEL
    low, high = record["interval_ms"]
    print(
        f"{record['title']}\n"
        f"  numpy {record['numpy_ms']:.1f} ms, tt_tensor (with numpy in it) {record['tt_tensor_ms']:.1f} ms,"
        f" {min(record['processes'].values())} processes each"
        + ("" if record["undisturbed"] else " (disturbed: too few clean ones, all were used)")
        + f"\n  added: {record['added_ms']:.1f} ms, 95 % interval {low:.1f} to {high:.1f};"
        f" bar {options.bar:g} ms: {'met' if record['met'] else 'MISSED'}"
    )
    if options.json:
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return MET if record["met"] else MISSED


if __name__ == "__main__":
    sys.exit(main())
