"""Write graphs.json and graphs.npz: random programs, and what PyTorch gives for them in float64.

Run with an interpreter that has PyTorch (made with 2.13.0): python make_graphs.py

graphs.json holds a program a line (random_graphs/program.py), with what PyTorch did:

- "gradients": it ran. graphs.npz has its outputs, the gradient at every leaf (zeros where PyTorch has None) and, where
  "second" is true, the second derivatives, each kind as one row of numbers, program after program;
- "overwritten": backward refused, because a value that a rule had saved was written in place;
- "refused": a write was refused, because it went into a leaf that requires a gradient.

The gradient at output k is cos(k + 1), cos(k + 2), … in row-major order; the second derivative is the gradient of
Σ p · g over the first gradients g, where p at leaf k is sin(k + 1), sin(k + 2), ….
"""

import json
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from random_graphs import generator, on_pytorch  # noqa: E402
from random_graphs.program import Program, Step  # noqa: E402

WORDS = vars(on_pytorch)
PURE, WRITING, OVERWRITTEN, REFUSED = 240, 360, 60, 12
SECOND = 300
DETACHED = {
    "detach",
    "no_grad mul_",
}  # central differences do not see these, so nothing could judge a refusal


def waves(function, arrays):
    return [
        torch.from_numpy(function(k + 1 + np.arange(x.numel())).reshape(tuple(x.shape)))
        for k, x in enumerate(arrays)
    ]


def row(x):
    """The numbers of a tensor, the ones without memory (PyTorch's zero gradients) included."""
    return (torch.zeros(x.shape, dtype=x.dtype) + x.detach()).numpy().reshape(-1)


def draw(seed, writes):
    rng = random.Random(seed)
    return generator.draw(rng.randrange, WORDS, lambda x: x.numpy(), portable=True, writes=writes)


def differentiate(program, second):
    """Outputs, gradients and second derivatives; None for those if not `second` or everything is linear."""
    leaves = [
        torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in program.leaves.values()
    ]
    # Of two views of a constant, PyTorch takes the second for a leaf once the first was written, until asked.
    outputs = program.compiled(WORDS, before_write="{0}.grad_fn")(*leaves)
    values = [x.detach().clone() for x in outputs]
    wanted = [(x, w) for x, w in zip(outputs, waves(np.cos, outputs), strict=True) if x.requires_grad]
    if not wanted:
        return None
    tensors, weights = zip(*wanted, strict=True)
    grads = torch.autograd.grad(tensors, leaves, weights, create_graph=second, allow_unused=True)
    grads = [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, grads, strict=True)]
    if not second:
        return values, grads, None
    total = sum([(g * p).sum() for g, p in zip(grads, waves(np.sin, grads), strict=True)])
    again = [None] * len(leaves)
    if total.requires_grad:
        again = torch.autograd.grad(total, leaves, allow_unused=True)
    again = [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, again, strict=True)]
    return values, grads, again


def refused(program, seed):
    """The program with a write at its end into a leaf, or into a view of one."""
    rng = random.Random(seed)
    name, values = rng.choice(list(program.leaves.items()))
    steps = [*program.steps]
    if np.ndim(values) and rng.random() < 0.6:
        steps.append(Step("getitem", (name,), {"key": [0]}, ("v900",)))
        name = "v900"
    op, *rest = rng.choice([("mul_", 2.0), ("zero_",), ("iadd", 1.0), ("tanh_",), ("copy_", 0.5)])
    if op == "copy_":
        return Program(
            program.leaves, (*steps, Step("setitem", (name, *rest), {"key": ["..."]})), program.outputs
        )
    return Program(program.leaves, (*steps, Step(op, (name, *rest))), program.outputs)


def main():
    lines, kept = [], {"values": [], "gradients": [], "second": []}
    counts, seen, left = Counter(), Counter(), Counter()
    seed = 0
    while counts["pure"] < PURE or counts["writing"] < WRITING or counts["overwritten"] < OVERWRITTEN:
        seed += 1
        writes = counts["pure"] >= PURE or seed % 2 == 0
        program = draw(seed, writes)
        writing = any(step.writes for step in program.steps)
        ops = {step.op for step in program.steps}
        # Long programs, or words that were seen seldom.
        if len(program.steps) < 6 and not any(seen[op] < 4 for op in ops):
            continue
        second = sum(counts[kind] for kind in ("second pure", "second writing")) < SECOND and (
            counts["second writing" if writing else "second pure"] < SECOND // 2
        )
        try:
            found = differentiate(program, second)
        except RuntimeError as error:
            if "a leaf Variable that requires grad" in str(error):
                left["a view taken for a leaf"] += (
                    1  # v[...] += x writes twice, with no line between for asking
                )
                continue
            if "modified by an inplace operation" not in str(error):
                raise RuntimeError(f"seed {seed}: {program}") from error
            if counts["overwritten"] < OVERWRITTEN and not ops & DETACHED:
                counts["overwritten"] += 1
                lines.append({"expect": "overwritten", **json.loads(program.to_json())})
            continue
        if found is None or not any(g.abs().max() > 0 for g in found[1] if g.numel()):
            left["no gradient"] += 1
            continue
        if not all(torch.isfinite(x).all() for part in found if part is not None for x in part):
            left["not finite"] += 1
            continue
        kind = "writing" if writing else "pure"
        if counts[kind] >= (WRITING if writing else PURE):
            continue
        counts[kind] += 1
        counts[f"second {kind}"] += second
        seen.update(ops)
        shapes = [list(x.shape) for x in found[0]]
        lines.append(
            {"expect": "gradients", "second": second, "shapes": shapes, **json.loads(program.to_json())}
        )
        for name, part in zip(kept, found, strict=True):
            kept[name] += [row(x) for x in part or ()]
    for k in range(REFUSED):
        program = refused(draw(10_000 + k, k % 2 == 0), k)
        try:
            differentiate(program, False)
        except RuntimeError as error:
            if "leaf" not in str(error):
                raise
            lines.append({"expect": "refused", **json.loads(program.to_json())})
    (HERE / "graphs.json").write_text(
        "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    )
    np.savez_compressed(HERE / "graphs.npz", **{name: np.concatenate(parts) for name, parts in kept.items()})
    print(seed, dict(counts), dict(left), Counter(line["expect"] for line in lines))
    print(dict(sorted(seen.items(), key=lambda item: item[1])))


if __name__ == "__main__":
    main()
