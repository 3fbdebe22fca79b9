"""GPT-2 in Hugging Face's folders, read and written.

    config.json, and model.safetensors or shards of it with model.safetensors.index.json

There the weights of linear layers (Conv1D) are stored (in, out), ours are (out, in). Names begin with "transformer."
or don't. Masks that older files keep as buffers (attn.bias, attn.masked_bias) are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tt_nn.init import without_init
from tt_text.errors import ConfigError, PretrainedError
from tt_text.models.config import GPTConfig
from tt_text.models.config_file import ConfigFile
from tt_text.models.safetensors_folder import SafetensorsFolder
from tt_text.models.writing import write_folder

if TYPE_CHECKING:
    from tt_text.models.gpt import GPT

__all__ = ["load_gpt2", "read_gpt2_config", "save_gpt2"]

Model = TypeVar("Model", bound="GPT")

CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
BUFFER = re.compile(r"transformer\.h\.\d+\.attn\.(masked_)?bias", re.ASCII)
HEAD, TABLE = "lm_head.weight", "transformer.wte.weight"


def load_gpt2(cls: type[Model], folder: str | PathLike[str]) -> Model:
    """The GPT in a folder, in eval mode; float16 and bfloat16 become float32.

    A configuration that asks for what GPT does not have is refused by the name of the field. Of the three dropouts
    GPT has one: the model's is theirs if they are equal, else 0.

    Raises ConfigError for config.json, PretrainedError for the weights: files that are missing or damaged, tensors
    that are missing, unexpected or mis-shaped (named, with both shapes).
    """
    config = read_gpt2_config(folder)
    files = SafetensorsFolder(folder)
    files.rename(_our_name)
    files.check(_needed(config), [HEAD] if config.tie_word_embeddings else [])
    with without_init():
        model = cls(config)
    parameters = dict(model.named_parameters())
    head = None
    for name, array in files.tensors():
        if name == HEAD and config.tie_word_embeddings:
            head = array
        else:
            parameters[name].write(array.T if name.endswith(CONV1D) else array)
    if head is not None and not np.array_equal(head, parameters[TABLE].array):
        raise PretrainedError(
            f"{folder}: tie_word_embeddings says that {HEAD} is the table of embeddings, but the files hold another; "
            "set it to false in config.json if the head is one of its own"
        )
    return model.eval()


def read_gpt2_config(folder: str | PathLike[str]) -> GPTConfig:
    """config.json as a GPTConfig. Raises ConfigError for what does not fit, or would compute something else."""
    file = ConfigFile(folder)
    file.kind({"gpt2": "GPT2LMHeadModel"})
    file.only("scale_attn_weights", True)
    file.only("scale_attn_by_inverse_layer_idx", False)
    file.only("add_cross_attention", False)
    file.only("is_causal", True)
    file.only("pruned_heads", {})
    file.only("quantization_config")
    # reorder_and_upcast_attn computes the same, in another order and dtype.
    positions = _size(file, "n_positions", "max_position_embeddings")
    drops = [file.get(name, 0.1) for name in ("attn_pdrop", "embd_pdrop", "resid_pdrop")]
    try:
        return GPTConfig(
            vocab_size=file.need("vocab_size"),
            block_size=file.need("n_ctx") if positions is None else positions,
            n_layer=_size(file, "n_layer", "num_hidden_layers") or file.need("n_layer"),
            n_head=_size(file, "n_head", "num_attention_heads") or file.need("n_head"),
            n_embd=_size(file, "n_embd", "hidden_size") or file.need("n_embd"),
            dropout=drops[0] if drops[0] == drops[1] == drops[2] else 0.0,
            activation=file.get("activation_function", "gelu_new"),
            n_inner=file.get("n_inner"),
            layer_norm_epsilon=file.get("layer_norm_epsilon", 1e-5),
            tie_word_embeddings=file.get("tie_word_embeddings", True),
        )
    except ConfigError as error:
        raise file.wrong(error) from error


def _size(file: ConfigFile, name: str, other: str) -> Any:
    """A field that goes by two names. Raises ConfigError where both are there and say different things."""
    value, same = file.get(name), file.get(other)
    if None not in (value, same) and value != same:
        raise ConfigError(
            f"{file.path}: {name} is {value!r} and {other} is {same!r}; both are names of the same"
        )
    return same if value is None else value


def save_gpt2(model: GPT, folder: str | PathLike[str], tokenizer: Any = None) -> None:
    """Write a GPT as the transformers library reads it: config.json, model.safetensors, and tokenizer.json if given.

    GPT-2 has biases everywhere; where the model has none, zeros are written. See `write_folder` for the rest.
    """
    config = model.config
    fields = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocab_size,
        "n_positions": config.block_size,
        "n_ctx": config.block_size,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_inner": config.n_inner,
        # The one name that is ours only.
        "activation_function": {"gelu_tanh": "gelu_new"}.get(config.activation, config.activation),
        "attn_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "tie_word_embeddings": config.tie_word_embeddings,
    }
    state = {name: parameter.array for name, parameter in model.named_parameters()}
    dtype = model.transformer.wte.weight.dtype
    for name, shape in _needed(config):
        if name in state:
            state[name] = np.ascontiguousarray(state[name].T) if name.endswith(CONV1D) else state[name]
        elif name.endswith(".bias"):
            state[name] = np.zeros(shape, dtype)
    write_folder(folder, fields, state, tokenizer)


def _our_name(name: str) -> str | None:
    full = name if name == HEAD or name.startswith("transformer.") else f"transformer.{name}"
    return None if BUFFER.fullmatch(full) else full


def _needed(config: GPTConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes as in the files."""
    c, hidden = config.n_embd, config.hidden
    yield TABLE, (config.vocab_size, c)
    yield "transformer.wpe.weight", (config.block_size, c)
    yield "transformer.ln_f.weight", (c,)
    yield "transformer.ln_f.bias", (c,)
    yield HEAD, (config.vocab_size, c)
    for layer in range(config.n_layer):
        at = f"transformer.h.{layer}."
        for name, inside, outside in (
            ("attn.c_attn", c, 3 * c), ("attn.c_proj", c, c), ("mlp.c_fc", c, hidden), ("mlp.c_proj", hidden, c),
        ):  # fmt: skip
            yield f"{at}{name}.weight", (inside, outside)
            yield f"{at}{name}.bias", (outside,)
        for norm in ("ln_1", "ln_2"):
            yield f"{at}{norm}.weight", (c,)
            yield f"{at}{norm}.bias", (c,)
