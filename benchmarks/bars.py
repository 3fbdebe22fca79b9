"""Every bar of the benchmarks, one after the other: run this for the table of figures in README.md.

Arguments are handed on to the duels (--peer-python, --rounds, --quick, ...). Exits with the worst status.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DUELS = (
    ["add.py"],
    ["add_grad.py"],
    ["xor_step.py"],
    ["xor_tape.py"],
    ["chain.py"],
    ["mlp_step.py"],
    ["mlp_step.py", "--inference"],
    ["adamw_1000.py"],
    ["adamw_1000.py", "--fresh"],
    ["cnn_step.py", "--slice", "0.3"],
    ["cnn_step.py", "--memory"],
)
OTHERS = (
    ["import_time.py"],
    ["leak.py"],
    ["leak.py", "--tape"],
    ["activation_memory.py"],
    ["augmentation.py"],
)


def status(script: str, *arguments: str) -> int:
    print(f"\n$ python {' '.join([script, *arguments])}", flush=True)
    return subprocess.run([sys.executable, str(HERE / script), *arguments], check=False).returncode


def main() -> int:
    handed_on = sys.argv[1:]
    worst = max(status(*duel, *handed_on) for duel in DUELS)
    return max(worst, *(status(*other) for other in OTHERS))


if __name__ == "__main__":
    sys.exit(main())
