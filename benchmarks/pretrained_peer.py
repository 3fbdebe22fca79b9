"""The transformers library's side of `pretrained_agree.py`: makes models with random weights, and reads ours.

    python pretrained_peer.py make FOLDER     a folder for each model of MODELS, with what it computes in expected.npz
    python pretrained_peer.py read FOLDER     reads the models in FOLDER/*/ours; what they compute in again.npz beside

Its interpreter needs torch and transformers, and none of our wheels.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

# A language model needs no pictures, and a torchvision of another version than torch would stop the import.
sys.modules["torchvision"] = None  # type: ignore[assignment]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.utils import logging  # noqa: E402

NEW = 100
"""Tokens that greedy decoding adds."""
PROMPT = 12

ENDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
GPT2 = {"vocab_size": 61, "n_positions": 128, "n_embd": 36, "n_head": 3, "n_layer": 2}
LLAMA = {
    "vocab_size": 61, "hidden_size": 48, "intermediate_size": 76, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 4, "max_position_embeddings": 128,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}
BASE = {"rope_type": "default", "rope_theta": 1e6}

KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "gpt2": (GPT2Config, GPT2LMHeadModel, GPT2),
    "llama": (LlamaConfig, LlamaForCausalLM, LLAMA),
    "mistral": (MistralConfig, MistralForCausalLM, LLAMA),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, LLAMA),
}

# Name: kind, what differs from the kind's settings, how it is saved.
MODELS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "gpt2": ("gpt2", {}, {}),
    "gpt2, untied": ("gpt2", {"tie_word_embeddings": False}, {}),
    "gpt2, exact gelu, n_inner 50": ("gpt2", {"activation_function": "gelu", "n_inner": 50}, {}),
    "gpt2, relu, in shards": ("gpt2", {"activation_function": "relu"}, {"max_shard_size": "40KB"}),
    "gpt2, silu, one head, epsilon": (
        "gpt2", {"activation_function": "silu", "n_head": 1, "n_embd": 30, "layer_norm_epsilon": 1e-3}, {}
    ),
    "gpt2, bfloat16": ("gpt2", {}, {"dtype": torch.bfloat16}),
    "gpt2, no prefix": ("gpt2", {}, {"bare": True}),
    "gpt2, larger": ("gpt2", {"vocab_size": 503, "n_embd": 128, "n_head": 4, "n_layer": 4}, {}),
    "llama": ("llama", {}, {}),
    "llama, tied, groups of 2": ("llama", {"tie_word_embeddings": True, "num_key_value_heads": 2}, {}),
    "llama, one key head, 6 heads": (
        "llama", {"hidden_size": 36, "num_attention_heads": 6, "num_key_value_heads": 1}, {}
    ),
    "llama, head_dim 10": ("llama", {"head_dim": 10, "num_key_value_heads": 2}, {}),
    "llama, biases": ("llama", {"attention_bias": True, "mlp_bias": True}, {}),
    "llama, linear scaling": ("llama", {"rope_parameters": LINEAR}, {}),
    "llama, llama3 scaling": ("llama", {"rope_parameters": LLAMA3, "num_key_value_heads": 2}, {}),
    "llama, base 1e6, float16 shards": (
        "llama", {"rope_parameters": BASE, "rms_norm_eps": 1e-3}, {"dtype": torch.float16, "max_shard_size": "20KB"}
    ),
    "llama, gelu, 3 heads": (
        "llama", {"hidden_act": "gelu", "hidden_size": 42, "num_attention_heads": 3, "num_key_value_heads": 3}, {}
    ),
    "llama, larger": (
        "llama", {"vocab_size": 503, "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 4,
                  "num_attention_heads": 8, "num_key_value_heads": 4}, {}
    ),
    "mistral, window 7": ("mistral", {"sliding_window": 7, "num_key_value_heads": 2}, {}),
    "mistral, no window": ("mistral", {"sliding_window": None, "head_dim": 8}, {}),
    "qwen2": ("qwen2", {"num_key_value_heads": 2, "tie_word_embeddings": True}, {}),
    "qwen2, window 9": ("qwen2", {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 0}, {}),
}  # fmt: skip


def built(kind: str, settings: dict[str, Any]) -> Any:
    """A model with random weights, none of them at a value (0, 1) that would hide that it is not read.

    Six times those of a model at its start, so that attention looks at few tokens and logits lie apart; they become
    smaller with the width, so that wide models do not double every rounding error from layer to layer.
    """
    of_config, of_model, usual = KINDS[kind]
    model = of_model(of_config(**{**usual, **ENDS, **settings}))
    scale = 1.2 / model.config.hidden_size**0.5  # 0.2 at width 36
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name or ".ln_" in name else 0.0, scale)
            if name.endswith("bias"):
                parameter.normal_(0.0, scale)
    return model.eval()


def read_back(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def greedy(model: Any, tokens: Any) -> Any:
    """The first PROMPT tokens and NEW more."""
    prompt = tokens[:1, :PROMPT]
    # The mask is said, as generate() takes every token that is the padding's for padding.
    mask = torch.ones_like(prompt)
    found = model.generate(
        prompt, attention_mask=mask, max_new_tokens=NEW, do_sample=False, pad_token_id=0, eos_token_id=None
    )
    return found[0].numpy()


@torch.no_grad()
def computed(model: Any, seed: int) -> dict[str, Any]:
    """Tokens and their logits, with and without padding, and what greedy decoding makes of the first PROMPT."""
    chance = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, model.config.vocab_size, (2, 100), generator=chance)
    mask = torch.ones(2, 20, dtype=torch.int64)
    mask[1, :8] = 0  # padding to the left
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return {
        "tokens": tokens.numpy(),
        "logits": model(tokens).logits.numpy(),
        "mask": mask.numpy(),
        "padded": model(tokens[:, :20], attention_mask=mask, position_ids=positions).logits.numpy(),
        "greedy": greedy(model, tokens),
    }


def make(home: Path) -> None:
    for number, (name, (kind, settings, saved)) in enumerate(MODELS.items()):
        torch.manual_seed(number)
        folder = home / f"{number:02}"
        model = built(kind, settings).to(saved.get("dtype", torch.float32))
        part = model.transformer if saved.get("bare") else model
        part.save_pretrained(folder, max_shard_size=saved.get("max_shard_size", "1GB"))
        if model.dtype != torch.float32:
            # Not model.float(): that would keep the rounding of its rotary frequencies, too.
            model = read_back(folder)
        expected = computed(model, number)
        np.savez(folder / "expected.npz", **expected)
        (folder / "name.json").write_text(json.dumps({"name": name, "kind": kind}), encoding="utf-8")


def read(home: Path) -> None:
    for folder in sorted(home.glob("*/ours")):
        model = read_back(folder)
        tokens = torch.from_numpy(np.load(folder.parent / "expected.npz")["tokens"])
        with torch.no_grad():
            logits = model(tokens).logits.numpy()
        np.savez(folder.parent / "again.npz", logits=logits, greedy=greedy(model, tokens))


if __name__ == "__main__":
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    where = Path(sys.argv[2])
    if sys.argv[1] == "make":
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)
    {"make": make, "read": read}[sys.argv[1]](where)
