"""llama2.c's legacy file (model.bin): seven integers, then all numbers in float32, little-endian.

    dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len (int32; vocab_size < 0: the head is its own)
    tok_embeddings; of all layers: rms_att, wq, wk, wv, wo, rms_ffn, w1, w2, w3; rms_final;
    freq_cis_real, freq_cis_imag (seq_len, head_dim / 2), which nobody reads any more; the head, if it is its own

Source: A. Karpathy, llama2.c, export.py (legacy_export) and run.c (memory_map_weights).
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tt_nn.init import without_init
from tt_text.errors import ConfigError, PretrainedError
from tt_text.models.config import LlamaConfig

if TYPE_CHECKING:
    from tt_text.models.llama import Llama

__all__ = ["load_llama2c"]

Model = TypeVar("Model", bound="Llama")

HEADER = struct.Struct("<7i")
MAGIC = 0x616B3432  # "ak42", with which the newer formats begin


def load_llama2c(cls: type[Model], path: str | os.PathLike[str]) -> Model:
    """The model in a file of llama2.c's legacy format, in eval mode. Rotary layout "interleaved", norms' eps 1e-5.

    The file is mapped into memory and copied tensor by tensor; before, its size is compared with what its header
    asks for.

    Raises PretrainedError where it is missing, truncated, too long, or of a newer format, ConfigError where its header
    describes no model.
    """
    where = Path(path)
    if not where.is_file():
        raise PretrainedError(f"{where} {'is a folder, not a file' if where.is_dir() else 'does not exist'}")
    try:
        with open(where, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            header = file.read(HEADER.size)
    except OSError as error:
        raise PretrainedError(f"{where} cannot be read: {error}") from error
    config = _config(where, header)
    parts = _parts(config)
    wanted = HEADER.size + 4 * sum(count * math.prod(shape) for _, count, shape in parts)
    if size != wanted:
        raise PretrainedError(
            f"{where} has {size:,} bytes, but its header describes a model of {wanted:,}: it is "
            f"{'truncated' if size < wanted else 'longer than that'}, or its header is damaged ({config})"
        )
    numbers = np.memmap(where, "<f4", "r", HEADER.size)
    with without_init():
        model = cls(config)
    parameters = dict(model.named_parameters())
    at = 0
    for name, count, shape in parts:
        for layer in range(count):
            length = math.prod(shape)
            if name:
                parameters[name.format(layer)].write(np.asarray(numbers[at : at + length]).reshape(shape))
            at += length
    return model.eval()


def _config(path: Path, header: bytes) -> LlamaConfig:
    if len(header) < HEADER.size:
        raise PretrainedError(f"{path} has {len(header)} bytes, less than a header ({HEADER.size})")
    dim, hidden, layers, heads, groups, vocabulary, length = HEADER.unpack(header)
    if dim == MAGIC:
        raise PretrainedError(
            f"{path} is of version {hidden} of llama2.c's format; this reads the legacy one (export.py --version 0)"
        )
    try:
        return LlamaConfig(
            vocab_size=abs(vocabulary),
            hidden_size=dim,
            intermediate_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=groups,
            max_position_embeddings=length,
            rope_layout="interleaved",
            tie_word_embeddings=vocabulary > 0,
        )
    except ConfigError as error:
        raise ConfigError(f"{path}: its header describes no model: {error}") from error


def _parts(config: LlamaConfig) -> list[tuple[str, int, tuple[int, ...]]]:
    """Name, how often (once for each layer), and shape, in the order of the file; no name: left out."""
    c, hidden, n = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    keys = config.groups * config.width
    angles = (config.max_position_embeddings, config.width // 2)
    at = "model.layers.{}."
    parts: list[tuple[str, int, tuple[int, ...]]] = [
        ("model.embed_tokens.weight", 1, (config.vocab_size, c)),
        (at + "input_layernorm.weight", n, (c,)),
        (at + "self_attn.q_proj.weight", n, (c, c)),
        (at + "self_attn.k_proj.weight", n, (keys, c)),
        (at + "self_attn.v_proj.weight", n, (keys, c)),
        (at + "self_attn.o_proj.weight", n, (c, c)),
        (at + "post_attention_layernorm.weight", n, (c,)),
        (at + "mlp.gate_proj.weight", n, (hidden, c)),
        (at + "mlp.down_proj.weight", n, (c, hidden)),
        (at + "mlp.up_proj.weight", n, (hidden, c)),
        ("model.norm.weight", 1, (c,)),
        ("", 2, angles),
    ]
    return parts if config.tie_word_embeddings else [*parts, ("lm_head.weight", 1, (config.vocab_size, c))]
