"""Llama, Mistral, Qwen2, Qwen3 and Phi-3 in Hugging Face's folders, read and written.

    config.json, and model.safetensors or shards of it with model.safetensors.index.json

All are one architecture: Mistral has a sliding window, Qwen2 has biases on queries, keys and values, Qwen3 norms of
queries and keys, Phi-3 one tensor for queries, keys and values, and one for gate and up. Names begin with "model." or
don't. Frequencies that older files keep as buffers (rotary_emb.inv_freq) are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tt_nn.init import without_init
from tt_text.errors import ConfigError, PretrainedError
from tt_text.models.config import LlamaConfig
from tt_text.models.config_file import ConfigFile
from tt_text.models.safetensors_folder import SafetensorsFolder
from tt_text.models.writing import write_folder

if TYPE_CHECKING:
    from tt_text.models.llama import Llama

__all__ = ["load_llama", "read_llama_config", "save_llama"]

Model = TypeVar("Model", bound="Llama")

KINDS = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "phi3": "Phi3ForCausalLM",
}
POSITIONS = {"llama": 2048, "mistral": 131072, "qwen2": 32768, "qwen3": 32768, "phi3": 4096}
FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}
"""Phi-3's tensors, and what they hold, one under the other."""

BUFFER = re.compile(r"model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq", re.ASCII)
HEAD, TABLE = "lm_head.weight", "model.embed_tokens.weight"
O_BIAS = ".self_attn.o_proj.bias"


def load_llama(cls: type[Model], folder: str | PathLike[str]) -> Model:
    """The Llama, Mistral, Qwen or Phi-3 in a folder, in eval mode; float16 and bfloat16 become float32.

    A configuration that asks for what Llama does not have is refused by the name of the field. Of Qwen2, the bias of
    o_proj, which it does not have, is zero.

    Raises ConfigError for config.json, PretrainedError for the weights: files that are missing or damaged, tensors
    that are missing, unexpected or mis-shaped (named, with both shapes).
    """
    config, kind = _read(ConfigFile(folder))
    files = SafetensorsFolder(folder)
    files.rename(_our_name)
    files.check(_in_files(config, kind), [HEAD] if config.tie_word_embeddings else [])
    with without_init():
        model = cls(config)
    parameters = dict(model.named_parameters())
    head = None
    for name, array in files.tensors():
        if name == HEAD and config.tie_word_embeddings:
            head = array
            continue
        row = 0
        for part in _parts(name):
            rows = parameters[part].shape[0] if part != name else len(array)
            parameters[part].write(array[row : row + rows])
            row += rows
    if head is not None and not np.array_equal(head, parameters[TABLE].array):
        raise PretrainedError(
            f"{folder}: tie_word_embeddings says that {HEAD} is the table of embeddings, but the files hold another; "
            "set it to false in config.json if the head is one of its own"
        )
    return model.eval()


def read_llama_config(folder: str | PathLike[str]) -> LlamaConfig:
    """config.json as a LlamaConfig. Raises ConfigError for what does not fit, or would compute something else."""
    return _read(ConfigFile(folder))[0]


def _read(file: ConfigFile) -> tuple[LlamaConfig, str]:
    kind = file.kind(KINDS)
    for name in ("quantization_config", "pruned_heads"):
        file.only(name)
    file.only("partial_rotary_factor", 1, 1.0)
    file.only("is_causal", True)
    theta, scaling = _rope(file, kind)
    try:
        config = LlamaConfig(
            vocab_size=file.need("vocab_size"),
            hidden_size=file.need("hidden_size"),
            intermediate_size=file.need("intermediate_size"),
            num_hidden_layers=file.need("num_hidden_layers"),
            num_attention_heads=file.need("num_attention_heads"),
            num_key_value_heads=file.get("num_key_value_heads"),
            head_dim=file.get("head_dim", 128 if kind == "qwen3" else None),
            max_position_embeddings=file.get("max_position_embeddings", POSITIONS[kind]),
            rope_theta=theta,
            rope_scaling=scaling,
            rms_norm_eps=file.get("rms_norm_eps", 1e-5 if kind == "phi3" else 1e-6),
            hidden_act=file.get("hidden_act", "silu"),
            attention_bias=kind == "qwen2"
            or (kind in ("llama", "qwen3") and file.get("attention_bias", False)),
            mlp_bias=file.get("mlp_bias", False) if kind == "llama" else False,
            qk_norm=kind == "qwen3",
            tie_word_embeddings=file.get("tie_word_embeddings", False),
            sliding_window=_window(file, kind),
            attention_dropout=file.get("attention_dropout", 0.0),
        )
    except ConfigError as error:
        raise file.wrong(error) from error
    return config, kind


