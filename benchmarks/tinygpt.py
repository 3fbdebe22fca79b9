"""nanoGPT's recipe for CPUs, trained to its end: milestone-tinygpt against PyTorch, and `--recipe fast`.

For each seed, one after the other and each in a process of its own: PyTorch (the network and numbers of
gpt_problem.py), `milestone-tinygpt`, `milestone-tinygpt --recipe fast`. All are judged on the whole validation split,
in blocks of 64. Bars: the median loss of ours ≤ 1.88, none above 1.90, and the median not above PyTorch's; its time
≤ PyTorch's; the fast recipe ≤ 1.88 in half of PyTorch's time. With `--accelerate`, ours run on compiled kernels: the
time of `milestone-tinygpt` ≤ 0.85 of PyTorch's then, with the same bars on the loss.

The time of ours has more in it than steps: an estimate of the validation loss every 250 steps, a sample, checkpoints.
PyTorch's loop has none of these, so the time of our steps alone is told beside it. What is imported, torch or compiled
kernels, is there before the clock starts on both sides.

Runs follow each other, and nobody waits for a quiet moment; so it is also told how much of the machine other processes
used meanwhile. A run that shared its cores says little: threads that hand work to each other lose more by that than
threads that wait by working.

    python benchmarks/tinygpt.py --seeds 5 --peer-python peer/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gpt_problem
import machine
import numpy as np


def torch_run(seed: int, text_file: str) -> dict[str, float]:
    """Train in PyTorch: nanoGPT's loop without its estimates on the way."""
    machine.tune_malloc()
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(seed)
    text = Path(text_file).read_text(encoding="utf-8")
    chars = sorted(set(text))
    places = {char: index for index, char in enumerate(chars)}
    tokens = torch.tensor([places[char] for char in text])
    cut = int(0.9 * len(tokens))
    train, val = tokens[:cut], tokens[cut:]
    model = gpt_problem.torch_network()
    model.load_state_dict({name: torch.tensor(values) for name, values in gpt_problem.start(seed).items()})
    optimizer = torch.optim.AdamW(
        gpt_problem.groups_of(model.named_parameters()), lr=gpt_problem.LEARNING_RATE, betas=gpt_problem.BETAS
    )
    block, began = gpt_problem.BLOCK, time.perf_counter()
    for step in range(gpt_problem.STEPS):
        for group in optimizer.param_groups:
            group["lr"] = gpt_problem.rate(step)
        starts = torch.randint(len(train) - block, (gpt_problem.BATCH,)).tolist()
        x = torch.stack([train[i : i + block] for i in starts])
        y = torch.stack([train[i + 1 : i + 1 + block] for i in starts])
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), gpt_problem.CLIP)
        optimizer.step()
        loss.item()
    seconds = time.perf_counter() - began
    with torch.inference_mode():
        total = 0.0
        whole = (len(val) - 1) // block * block
        for x, y in [
            *zip(
                val[:whole].view(-1, block).split(64),
                val[1 : whole + 1].view(-1, block).split(64),
                strict=True,
            ),
            (val[whole:-1][None], val[whole + 1 :][None]),
        ]:
            if x.numel():
                total += model.loss(x, y).item() * x.numel()
    return {"loss": total / (len(val) - 1), "seconds": seconds}


def ours(seed: int, recipe: str, environment: dict[str, str], *options: str) -> dict[str, float]:
    """Run the milestone; what it wrote. "steps": seconds of the steps alone."""
    from milestone_tinygpt.recipes import RECIPES

    plan = RECIPES[recipe]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "milestone_tinygpt",
                "--recipe",
                recipe,
                "--seed",
                str(seed),
                "--quiet",
                *options,
                "--out",
                folder,
            ],
            env=environment,
            check=False,
        )
        figures = json.loads((Path(folder) / "figures.json").read_text(encoding="utf-8"))["figures"]
    found = {figure["name"]: figure["value"] for figure in figures}
    return {
        "loss": next(value for name, value in found.items() if name.startswith("validation loss, whole")),
        "seconds": found["training time"],
        "steps": plan.steps * plan.batch * plan.block / found["learns"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--peer-python", default=os.environ.get("TT_PEER_PYTHON", sys.executable))
    parser.add_argument("--only", help="torch, nanogpt or fast, with commas between")
    parser.add_argument("--accelerate", action="store_true", help="ours on compiled kernels")
    parser.add_argument("--torch-run", nargs=2, metavar=("SEED", "TEXT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_run:
        print(json.dumps(torch_run(int(options.torch_run[0]), options.torch_run[1])))
        return 0
    from tt_text.datasets import TinyShakespeare

    wanted = (options.only or "torch,nanogpt,fast").split(",")
    environment = os.environ | machine.thread_environment(2)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in wanted}
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(TinyShakespeare("all").text)
        file.flush()
        for seed in range(options.seeds):
            for name in wanted:
                load, began = machine.ForeignLoad(), time.perf_counter()
                load.start()
                if name == "torch":
                    command = [options.peer_python, __file__, "--torch-run", str(seed), file.name]
                    done = subprocess.run(
                        command, env=environment, check=True, capture_output=True, text=True
                    )
                    result = json.loads(done.stdout)
                else:
                    more = ["--accelerate"] if options.accelerate else []
                    result = ours(seed, name, environment, *more)
                results[name].append(result)
                print(f"seed {seed}  {name:8} {told(result)}{others(load, began)}", flush=True)
    report(results)
    return 0


def told(result: dict[str, float]) -> str:
    """Loss and time of a run."""
    line = f"loss {result['loss']:.4f}  {result['seconds']:6.1f} s"
    return line + (f" (steps alone {result['steps']:.1f} s)" if "steps" in result else "")


def others(load: machine.ForeignLoad, began: float) -> str:
    """How much of the machine other processes used since then, where that can be known."""
    used = load.used()
    if used is None:
        return ""
    share = used / ((time.perf_counter() - began) * (os.cpu_count() or 1))
    return f"  others used {max(share, 0.0):.0%} of the machine"


def report(results: dict[str, list[dict[str, Any]]]) -> None:
    """Medians, and ratios of times within each seed."""
    for name, runs in results.items():
        losses, seconds = [run["loss"] for run in runs], [run["seconds"] for run in runs]
        line = f"{name:8} loss median {np.median(losses):.4f} ({min(losses):.4f} to {max(losses):.4f})"
        line += f"  time median {np.median(seconds):.1f} s"
        if name != "torch" and results.get("torch"):
            ratios = [
                run["seconds"] / peer["seconds"] for run, peer in zip(runs, results["torch"], strict=True)
            ]
            line += f"  ÷ torch {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
            alone = [run["steps"] / peer["seconds"] for run, peer in zip(runs, results["torch"], strict=True)]
            line += f", steps alone {statistics.median(alone):.3f}"
        print(line)


if __name__ == "__main__":
    sys.exit(main())
