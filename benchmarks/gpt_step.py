"""One training step of nanoGPT's CPU network (gpt_problem.py): forward, loss, backward, clipping, AdamW, loss.item().

The losses of the first steps must agree. Bar: at most PyTorch's time. `--memory` measures the peak instead: what 10
steps add to the resident set of each process beyond its imports; at most PyTorch's.

`--accelerate`: our process calls tt_perf.accelerate(), without its malloc tuning, which both sides get from the duel.
Then the bar is 0.8 times PyTorch's time.

"tt" cuts the batch in two parts, as the milestone does (tt_optim.training.backward_in_shards); "tt-plain" is a
plain loss.backward().
"""

from __future__ import annotations

import sys
from typing import Any

import duel
import gpt_problem
import peak
from resident import Factory, Step

ACCELERATE = duel.taken("--accelerate")


def tt(parts: int) -> Factory:
    def make() -> Step:
        import tt_autograd  # noqa: F401  (installs the tape)
        import tt_optim
        import tt_tensor
        from tt_optim.training import backward_in_shards
        from tt_text import GPT, GPTConfig

        if ACCELERATE:
            import tt_perf

            tt_perf.accelerate(malloc=False)
        size = (
            gpt_problem.VOCAB,
            gpt_problem.BLOCK,
            gpt_problem.LAYERS,
            gpt_problem.HEADS,
            gpt_problem.WIDTH,
        )
        model = GPT(GPTConfig(*size, bias=False))
        model.load_state_dict(
            {name: tt_tensor.Tensor(values) for name, values in gpt_problem.start().items()}
        )
        tokens, targets = gpt_problem.batch()
        optimizer = tt_optim.AdamW(
            gpt_problem.groups_of(model.named_parameters()),
            lr=gpt_problem.LEARNING_RATE,
            betas=gpt_problem.BETAS,
        )
        parameters = list(model.parameters())

        def step() -> float:
            optimizer.zero_grad()
            if parts > 1:
                value = backward_in_shards(model.loss, parameters, tokens, targets, parts=parts)
            else:
                loss = model.loss(tokens, targets)
                loss.backward()
                value = loss.item()
            tt_optim.clip_grad_norm_(parameters, gpt_problem.CLIP)
            optimizer.step()
            return value

        return step

    return make


def torch() -> Step:
    import torch

    model: Any = gpt_problem.torch_network()
    model.load_state_dict({name: torch.tensor(values) for name, values in gpt_problem.start().items()})
    tokens, targets = map(torch.tensor, gpt_problem.batch())
    optimizer = torch.optim.AdamW(
        gpt_problem.groups_of(model.named_parameters()), lr=gpt_problem.LEARNING_RATE, betas=gpt_problem.BETAS
    )

    def step() -> float:
        optimizer.zero_grad()
        loss = model.loss(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), gpt_problem.CLIP)
        optimizer.step()
        return float(loss.item())

    return step


DUEL = duel.Duel(
    title="GPT training step: 4 layers, 4 heads, 128 channels, block 64, batch 12, AdamW, float32"
    + (", accelerated" if ACCELERATE else ""),
    contenders={
        "tt": duel.Contender(tt(2)),
        "tt-plain": duel.Contender(tt(1)),
        "torch": duel.Contender(torch, peer=True),
    },
    ours="tt",
    reference="torch",
    bar=0.8 if ACCELERATE else 1.0,
    check_steps=5,
    rtol=1e-4,
)
MEMORY_BAR = 1.0

if __name__ == "__main__":
    sys.exit(peak.main(DUEL, MEMORY_BAR, ("tt_optim.training", "tt_text")))
