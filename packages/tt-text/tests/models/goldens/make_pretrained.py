"""Tiny models with random weights as the transformers library saves them, and their logits: writes a folder for each.

Run it with an interpreter that has torch 2.13.0 and transformers 5.24.0: python make_pretrained.py
"""

import json
import shutil
import sys
from pathlib import Path

# A torchvision of another version than torch would stop the import.
sys.modules["torchvision"] = None

import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

HERE = Path(__file__).parent
ENDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
GPT2 = {"vocab_size": 31, "n_positions": 24, "n_embd": 9, "n_head": 3, "n_layer": 2, "n_inner": 11}
LLAMA = {
    "vocab_size": 31, "hidden_size": 12, "intermediate_size": 10, "num_hidden_layers": 2, "num_attention_heads": 3,
    "num_key_value_heads": 1, "max_position_embeddings": 24,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 12,
}  # fmt: skip
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 500.0,
    "short_factor": [1.0, 1.5],
    "long_factor": [2.0, 6.0],
}
MODELS = {
    "gpt2": (GPT2Config, GPT2LMHeadModel, GPT2, {}, {}),
    "gpt2_untied_shards": (
        GPT2Config, GPT2LMHeadModel, GPT2,
        {"tie_word_embeddings": False, "activation_function": "gelu"}, {"max_shard_size": "3KB"},
    ),
    "gpt2_bare_bfloat16": (GPT2Config, GPT2LMHeadModel, GPT2, {}, {"bare": True, "dtype": torch.bfloat16}),
    "llama_tied_groups": (
        LlamaConfig, LlamaForCausalLM, LLAMA, {"tie_word_embeddings": True, "rope_parameters": LLAMA3}, {}
    ),
    "llama_biases_head_dim_float16": (
        LlamaConfig, LlamaForCausalLM, LLAMA,
        {"attention_bias": True, "mlp_bias": True, "head_dim": 6, "num_key_value_heads": 3}, {"dtype": torch.float16},
    ),
    "mistral_window": (MistralConfig, MistralForCausalLM, LLAMA, {"sliding_window": 5}, {}),
    "qwen2_shards": (Qwen2Config, Qwen2ForCausalLM, LLAMA, {"tie_word_embeddings": True}, {"max_shard_size": "2KB"}),
    "qwen3_norms_window": (
        Qwen3Config, Qwen3ForCausalLM, LLAMA,
        {
            "head_dim": 6, "attention_bias": True, "use_sliding_window": True, "sliding_window": 5,
            "max_window_layers": 0,
        },
        {},
    ),
    "phi3_longrope": (
        Phi3Config, Phi3ForCausalLM, LLAMA, {"original_max_position_embeddings": 6, "rope_parameters": LONGROPE}, {}
    ),
}  # fmt: skip

if __name__ == "__main__":
    wanted = set(sys.argv[1:]) or set(MODELS)  # names, by default all
    for number, (name, (config, kind, usual, settings, saved)) in enumerate(MODELS.items()):
        if name not in wanted:
            continue
        torch.manual_seed(number)
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        model = kind(config(**{**usual, **ENDS, **settings})).eval()
        with torch.no_grad():
            for path, parameter in model.named_parameters():
                one = ("norm" in path or ".ln_" in path) and path.endswith("weight")
                parameter.normal_(1.0 if one else 0.0, 0.35)
        model = model.to(saved.get("dtype", torch.float32))
        part = model.transformer if saved.get("bare") else model
        part.save_pretrained(folder, max_shard_size=saved.get("max_shard_size", "1GB"))
        if model.dtype != torch.float32:
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        (folder / "generation_config.json").unlink(missing_ok=True)
        tokens = torch.randint(0, 31, (1, 8))
        with torch.no_grad():
            logits = model(tokens).logits
        expected = {
            "tokens": tokens.tolist(),
            "logits": [[[round(x, 6) for x in t] for t in row] for row in logits.tolist()],
        }
        (folder / "expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")
        print(name, sum(path.stat().st_size for path in folder.iterdir()))