def _rope(file: ConfigFile, kind: str) -> tuple[Any, dict[str, Any] | None]:
    """The base and the scaling of rotary positions: rope_parameters, or the two fields that older files have.

    Where a file has both, the older rope_scaling counts, as in the library: who stretches a model by hand writes that.
    """
    told = file.get("rope_scaling") or file.get("rope_parameters")
    if told is not None and not isinstance(told, dict):
        raise ConfigError(
            f"{file.path}: the scaling of rotary positions is an object with fields, not {told!r}"
        )
    told = dict(told or {})
    theta = told.pop("rope_theta", file.get("rope_theta", 10000.0))
    if told.pop("partial_rotary_factor", 1.0) != 1.0:
        raise ConfigError(f"{file.path}: partial_rotary_factor: here all features of a head turn")
    method = told.get("rope_type", told.get("type"))
    if kind == "phi3" and method in ("su", "yarn"):  # names of its first files
        told.pop("type", None)
        method = told["rope_type"] = "longrope"
    if method in (None, "default"):
        if any(isinstance(value, dict) for value in told.values()):
            raise ConfigError(
                f"{file.path}: rope_parameters differ from layer to layer; here they are the same in all"
            )
        return theta, None
    positions = file.get("max_position_embeddings", POSITIONS[kind])
    if method in ("llama3", "yarn", "longrope"):
        # Beside the scaling it has the last word, inside it may be left out.
        length = file.get("original_max_position_embeddings", 4096 if kind == "phi3" else None)
        if length is not None:
            told["original_max_position_embeddings"] = length
        told.setdefault("original_max_position_embeddings", positions)
    elif method == "dynamic":
        told["original_max_position_embeddings"] = positions  # whatever it says itself
    if method in ("yarn", "longrope") and told.get("factor") is None:
        length = told["original_max_position_embeddings"]
        if isinstance(positions, int) and isinstance(length, int | float) and length > 0:
            told["factor"] = max(positions / length, 1.0)
    return theta, told


def _window(file: ConfigFile, kind: str) -> Any:
    """The sliding window, or None; only some of the models have one, and not under the same conditions."""
    if kind == "llama":
        return None
    kinds = file.get("layer_types")
    if kind in ("mistral", "phi3"):
        # Absent, it has a default in the library; null says that there is none.
        window = file.fields.get("sliding_window", 4096 if kind == "mistral" else None)
        wanted = "full_attention" if window is None else "sliding_attention"
        if kinds is not None and (not isinstance(kinds, list) or any(kind != wanted for kind in kinds)):
            raise ConfigError(
                f"{file.path}: layer_types is {kinds!r:.200}, but with sliding_window = {window!r} all layers here "
                f"are {wanted!r}"
            )
        return window
    if kinds is None:
        layers, full = file.need("num_hidden_layers"), file.get("max_window_layers", 28)
        if not isinstance(layers, int) or not isinstance(full, int):
            raise ConfigError(f"{file.path}: max_window_layers, {full!r}, is how many layers see everything")
        windows = max(layers - full, 0) if file.get("use_sliding_window", False) else 0
        kinds = ["full_attention"] * (windows < layers) + ["sliding_attention"] * (windows > 0)
    if kinds and isinstance(kinds, list):
        if all(kind == "full_attention" for kind in kinds):
            return None
        if all(kind == "sliding_attention" for kind in kinds) and file.get("use_sliding_window", False):
            return file.get("sliding_window", 4096)
    raise ConfigError(
        f"{file.path}: the sliding window is not the same in all layers (layer_types, use_sliding_window); here it is"
    )


def save_llama(model: Llama, folder: str | PathLike[str], tokenizer: Any = None) -> None:
    """Write a Llama as the transformers library reads it: config.json, model.safetensors, and tokenizer.json if given.

    With norms of queries and keys it is written as a Qwen3; else, with a sliding window, as a Mistral, which has no
    biases, or as a Qwen2, which has those of queries, keys and values. Queries and keys of layout "interleaved" are
    reordered to "half", which the library has; the logits stay. See `write_folder` for the rest.

    Raises PretrainedError for a sliding window together with other biases: the library has no such model.
    """
    config = model.config
    state = {name: parameter.array for name, parameter in model.named_parameters()}
    kind = "llama" if config.sliding_window is None else "qwen2" if config.attention_bias else "mistral"
    kind = "qwen3" if config.qk_norm else kind
    if kind == "qwen2":
        last = {name: state.pop(name) for name in list(state) if name.endswith(O_BIAS)}
        if any(bias.any() for bias in last.values()):
            raise PretrainedError(
                "save_pretrained: a sliding window and a bias of o_proj: the library has no such model"
            )
    if kind != "llama" and config.mlp_bias:
        what = "norms of queries and keys" if config.qk_norm else "a sliding window"
        raise PretrainedError(f"save_pretrained: {what} and biases in the MLP: the library has no such model")
    if config.rope_layout == "interleaved":
        order = np.arange(config.width).reshape(-1, 2).T.reshape(-1)  # 0, 2, 4, …, 1, 3, 5, …
        for name in state:
            if any(part in name for part in (".q_proj.", ".k_proj.", ".q_norm.", ".k_norm.")):
                rows = state[name].reshape(-1, config.width, *state[name].shape[1:])
                state[name] = np.ascontiguousarray(rows[:, order]).reshape(state[name].shape)
    write_folder(folder, _fields(config, kind), state, tokenizer)


