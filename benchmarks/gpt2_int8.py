"""Decoding at the size of GPT-2 small with int8 weights, against PyTorch's float32: gpt2_decode.py, quantized.

8 tokens are given, 64 are written, greedily, with a cache. PyTorch multiplies in float32 with what the int8 weights
stand for, so both must write the same tokens. How much a trained model loses by the rounding is in quantized.py.

`--scheme int8-dynamic`: activations are bytes, too; that is other numbers, so only the number of tokens is compared.
Our process calls tt_perf.accelerate(). Bar: at most 0.2 times PyTorch's time. One step is one generation.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import duel
import gpt2_decode
import numpy as np
from gpt2_decode import BLOCK, HEADS, LAYERS, PROMPT, TOKENS, VOCAB, WIDTH
from resident import Evidence, Step

# The processes of the duel find it in the environment.
if "--scheme" in sys.argv:
    at = sys.argv.index("--scheme")
    os.environ["GPT2_INT8_SCHEME"] = sys.argv[at + 1]
    del sys.argv[at : at + 2]
SCHEME = os.environ.get("GPT2_INT8_SCHEME", "int8")


def rounded(weights: dict[str, Any]) -> dict[str, Any]:
    """What int8 with a scale for each row stands for; what is tied stays tied."""
    made: dict[int, Any] = {}
    found = {}
    for name, values in weights.items():
        if values.ndim == 2 and id(values) not in made:
            scale = np.abs(values).max(axis=1, keepdims=True) / np.float32(127)
            made[id(values)] = np.rint(values / scale) * scale
        found[name] = made.get(id(values), values)
    return found


def evidence(results: list[Any]) -> Any:
    """The tokens that were written, or how many."""
    return [list(map(int, tokens)) if SCHEME == "int8" else len(tokens) for tokens in results]


def tt() -> tuple[Step, Evidence]:
    import tt_perf
    import tt_tensor
    from tt_nn import init
    from tt_text import GPT, GPTConfig

    tt_perf.accelerate(malloc=False)
    with init.without_init():
        model = GPT(GPTConfig(VOCAB, BLOCK, LAYERS, HEADS, WIDTH, activation="gelu_new"))
    state = rounded(gpt2_decode.weights())
    model.load_state_dict({name: tt_tensor.Tensor(values) for name, values in state.items()})
    small = tt_perf.quantize(model, SCHEME)

    def step() -> Any:
        return small.generate(PROMPT, max_new_tokens=TOKENS, temperature=0.0)

    return step, evidence


def torch() -> tuple[Step, Evidence]:
    plain = gpt2_decode.weights
    gpt2_decode.weights = lambda seed=0: rounded(plain(seed))
    step, _ = gpt2_decode.torch()
    return step, evidence


DUEL = duel.Duel(
    title=f"Decoding: GPT-2 small, 64 tokens after 8, greedy, with a cache, {SCHEME} against float32",
    contenders={"tt": duel.Contender(tt), "torch": duel.Contender(torch, peer=True)},
    ours="tt",
    reference="torch",
    bar=0.2,
    check_steps=1,
)

if __name__ == "__main__":
    parser = duel.parser(DUEL)
    parser.set_defaults(rounds=3, turns=3)
    sys.exit(duel.main(DUEL, parser.parse_args()))
