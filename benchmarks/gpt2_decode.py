"""Decoding at the size of GPT-2 small: 12 layers, 12 heads, 768 channels, 50257 tokens, 124 M random weights, float32.

8 tokens are given, 64 are written, greedily, with a cache; both must write the same. PyTorch's side is GPT-2 written
out in eager functions. A token reads half a gigabyte of weights, so that memory's bandwidth bounds both.

`--accelerate`: our process calls tt_perf.accelerate(), without its malloc tuning, which both sides get from the duel.
`--assisted`: an int8 copy of our model (tt_perf.quantize) proposes AHEAD tokens at a time, and the float32 model checks
them in one forward; how many are right is printed. PyTorch decodes without such help, and writes the same. Random
weights decide closely, and int8's rounding changes many a decision, so that this costs more than it saves.
`--certain`: the blocks' matrices are half as large, and the next token stands out, as a trained network's does.
Bar: at most 0.45 times PyTorch's time. One step is one generation.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import duel
import numpy as np
from resident import Evidence, Step

VOCAB, BLOCK, LAYERS, HEADS, WIDTH = 50257, 1024, 12, 12, 768
PROMPT, TOKENS = list(range(100, 900, 100)), 64

AHEAD = 7
"""With the last token, as many as the compiled kernels read at once."""

ACCELERATE = duel.taken("--accelerate")
ASSISTED = duel.taken("--assisted")
CERTAIN = duel.taken("--certain")


def weights(seed: int = 0) -> dict[str, Any]:
    """Random weights by nanoGPT's names, with logits far enough apart that rounding changes no choice."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, std: float = 0.02) -> Any:
        values = rng.standard_normal(shape, np.float32)
        values *= np.float32(std)
        return values

    found = {
        "transformer.wte.weight": normal(VOCAB, WIDTH, std=0.1),
        "transformer.wpe.weight": normal(BLOCK, WIDTH, std=0.1),
    }
    for layer in range(LAYERS):
        name = f"transformer.h.{layer}."
        for part, outside, inside in (
            ("attn.c_attn", 3 * WIDTH, WIDTH),
            ("attn.c_proj", WIDTH, WIDTH),
            ("mlp.c_fc", 4 * WIDTH, WIDTH),
            ("mlp.c_proj", WIDTH, 4 * WIDTH),
        ):
            std = (0.05 if CERTAIN else 0.1) / (math.sqrt(2 * LAYERS) if part.endswith("c_proj") else 1)
            found[f"{name}{part}.weight"], found[f"{name}{part}.bias"] = (
                normal(outside, inside, std=std),
                normal(outside),
            )
        for part in ("ln_1", "ln_2"):
            found[f"{name}{part}.weight"], found[f"{name}{part}.bias"] = 1 + normal(WIDTH), normal(WIDTH)
    found["transformer.ln_f.weight"], found["transformer.ln_f.bias"] = 1 + normal(WIDTH), normal(WIDTH)
    found["lm_head.weight"] = found["transformer.wte.weight"]
    return found


def evidence(results: list[Any]) -> Any:
    """The tokens that were written."""
    return [list(map(int, tokens)) for tokens in results]


def tt() -> tuple[Step, Evidence]:
    import tt_tensor
    from tt_nn import init
    from tt_text import GPT, GPTConfig

    if ACCELERATE:
        import tt_perf

        tt_perf.accelerate(malloc=False)
    with init.without_init():
        model = GPT(GPTConfig(VOCAB, BLOCK, LAYERS, HEADS, WIDTH, activation="gelu_new"))
    model.load_state_dict({name: tt_tensor.Tensor(values) for name, values in weights().items()})
    model.eval()
    options: dict[str, Any] = {"max_new_tokens": TOKENS, "temperature": 0.0}
    if ASSISTED:
        import tt_perf

        alone = model.generate(PROMPT, **options)
        options |= {"assistant_model": tt_perf.quantize(model, "int8"), "num_assistant_tokens": AHEAD}
        if watched(model, options) != alone:
            raise AssertionError("with an assistant, the model says something else")

    def step() -> Any:
        return model.generate(PROMPT, **options)

    return step, evidence


def watched(model: Any, options: dict[str, Any]) -> Any:
    """What the model says with an assistant; prints how many of its proposals were taken."""
    reads: list[int] = []
    hook = model.register_forward_pre_hook(lambda module, inputs: reads.append(inputs[0].shape[1]))
    tokens = model.generate(PROMPT, **options)
    hook.remove()
    proposed, taken = sum(reads[1:]) - len(reads[1:]), TOKENS - len(reads)
    print(
        f"{len(reads)} forwards for {TOKENS} tokens: {taken} of {proposed} proposals taken", file=sys.stderr
    )
    return tokens


def torch() -> tuple[Step, Evidence]:
    import torch
    from torch.nn import functional as F

    found = {name: torch.from_numpy(values) for name, values in weights().items()}
    wte, wpe = found["transformer.wte.weight"], found["transformer.wpe.weight"]
    named = ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
    blocks = [
        [
            (found[f"transformer.h.{layer}.{part}.weight"], found[f"transformer.h.{layer}.{part}.bias"])
            for part in named
        ]
        for layer in range(LAYERS)
    ]
    last = found["transformer.ln_f.weight"], found["transformer.ln_f.bias"]

    def forward(tokens: Any, cache: list[Any], seen: int) -> Any:
        n, t = tokens.shape
        x = F.embedding(tokens, wte) + wpe[seen : seen + t]
        for (ln_1, qkv, out, ln_2, up, down), held in zip(blocks, cache, strict=True):
            parts = F.linear(F.layer_norm(x, (WIDTH,), *ln_1), *qkv).split(WIDTH, dim=2)
            q, k, v = (part.view(n, t, HEADS, WIDTH // HEADS).transpose(1, 2) for part in parts)
            if held:
                k, v = torch.cat((held[0], k), 2), torch.cat((held[1], v), 2)
            held[:] = [k, v]
            y = F.scaled_dot_product_attention(q, k, v, is_causal=t > 1)
            x = x + F.linear(y.transpose(1, 2).reshape(n, t, WIDTH), *out)
            x = x + F.linear(
                F.gelu(F.linear(F.layer_norm(x, (WIDTH,), *ln_2), *up), approximate="tanh"), *down
            )
        return F.linear(F.layer_norm(x[:, -1:], (WIDTH,), *last), wte)

    @torch.inference_mode()
    def step() -> Any:
        cache: list[Any] = [[] for _ in range(LAYERS)]
        tokens = list(PROMPT)
        seen = 0
        for _ in range(TOKENS):
            logits = forward(torch.tensor([tokens[seen:]]), cache, seen)
            seen = len(tokens)
            tokens.append(int(logits[0, -1].argmax()))
        return tokens

    return step, evidence


DUEL = duel.Duel(
    title="Decoding: GPT-2 small, 64 tokens after 8, greedy, with a cache, float32"
    + (", accelerated" if ACCELERATE else "")
    + (", assisted by int8" if ASSISTED else "")
    + (", next tokens that stand out" if CERTAIN else ""),
    contenders={"tt": duel.Contender(tt), "torch": duel.Contender(torch, peer=True)},
    ours="tt",
    reference="torch",
    bar=0.45,
    check_steps=1,
)

if __name__ == "__main__":
    parser = duel.parser(DUEL)
    # A generation takes a second, so that two rounds with few turns tell as much as others' many.
    parser.set_defaults(rounds=3, turns=3)
    sys.exit(duel.main(DUEL, parser.parse_args()))
