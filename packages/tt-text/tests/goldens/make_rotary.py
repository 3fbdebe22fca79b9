"""What Hugging Face's Llama makes of queries at some positions, for every setting in rotary.json: writes rotary.npz.

Run it with an interpreter that has PyTorch 2.13.0 and transformers 5.24.0: python make_rotary.py
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

# A torchvision of another version than torch would stop the import.
sys.modules["torchvision"] = None

from transformers import LlamaConfig  # noqa: E402
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb  # noqa: E402

HERE = Path(__file__).parent


def draw(shape):
    """Values that float32 holds exactly."""
    return np.random.default_rng(0).normal(size=tuple(shape)).astype(np.float32)


if __name__ == "__main__":
    found = {}
    for index, spec in enumerate(json.loads((HERE / "rotary.json").read_text())):
        parameters = {"rope_theta": spec["base"], **(spec["scaling"] or {"rope_type": "default"})}
        # Where the dynamic kind has it, out of the parameters.
        length = parameters.get("original_max_position_embeddings")
        config = LlamaConfig(
            hidden_size=2 * spec["head_dim"],
            num_attention_heads=2,
            head_dim=spec["head_dim"],
            max_position_embeddings=length if parameters["rope_type"] == "dynamic" else 131072,
            rope_parameters=parameters,
        )
        positions = torch.tensor(spec["positions"])
        q = torch.tensor(draw((len(positions), 2, positions.shape[1], spec["head_dim"])))
        rotary = LlamaRotaryEmbedding(config)
        cos, sin = rotary(q, positions)
        found[str(index)] = apply_rotary_pos_emb(q, q, cos, sin)[0].numpy()
        found[f"{index} frequencies"] = rotary.inv_freq.numpy()
    np.savez_compressed(HERE / "rotary.npz", **found)
