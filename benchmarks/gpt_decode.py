"""Decoding with a simple key-value cache: nanoGPT's CPU network (gpt_problem.py) writes 63 tokens after one, greedily.

Both must write the same tokens. PyTorch appends keys and values by joining arrays. One step is 63 tokens.

`--accelerate`: our process calls tt_perf.accelerate(), without its malloc tuning, which both sides get from the duel.
Bar: at most 0.35 times PyTorch's time then, which is 2.9 times its tokens a second; else 0.4 times.
"""

from __future__ import annotations

import sys
from typing import Any

import duel
import gpt_problem
from resident import Evidence, Step

TOKENS = gpt_problem.BLOCK - 1

ACCELERATE = duel.taken("--accelerate")


def sharp() -> dict[str, Any]:
    """Weights whose logits are far enough apart that rounding changes no choice."""
    weights = gpt_problem.start()
    for name, values in weights.items():
        if values.ndim == 2 and "wte" not in name and "lm_head" not in name:
            weights[name] = values * 6
    return weights


def evidence(results: list[Any]) -> Any:
    """The tokens that were written."""
    return [list(map(int, tokens)) for tokens in results]


def tt() -> tuple[Step, Evidence]:
    import tt_tensor
    from tt_text import GPT, GPTConfig, generate

    if ACCELERATE:
        import tt_perf

        tt_perf.accelerate(malloc=False)
    size = (gpt_problem.VOCAB, gpt_problem.BLOCK, gpt_problem.LAYERS, gpt_problem.HEADS, gpt_problem.WIDTH)
    model = GPT(GPTConfig(*size, bias=False))
    model.load_state_dict({name: tt_tensor.Tensor(values) for name, values in sharp().items()})
    model.eval()

    def step() -> Any:
        return generate(model, [0], max_new_tokens=TOKENS, temperature=0.0)

    return step, evidence


def torch() -> tuple[Step, Evidence]:
    import torch

    model: Any = gpt_problem.torch_network()
    model.load_state_dict({name: torch.tensor(values) for name, values in sharp().items()})
    model.eval()

    @torch.inference_mode()
    def step() -> Any:
        cache: list[Any] = [[] for _ in range(gpt_problem.LAYERS)]
        tokens = [0]
        for seen in range(TOKENS):
            logits = model(torch.tensor([tokens[-1:]]), cache, seen)
            tokens.append(int(logits[0, -1].argmax()))
        return tokens

    return step, evidence


DUEL = duel.Duel(
    title="Decoding: 63 tokens, 4 layers, 4 heads, 128 channels, greedy, with a cache, float32"
    + (", accelerated" if ACCELERATE else ""),
    contenders={"tt": duel.Contender(tt), "torch": duel.Contender(torch, peer=True)},
    ours="tt",
    reference="torch",
    bar=0.35 if ACCELERATE else 0.4,
    check_steps=1,
)

if __name__ == "__main__":
    sys.exit(duel.main(DUEL, duel.parser(DUEL).parse_args()))