def _fields(config: LlamaConfig, kind: str) -> Mapping[str, Any]:
    fields: dict[str, Any] = {
        "architectures": [KINDS[kind]],
        "model_type": kind,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.groups,
        "head_dim": config.width,
        "max_position_embeddings": config.max_position_embeddings,
        # Both spellings: that of version 5 of the library, and the older one.
        "rope_parameters": {
            "rope_type": "default",
            **(config.rope_scaling or {}),
            "rope_theta": config.rope_theta,
        },
        "rope_theta": config.rope_theta,
        "rope_scaling": config.rope_scaling,
        "rms_norm_eps": config.rms_norm_eps,
        "hidden_act": config.hidden_act,
        "tie_word_embeddings": config.tie_word_embeddings,
        "attention_dropout": config.attention_dropout,
    }
    if kind == "llama":
        return {**fields, "attention_bias": config.attention_bias, "mlp_bias": config.mlp_bias}
    if kind == "qwen3":
        fields |= {"attention_bias": config.attention_bias, "use_sliding_window": False}
    if kind in ("qwen2", "qwen3") and config.sliding_window is not None:
        fields |= {"use_sliding_window": True, "max_window_layers": 0}
        fields["layer_types"] = ["sliding_attention"] * config.num_hidden_layers
    return {**fields, "sliding_window": config.sliding_window}


def _our_name(name: str) -> str | None:
    full = name if name == HEAD or name.startswith("model.") else f"model.{name}"
    return None if BUFFER.fullmatch(full) else full


def _parts(name: str) -> list[str]:
    """The parameters that a tensor holds: itself, or what Phi-3 has in one."""
    for fused, parts in FUSED.items():
        if f".{fused}." in name:
            return [name.replace(fused, part) for part in parts]
    return [name]


def _in_files(config: LlamaConfig, kind: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes as the files of a kind have them."""
    rows = 0
    for name, shape in _needed(config):
        if kind == "qwen2" and name.endswith(O_BIAS):
            continue
        fused = next((fused for fused, parts in FUSED.items() if name.split(".")[-2] in parts), None)
        if kind != "phi3" or fused is None:
            yield name, shape
            continue
        rows += shape[0]
        part = name.split(".")[-2]
        if part == FUSED[fused][-1]:
            yield name.replace(part, fused), (rows, *shape[1:])
            rows = 0


def _needed(config: LlamaConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes, which are the same in the files and here."""
    c, hidden = config.hidden_size, config.intermediate_size
    queries, keys = config.num_attention_heads * config.width, config.groups * config.width
    yield TABLE, (config.vocab_size, c)
    yield "model.norm.weight", (c,)
    yield HEAD, (config.vocab_size, c)
    for layer in range(config.num_hidden_layers):
        at = f"model.layers.{layer}."
        for name, inside, outside in (
            ("q_proj", c, queries), ("k_proj", c, keys), ("v_proj", c, keys), ("o_proj", queries, c),
        ):  # fmt: skip
            yield f"{at}self_attn.{name}.weight", (outside, inside)
            if config.attention_bias:
                yield f"{at}self_attn.{name}.bias", (outside,)
        for name, inside, outside in (
            ("gate_proj", c, hidden),
            ("up_proj", c, hidden),
            ("down_proj", hidden, c),
        ):
            yield f"{at}mlp.{name}.weight", (outside, inside)
            if config.mlp_bias:
                yield f"{at}mlp.{name}.bias", (outside,)
        if config.qk_norm:
            yield f"{at}self_attn.q_norm.weight", (config.width,)
            yield f"{at}self_attn.k_norm.weight", (config.width,)
        yield f"{at}input_layernorm.weight", (c,)
        yield f"{at}post_attention_layernorm.weight", (c,)
